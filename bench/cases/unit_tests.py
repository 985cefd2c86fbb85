"""unit_tests: candidates through the sandbox; small problems with right, wrong and cheating programs."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datalchemy.core.record import Conversation, Record, assistant, user
from datalchemy.core.sandbox import PYTHON, Program
from datalchemy.engine.loops import to_completion
from datalchemy.eval.sandbox.local import LocalSandbox
from gauge import Line, above, plain, rate, scored, verdicts

PROBLEMS = Path(__file__).parents[1] / "data" / "unit_tests.jsonl"
CHEATS = Path(__file__).parents[2] / "tests" / "eval" / "code_cheats.py"


def speed() -> Iterator[Line]:
    yield Line("cores of this machine, and load when it began", f"{os.cpu_count()}, {os.getloadavg()[0]:.1f}")
    code = "def double(x):\n    # candidate {0}\n    return x * 2\n"
    asserts = ["assert double(2) == 4", "assert double(5) == 10", "assert double(0) == 0"]
    calls = [_record(code.format(i), asserts, i) for i in range(400)]
    yield above("400 candidates, three asserts each", rate({"use": "unit_tests"}, calls, warm=20), 120)
    yield plain("an empty Python in the same sandbox, as many at once", to_completion(_empty(200)))
    check = {"entry_point": "double", "test": "def check(f):\n" + "".join(f"    assert f({n}) == {2 * n}\n" for n in range(5))}
    yield plain(
        "200 candidates, a test function each",
        rate({"use": "unit_tests"}, [_record(code.format(i), check, i) for i in range(200)], warm=20),
    )
    programs = {"inputs": ["2\n", "5\n", "0\n"], "outputs": ["4\n", "10\n", "0\n"]}
    reads = [_record(f"print(int(input()) * 2)  # {i}\n", programs, i) for i in range(200)]
    yield plain("200 candidates, three programs with stdin each", rate({"use": "unit_tests"}, reads, warm=20))


async def _empty(count: int) -> float:
    """Starts a second: what no filter can be faster than."""
    async with LocalSandbox() as sandbox:
        program = Program(argv=(PYTHON, "-s", "-S", "-c", "pass"))
        await sandbox.run(program)
        began = time.perf_counter()
        await asyncio.gather(*(sandbox.run(program) for _ in range(count)))
        return count / (time.perf_counter() - began)


def accuracy() -> Iterator[Line]:
    rows = [json.loads(line) for line in PROBLEMS.read_text().splitlines()]
    labelled = [
        (_record(code, row["tests"], f"{row['name']} {label} {i}"), label == "right")
        for row in rows
        for label in ("right", "wrong")
        for i, code in enumerate(row[label])
    ]
    found = [
        verdict.score == 1.0 for verdict in verdicts({"use": "unit_tests", "timeout_s": 2, "total_s": 4}, [one for one, _ in labelled])
    ]
    score = scored(found, [right for _, right in labelled])
    yield above(f"{len(rows)} problems, {score.n} programs, accuracy", score.accuracy, 1.0, "")
    cheats = _cheats()
    tried = [_record(code, json.loads(tests), name) for tests in cheats.TESTS.values() for name, code in cheats.CHEATS.items()]
    passed = sum((verdict.score or 0) > 0 for verdict in verdicts({"use": "unit_tests", "timeout_s": 1, "total_s": 1.5}, tried))
    yield Line(f"{len(tried)} cheating programs, scored above 0", str(passed), "0", passed == 0)


def _record(code: str, tests: Any, origin: Any) -> Record:
    turns = (user("Write the program."), assistant(f"```python\n{code}\n```"))
    return Record(content=Conversation(messages=turns), tests=json.dumps(tests), origin=str(origin))


def _cheats() -> Any:
    """The corpus that the tests use."""
    spec = importlib.util.spec_from_file_location("code_cheats", CHEATS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
