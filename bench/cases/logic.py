"""logic: puzzles a second with one solver process; the number of solutions and the verdicts against trying everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate, verdicts

from ._puzzles import Puzzle, drawn, houses, solutions

SMALL, LARGE = 2000, 300


def speed() -> Iterator[Line]:
    small = [_record(drawn(number), None, str(number)) for number in range(SMALL)]
    yield plain(f"{SMALL:,} small puzzles (2 to 6 variables), all different", rate({"use": "logic"}, small, repeat=1), "/s")
    whole = houses()
    large = [_record({**whole, "ask": [name]}, None, name) for name in whole["variables"]]
    yield plain(f"{len(large)} puzzles of 25 variables and 19 constraints", rate({"use": "logic"}, large, warm=2, repeat=1), "/s")
    group = [_record(drawn(1), f"Ada: knight, Ben: {'knave' if n % 2 else 'knight'}", str(n)) for n in range(SMALL)]
    yield plain(f"{SMALL:,} answers to one puzzle", rate({"use": "logic"}, group), "/s")


def accuracy() -> Iterator[Line]:
    puzzles = [drawn(number) for number in range(SMALL)]
    known = [solutions(puzzle) for puzzle in puzzles]
    told = verdicts({"use": "logic"}, [_record(puzzle, None, str(n)) for n, puzzle in enumerate(puzzles)])
    expected = ["keep" if len(one) == 1 else "several_solutions" if one else "no_solution" for one in known]
    right = sum(_word(verdict) == word for verdict, word in zip(told, expected, strict=True))
    kinds = ", ".join(f"{expected.count(kind)} {kind}" for kind in ("keep", "several_solutions", "no_solution"))
    yield above(f"solutions counted as by trying everything ({kinds})", right / len(puzzles), 1.0, "")
    answered = [(puzzle, one[0]) for puzzle, one in zip(puzzles, known, strict=True) if len(one) == 1]
    good = [_record(puzzle, _written(one, n), f"g{n}") for n, (puzzle, one) in enumerate(answered)]
    bad = [_record(puzzle, _written(_changed(puzzle, one), n), f"b{n}") for n, (puzzle, one) in enumerate(answered)]
    told = verdicts({"use": "logic"}, good + bad)
    expected = ["keep"] * len(good) + ["wrong_answer"] * len(bad)
    right = sum(_word(verdict) == word for verdict, word in zip(told, expected, strict=True))
    yield above(f"{len(good)} right answers and {len(bad)} with one value changed, in five ways of writing", right / len(told), 1.0, "")


def _word(verdict: Any) -> str:
    return str(verdict.reason.partition(":")[0] or verdict.outcome)


def _changed(puzzle: Puzzle, solution: dict[str, Any]) -> dict[str, Any]:
    """The solution with one wrong value."""
    name = list(solution)[len(str(solution)) % len(solution)]
    return {**solution, name: next(value for value in puzzle["variables"][name] if value != solution[name])}


def _written(solution: dict[str, Any], way: int) -> str:
    pairs = list(solution.items())
    return [
        json.dumps(solution),
        "So:\n" + "\n".join(f"- **{name}**: {value}" for name, value in pairs),
        "Thus \\boxed{" + ", ".join(f"\\text{{{name}}} = {value}" for name, value in pairs) + "}.",
        "<answer>" + "; ".join(f"{name} is {value}" for name, value in pairs) + "</answer>",
        f"We find\n```json\n{json.dumps({'answer': solution}, indent=1)}\n```\nwhich is all.",
    ][way % 5]


def _record(puzzle: Puzzle, answer: str | None, origin: str) -> Record:
    turns = (user("Who is what?"), assistant(answer)) if answer is not None else (user("Who is what?"),)
    return Record(content=Conversation(messages=turns), tests=json.dumps(puzzle), origin=origin)
