"""The same question in other words, kept only if solving it reproduces the gold answer (MetaMath, arXiv 2309.12284)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import ClassVar, Self

from pydantic import Field, PositiveInt, model_validator

from ..core.backend import Capability, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import Record
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._numbers import says
from ._overlap import units
from ._solving import Made, Solver, all_refused, distinct, each, gold_of, material, question_of

FORM = Form((Part("question"),))


class Rephrase(Generator):
    """Rewords the seed's question `k` times and solves each new one until the gold answer comes out, or no longer can.

    The record is the new question with the first right solution. Labels: `finish_reason`, `pass_rate` = `right` / `tried`.
    """

    prompts: ClassVar[tuple[str, ...]] = ("rephrase.question", "cot.solve", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that rewords."""
    solver: str = ""
    """The model that solves; by default the same."""
    k: int = Field(default=2, ge=1, le=32)
    """Rewordings of a question."""
    solves: PositiveInt = 4
    """Solutions of a rewording at most, asked in waves of 1, 1, 2, 2 ..."""
    agree: PositiveInt = 1
    """How many of them must reproduce the gold answer."""
    verify: str = "math_answer"
    """The recipe's filter that compares answers."""
    sampling: Sampling | None = None
    """Of rewording, set over the model's own."""
    solving: Sampling | None = None
    """Of solving, set over the model's own."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.agree > self.solves:
            raise ValueError(f"`agree: {self.agree}` of `solves: {self.solves}` can never be reached: lower `agree`, or raise `solves`")
        return self

    def judges(self) -> tuple[str, ...]:
        return (self.verify,)

    def needs(self) -> dict[str, frozenset[Capability]]:
        return {name: frozenset({"chat"}) for name in (self.model, self.solver) if name}

    def calls_per_seed(self) -> float:
        return float(self.k * (1 + self.solves))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        question, gold = question_of(seed), gold_of(seed)
        written, unwritten = await each([partial(self._written, seed, question, gold, sample, tools) for sample in range(self.k)])
        new, repeated = distinct(written)
        solver = Solver(self.part_name(), self.solver or self.model, self.solves, self.agree, self.verify, self.solving)
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
