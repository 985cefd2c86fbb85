"""The same question in other words, kept only if solving it reproduces the gold answer (MetaMath, arXiv 2309.12284)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import ClassVar

from ..core.errors import Refused
from ..core.part import Tools
from ..core.record import Record
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._numbers import says
from ._overlap import units
from ._reproducing import Reproducing
from ._solving import Made, all_refused, distinct, each, gold_of, material, question_of

FORM = Form((Part("question"),))


class Rephrase(Reproducing):
    """Rewords the seed's question `k` times and solves each new one until the gold answer comes out, or no longer can.

    The record is the new question with the first right solution. Labels: `finish_reason`, `pass_rate` = `right` / `tried`.
    """

    prompts: ClassVar[tuple[str, ...]] = ("rephrase.question", "cot.solve", *FORMS)

    def calls_per_seed(self) -> float:
        return float(self.k * (1 + self.solves))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        question, gold = question_of(seed), gold_of(seed)
        written, unwritten = await each([partial(self._written, seed, question, gold, sample, tools) for sample in range(self.k)])
        new, repeated = distinct(written)
        solver = self._solver()
        records, failed = await each([partial(solver.reproduced, seed, one, tools) for one in new])
        for record in records:
            yield record
        if refused := [*unwritten, *repeated, *failed]:
            raise all_refused(refused, self.k)

    async def _written(self, seed: Record, question: str, gold: str, sample: int, tools: Tools) -> Made:
        got = await filled(
            tools,
            self.model,
            FORM,
            "rephrase.question",
            path="rephrase",
            sample=sample,
            sampling=self.sampling,
            question=material(question),
        )
        text = str(got.values["question"])
        if units(text) == units(question):
            raise Refused("unchanged", "the rewording is the question itself")
        if says(text, gold) and not says(question, gold):
            raise Refused("answer_given", f"the rewording says the answer {gold!r}")
        detail = (("operator", "rephrase"), ("rewording", sample))
        return Made(text, gold, f"solve{sample}", got.wording, (got.reply,), seed.tests, detail)
