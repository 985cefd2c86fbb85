"""Whether the code in an answer passes its tests, found by running it in the sandbox."""

from __future__ import annotations

import asyncio
import reprlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..core.part import Filter, Judge, Tools
from ..core.record import Outcome as Word
from ..core.record import Record, Verdict
from ..core.sandbox import Limits, Sandbox
from ._code_answer import code_of, program_of
from ._code_compare import same_output, same_value, truthy
from ._code_run import LARGE, Outcome, compiled, outcome
from ._code_tests import BadTests, Case, Suite, suite_of
from ._parts import parts_of, shown

LONGEST = 1 << 20
"""Characters of a program; a longer one is refused unread."""
LOADING = ("timeout", "died", "flooded", "compile_error", "raised")
"""What can be said instead of the cases; the candidate itself may have said it."""


class UnitTests(Filter):
    """Runs the code of an answer against the record's tests, in a fresh sandbox; keeps it where enough of them pass.

    The code is the last block that is tagged as Python or not tagged, or the whole answer. Tests are taken from `tests` (JSON),
    else from the record's columns: APPS and TACO, LiveCodeBench, HumanEval, MBPP, SYNTHETIC-1, lists of asserts. What they expect
    is compared here, on data with exact types, and is never in the sandbox; tests that are code run there in another process than the
    code they test. Score: the share of cases that passed. It abstains where there are no tests that it can read, and where
    the sandbox itself fails.
    """

    batch: ClassVar[int] = 32

    timeout_s: float = Field(default=6, gt=0)
    """Seconds that one case may take."""
    total_s: float = Field(default=60, gt=0)
    """Seconds that all cases of a record may take together."""
    memory_mb: int = Field(default=512, ge=64)
    """Address space of each process of a candidate."""
    processes: int = Field(default=8, ge=4)
    """Processes and threads of a candidate, with the two that watch it."""
    output_kb: int = Field(default=1024, ge=1)
    """What a case may print or return."""
    min_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the cases that must pass."""
    tolerance: float = Field(default=1e-9, ge=0)
    """By how much a fraction may differ, relative and absolute; whole numbers are exact."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without usable tests, or whose sandbox failed."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        sandbox = tools.sandbox
        await sandbox.tier()
        runner = await compiled(sandbox)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judged(record, sandbox, runner) for record in records))

        yield judge

    async def _judged(self, record: Record, sandbox: Sandbox, runner: dict[str, bytes]) -> Verdict:
        text = parts_of(record, ("answer",)).get("answer", "") if record.response is not None else ""
        try:
            large = len(text) + len(record.tests or "") > LARGE or not record.tests
            ready = await asyncio.to_thread(self._read, record, text) if large else self._read(record, text)
            if isinstance(ready, Verdict):
                return ready
            suite, code = ready
            told = await outcome(sandbox, runner, suite, code, timeout_s=self.timeout_s, total_s=self.total_s, limits=self._limits())
        except BadTests as error:
            return self._verdict("abstain", str(error))
        return await asyncio.to_thread(self._said, suite, told) if told.size > LARGE else self._said(suite, told)

    def _read(self, record: Record, text: str) -> Verdict | tuple[Suite, str]:
        """The tests and the program, or the verdict where one of them is of no use. Raises BadTests."""
        suite = suite_of(record)
        if len(text) > LONGEST:
            return self._verdict("refuse", f"too_long: {len(text)} characters, at most {LONGEST}")
        code, tag = code_of(text)
        if tag:
            return self._verdict("refuse", f"wrong_language: the code is tagged {shown(tag, 30)}, only Python is run")
        if not code.strip():
            return self._verdict("refuse", "no_code: the answer holds no code")
        program = program_of(code, suite.prompt, suite.entry, suite.setup)
        if not _storable(program):
            return self._verdict("refuse", "compile_error: the code holds characters that no file can hold")
        return suite, program

    def _limits(self) -> Limits:
        cpu = int(min(self.total_s, 3600)) + 1
        return Limits(cpu_s=cpu, memory_mb=self.memory_mb, processes=self.processes, stdout_kb=self.output_kb)

    def _said(self, suite: Suite, told: Outcome) -> Verdict:
        """The verdict on what the sandbox told."""
        if told.infrastructure:
            return self._verdict("abstain", f"infrastructure: {shown(told.infrastructure, 200)}")
        loading = told.replies.get(-1)
        if loading is not None and loading[0] not in LOADING:
            loading = ["unreadable"]
        results = [self._result(case, told.replies.get(number) or loading, told) for number, case in enumerate(suite.cases)]
        odd = next((why for kind, why in results if kind == "unsupported"), "")
        if odd:
            return self._verdict("abstain", f"unsupported_tests: {odd}")
        kinds = Counter(kind for kind, _ in results)
        score = kinds["passed"] / len(results)
        evidence = {"mode": suite.mode, "cases": len(results), **kinds}
        if score >= self.min_share:
            return self._verdict("keep", "", score, **evidence)
        first, kind, why = next((number, *result) for number, result in enumerate(results) if result[0] != "passed")
        reason = f"{kind}: {kinds['passed']} of {len(results)} cases passed; case {first + 1}: {why}"
        return self._verdict("refuse", reason[:400], score, **evidence)

    def _result(self, case: Case, reply: list[Any] | None, told: Outcome) -> tuple[str, str]:
        """The kind of a case's result (passed, wrong, runtime_error, timeout, compile_error, unsupported) and a word for a person."""
        if reply is None:
            if told.flooded:
                return "runtime_error", "it wrote without end"
            if told.timed_out or told.ended:
                return "timeout", "there was no time left for it"
            return "runtime_error", "it ended the process that watches it"
        match reply:
            case ["timeout", *_]:
                return "timeout", f"no answer within {self.timeout_s:g} s"
            case ["flooded", *_]:
                return "runtime_error", f"more than {self.output_kb} kB of output"
            case ["died", str(why)]:
                return "runtime_error", f"its process ended: {shown(why, 60)}"
            case ["compile_error" | "raised" as kind, str(name), str(message)]:
                return "runtime_error" if kind == "raised" else kind, shown(f"{name}: {message}", 150)
            case ["missing", str(name)]:
                return "runtime_error", f"the code defines no {shown(name, 60)}"
            case ["unsupported", str(why)] if case.how == "inside":  # of the others the candidate could have said it
                return "unsupported", shown(why, 150)
        return self._compared(case, reply)

    def _compared(self, case: Case, reply: list[Any]) -> tuple[str, str]:
        match case.how, reply:
            case "inside", ["passed", int(calls)]:
                return ("passed", "") if calls else ("unsupported", "they never call the code")
            case "inside", ["failed", str(message)]:
                return "wrong", shown(f"an assert failed {message}", 150)
            case "output", ["output", ["ended", 0], str(got)]:
                right = same_output(got, case.expected, self.tolerance)
                return (
                    ("passed", "") if right else ("wrong", f"printed {shown(repr(got[:200]))}, expected {shown(repr(case.expected[:200]))}")
                )
            case "output", ["output", ["ended", _], _]:
                return "runtime_error", "it ended with an exit status that is not 0"
            case "output", ["output", ["compile_error" | "raised" as kind, str(name), str(message)], _]:
                return "runtime_error" if kind == "raised" else kind, shown(f"{name}: {message}", 150)
            case (("value" | "wrapped" | "python" | "true" | "false"), ["value", got, *_]):
                right = self._right(case, got)
                return ("passed", "") if right else ("wrong", f"gave {shown(_plain(got))}, expected {shown(_wanted(case))}")
        return "runtime_error", "its answer cannot be read"

    def _right(self, case: Case, got: Any) -> bool:
        if case.how in ("true", "false"):
            return truthy(got) is (case.how == "true") and not (isinstance(got, list) and got[:1] == ["o"])
        if same_value(got, case.expected, self.tolerance, python=case.how == "python"):
            return True
        alone = case.how == "wrapped" and isinstance(case.expected, list) and len(case.expected) == 1
        return alone and same_value(got, case.expected[0], self.tolerance, python=False)

    def _verdict(self, result: Word, reason: str, score: float | None = None, **evidence: Any) -> Verdict:
        if result == "refuse" and score is None:
            score = 0.0
        told = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(reason.split()))
        return Verdict(by=self.part_name(), outcome=result, score=score, reason=told, evidence=evidence)


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wanted(case: Case) -> str:
    return {"true": "something true", "false": "something false"}.get(case.how) or reprlib.repr(case.expected)


def _plain(tagged: Any, depth: int = 0) -> str:
    """Tagged data for a person."""
    if not isinstance(tagged, list) or not tagged:
        return reprlib.repr(tagged)
    if depth > 4:
        return "..."
    tag, items = tagged[0], tagged[1:20]
    if tag == "o":
        return f"an object of type {reprlib.repr(items[0] if items else '')}, which is no data"
    if tag == "d":
        pairs = (item for item in items if isinstance(item, list) and len(item) == 2)
        return "{" + ", ".join(f"{_plain(key, depth + 1)}: {_plain(value, depth + 1)}" for key, value in pairs) + "}"
    left, right = {"l": "[]", "t": "()", "s": "{}", "it": ("iter(", ")")}.get(tag if isinstance(tag, str) else "", ("", ""))
    return left + ", ".join(_plain(one, depth + 1) for one in items) + right
