"""Refuse puzzles without exactly one solution, and answers that are not it."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..core.errors import WorkerFault
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._assignments import same, stated
from ._parts import parts_of, shown
from ._puzzle import MOST_CHARS

REMEMBERED = 2048
"""Puzzles whose solutions are kept, as many answers to one puzzle tend to come together."""

Solved = Mapping[str, Any]


class Logic(Filter):
    """Solve a puzzle given in a declared form, and compare the answer with its solution.

    The puzzle is JSON: variables with their values, and constraints from a closed vocabulary (the page lists it). It must have
    exactly one solution, which a constraint solver finds in a worker process. Where the record has an answer, it must give every
    variable that is asked for the value of that solution: as a JSON object, as `name: value`, in the last box or
    `<answer>`. Without a puzzle, or when time runs out, it abstains. Score: the share of variables that are right; of a
    puzzle alone 1 or 0.
    """

    batch: ClassVar[int] = 16
    version: ClassVar[str] = "2"

    column: str = ""
    """The column that holds the puzzle; absent: the record's `tests`."""
    timeout_s: float = Field(default=5, gt=0)
    """Seconds that one puzzle may take."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a puzzle, or whose puzzle ran out of time."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        solver = _Solver(tools, self.timeout_s)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judged(record, solver) for record in records))

        yield judge

    async def _judged(self, record: Record, solver: _Solver) -> Verdict:
        text = self._puzzle(record)
        if not text:
            return self._verdict("abstain", f"no_puzzle: the record has nothing in {self.column or 'tests'}")
        if len(text) > MOST_CHARS:
            return self._verdict("refuse", f"unreadable: a puzzle of {len(text)} characters, at most {MOST_CHARS}", 0.0)
        try:
            solved = await solver.solved(text)
        except WorkerFault as fault:
            word = {"timeout": "solver_timeout", "died": "solver_died"}.get(fault.reason, "solver_failed")
            return self._verdict("abstain", f"{word}: {fault}")
        if "fault" in solved:
            return self._verdict("refuse", f"unreadable: {shown(solved['fault'], 200)}", 0.0)
        return self._compared(record, solved["solutions"], solved["values"])

    def _puzzle(self, record: Record) -> str:
        held = record.fields.get(self.column) if self.column else record.tests
        if held is None or isinstance(held, str):
            return (held or "").strip()
        return json.dumps(held)

    def _compared(self, record: Record, solutions: list[dict[str, Any]], values: dict[str, list[Any]]) -> Verdict:
        if not solutions:
            return self._verdict("refuse", "no_solution: the constraints contradict each other", 0.0)
        first = solutions[0]
        if len(solutions) > 1:
            name = next(name for name in first if first[name] != solutions[1][name])
            told = f"{shown(name, 40)} is {_told(first[name])} in one and {_told(solutions[1][name])} in another"
            return self._verdict("refuse", f"several_solutions: {told}", 0.0)
        if record.response is None:
            return self._verdict("keep", "", 1.0, solution=_short(first))
        answer = parts_of(record, ("answer",)).get("answer", "")
        said, ask = stated(answer, values), list(values)
        if not said:
            return self._verdict("refuse", f"no_answer: no values for {shown(', '.join(ask))} in: {shown(answer[-200:]) or 'nothing'}", 0.0)
        return self._graded(first, ask, said)

    def _graded(self, solution: dict[str, Any], ask: list[str], said: dict[str, list[str]]) -> Verdict:
        share = sum(name in said and all(same(one, solution[name]) for one in said[name]) for name in ask) / len(ask)
        more = {"solution": _short({name: solution[name] for name in ask})}
        for name in ask:
            wrong = next((one for one in said.get(name, ()) if not same(one, solution[name])), None)
            if wrong is None:
                continue
            if any(same(one, solution[name]) for one in said[name]):
                return self._verdict("refuse", f"several_answers: {shown(name, 40)} is {shown(' and '.join(said[name]))}", share, **more)
            told = f"{shown(name, 40)} is {shown(wrong, 40)}, expected {_told(solution[name])}"
            return self._verdict("refuse", f"wrong_answer: {told}", share, **more)
        if missing := [name for name in ask if name not in said]:
            return self._verdict("refuse", f"incomplete: nothing is said of {shown(', '.join(missing))}", share, **more)
        return self._verdict("keep", "", 1.0, **more)

    def _verdict(self, outcome: Literal["keep", "refuse", "abstain"], reason: str, score: float | None = None, **evidence: Any) -> Verdict:
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason, evidence=evidence)


class _Solver:
    """Solutions of puzzles; the same puzzle is solved once, also when it is asked for twice at a time."""

    def __init__(self, tools: Tools, timeout_s: float) -> None:
        self._tools, self._timeout_s = tools, timeout_s
        self._known: OrderedDict[bytes, asyncio.Future[Solved]] = OrderedDict()

    async def solved(self, text: str) -> Solved:
        """Raises WorkerFault."""
        clean = text.encode("utf-8", "replace").decode()
        key = blake2b(clean.encode(), digest_size=16).digest()
        known = self._known.get(key)
        if known is None or _is_lost(known):
            known = asyncio.ensure_future(
                self._tools.workers.call(f"{__package__}._logic_worker:solve", clean, timeout_s=self._timeout_s),
            )
            self._known[key] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return await asyncio.shield(known)


def _is_lost(known: asyncio.Future[Solved]) -> bool:
    """Whether a puzzle is worth another try: not where its time ran out."""
    if not known.done() or known.cancelled():
        return known.cancelled()
    fault = known.exception()
    return fault is not None and not (isinstance(fault, WorkerFault) and fault.reason == "timeout")


def _told(value: Any) -> str:
    return shown(value if isinstance(value, str) else json.dumps(value), 40)


def _short(solution: dict[str, Any]) -> str:
    return shown(", ".join(f"{name}: {_told(value)}" for name, value in solution.items()), 300)
