"""Refuse pairs whose better answer a judge does not find better, and answers that lose against their reference."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ..core.part import Tools
from ._judge_pairs import Found, Pair, PairJudging, unswapped
from ._judge_reply import Winner, winner
from ._judging import Said, schema

_SCHEMA = schema(winner={"type": "string", "enum": ["A", "B", "tie"]})


class Pairwise(PairJudging):
    """A model compares two answers twice, in both orders; only where both judgements agree is there a winner, else it is a tie.

    Of a preference pair it compares chosen and rejected, of any other record the answer with its reference. The score is 1 (chosen
    is better), 0.5 (tie) or 0. Unless it was calibrated on labelled pairs the judge only labels.
    """

    prompts: ClassVar[tuple[str, ...]] = ("judge.pair",)

    model: str
    """The model that judges; best of another family than the one that wrote."""

    async def compared(self, pair: Pair, tools: Tools) -> Found:
        straight, swapped = await asyncio.gather(self._asked(pair, tools, False), self._asked(pair, tools, True))
        if straight is None or swapped is None:
            return Found(None, None, {})
        evidence = {"why": straight[1].reason, "judge": straight[1].by}
        return Found(straight[0], unswapped(swapped[0]), evidence)

    async def _asked(self, pair: Pair, tools: Tools, swapped: bool) -> tuple[Winner, Said] | None:
        values = {**pair.shown(swapped), "gold": pair.gold}
        return await self.ask(tools, self.model, "judge.pair", values, winner, path=f"pair.{'ba' if swapped else 'ab'}", schema=_SCHEMA)
