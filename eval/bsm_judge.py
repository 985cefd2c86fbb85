"""Compare two answers criterion by criterion: Branch-Solve-Merge (arXiv 2310.15123)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ..core.part import Tools
from ._judge_pairs import Found, Pair, PairJudging, unswapped
from ._judge_reply import Winner, criteria, pair_scores, winner
from ._judging import Said, schema

_TEXT = {"type": "string"}
_CRITERION = {"type": "object", "properties": {"title": _TEXT, "how": _TEXT}, "required": ["title", "how"], "additionalProperties": False}
_WINNER = schema(winner={"type": "string", "enum": ["A", "B", "tie"]})


class _Solved(NamedTuple):
    """One criterion, judged in one order: scores of A and B as they were shown."""

    title: str
    a: float
    b: float
    said: Said


class BsmJudge(PairJudging):
    """Branch: the judge names criteria for the task, without seeing an answer. Solve: each criterion is scored for both answers
    by a call of its own, all at once. Merge: the scores are added up, or the judge weighs them. All of it with the
    answers in both orders; a winner is one in both, else it is a tie.

    Twice k (with `merge: model` k + 1) calls a pair and one more. A criterion whose scores cannot be read is left out in both orders.
    The score is 1 (chosen is better), 0.5 (tie) or 0. Unless it was calibrated on labelled pairs the judge only labels.
    """

    prompts: ClassVar[tuple[str, ...]] = ("judge.branch", "judge.solve", "judge.merge")

    model: str
    """The model that judges; best of another family than the one that wrote."""
    max_criteria: int = Field(default=5, ge=2, le=10)
    """Criteria at most; the judge decides how many it needs, and two is the least."""
    scale: tuple[int, int] = (1, 5)
    """The lowest and the highest score of a criterion."""
    merge: Literal["sum", "model"] = "sum"
    """Whether the scores are added up, or the judge comes to a verdict from them."""
    gold: bool = True
    """Whether the judge sees the reference answer of a pair that has one while it scores."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.scale[0] < self.scale[1]:
            raise ValueError("`scale` rises")
        return self

    async def compared(self, pair: Pair, tools: Tools) -> Found:
        branches = await self._branch(pair, tools)
        if branches is None:
            return Found(None, None, {}, f"no_criteria: fewer than 2 criteria in {self.tries} replies of the judge")
        asked = [(branch, swapped) for swapped in (False, True) for branch in branches]
        solved = await asyncio.gather(*(self._solve(pair, branch, swapped, tools) for branch, swapped in asked))
        k = len(branches)
        both = [(one, other) for one, other in zip(solved[:k], solved[k:], strict=True) if one is not None and other is not None]
        evidence: dict[str, Any] = {"dropped": k - len(both)} if len(both) < k else {}
        if not both or len(both) * 2 < k:
            return Found(None, None, evidence, f"unreadable_verdict: scores of {len(both)} of {k} criteria could be read")
        straight, swapped = [one for one, _ in both], [other for _, other in both]
        evidence |= {
            "criteria": {one.title[:40]: [one.a, one.b, other.b, other.a] for one, other in both},
            "why": max(straight, key=lambda one: abs(one.a - one.b)).said.reason[:200],
            "judge": straight[0].said.by,
        }
        first, second = await asyncio.gather(self._merge(pair, straight, False, tools), self._merge(pair, swapped, True, tools))
        return Found(first, None if second is None else unswapped(second), evidence)

    async def _branch(self, pair: Pair, tools: Tools) -> list[tuple[str, str]] | None:
        items = {"type": "array", "items": _CRITERION, "minItems": 2, "maxItems": self.max_criteria}
        values = {"task": pair.task, "most": str(self.max_criteria)}
        read = criteria(2, self.max_criteria)
        found = await self.ask(tools, self.model, "judge.branch", values, read, path="branch", schema=schema(criteria=items))
        return found[0] if found else None

    async def _solve(self, pair: Pair, branch: tuple[str, str], swapped: bool, tools: Tools) -> _Solved | None:
        low, high = self.scale
        score = {"type": "number", "minimum": low, "maximum": high}
        values = {
            **pair.shown(swapped), "gold": pair.gold if self.gold else "", "title": branch[0], "how": branch[1],
            "low": str(low), "high": str(high),
        }  # fmt: skip
        path = f"solve.{'ba' if swapped else 'ab'}"
        read = pair_scores(low, high)
        found = await self.ask(tools, self.model, "judge.solve", values, read, path=path, schema=schema(a=score, b=score))
        return _Solved(branch[0], *found[0], found[1]) if found else None

    async def _merge(self, pair: Pair, solved: Sequence[_Solved], swapped: bool, tools: Tools) -> Winner | None:
        """The winner as A or B of the order in which they were shown."""
        if self.merge == "sum":
            gap = sum(one.a for one in solved) - sum(one.b for one in solved)
            return "tie" if abs(gap) < 1e-9 else "a" if gap > 0 else "b"
        lines = [f"- {one.title}: A {one.a:g}, B {one.b:g}. {one.said.reason}" for one in solved]
        values = {"task": pair.task, "scores": "\n".join(lines), "low": str(self.scale[0]), "high": str(self.scale[1])}
        path = f"merge.{'ba' if swapped else 'ab'}"
        found: tuple[Winner, Said] | None = await self.ask(tools, self.model, "judge.merge", values, winner, path=path, schema=_WINNER)
        return found[0] if found else None
