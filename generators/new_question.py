"""New questions from a given one, their gold answer by majority vote (operators after MuggleMath, arXiv 2310.05506)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from ..core.backend import Capability, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import Record
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._overlap import units
from ._solving import Made, Solution, Solver, all_refused, distinct, each, labelled, material, question_of
from ._turns import waves

Operator = Literal["numbers", "fractions", "combine", "condition", "steps"]
OPERATORS: tuple[Operator, ...] = ("numbers", "fractions", "combine", "condition", "steps")
FORM = Form((Part("plan", required=False), Part("question")))


class NewQuestion(Generator):
    """Writes `k` new questions and solves each `votes` times; the answer that enough solutions agree on becomes the gold one.

    A question without such a majority is refused: it has no gold answer rather than a guessed one. The record is the question with the
    first solution of the majority. Labels: `finish_reason`, `share` = `agreeing` / `tried`; unreadable and cut solutions count against it.
    """

    prompts: ClassVar[tuple[str, ...]] = (*(f"new_question.{name}" for name in OPERATORS), "cot.solve", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that writes."""
    solver: str = ""
    """The model that solves; by default the same."""
    k: int = Field(default=2, ge=1, le=32)
    """New questions of a seed."""
    operators: tuple[Operator, ...] = Field(default=OPERATORS, min_length=1)
    """How they differ from it: other `numbers`, `fractions`, `combine` with another idea, a `condition`, more `steps`. Drawn
    for each seed, none twice before all have had their turn."""
    votes: int = Field(default=5, ge=2, le=64)
    """Solutions of a question at most."""
    min_share: float = Field(default=0.6, gt=0.5, le=1)
    """Share of `votes` that must agree; over a half, so that no tie is ever decided."""
    wave: tuple[PositiveInt, ...] = Field(default=(3, 1), min_length=1)
    """Solutions asked at once, wave after wave; the last size repeats. Voting ends when the outcome is certain."""
    verify: str = "math_answer"
    """The recipe's filter that compares answers."""
    sampling: Sampling | None = None
    """Of writing, set over the model's own."""
    solving: Sampling | None = None
    """Of solving, set over the model's own; at temperature 0 all votes are one."""

    def judges(self) -> tuple[str, ...]:
        return (self.verify,)

    def needs(self) -> dict[str, frozenset[Capability]]:
        return {name: frozenset({"chat"}) for name in (self.model, self.solver) if name}

    def calls_per_seed(self) -> float:
        return float(self.k * (1 + self.votes))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        question = question_of(seed)
        drawn = enumerate(self._drawn(tools))
        written, unwritten = await each([partial(self._written, question, sample, name, tools) for sample, name in drawn])
        new, repeated = distinct(written)
        records, failed = await each([partial(self._voted, seed, one, tools) for one in new])
        for record in records:
            yield record
        if refused := [*unwritten, *repeated, *failed]:
            raise all_refused(refused, self.k)

    def _drawn(self, tools: Tools) -> list[Operator]:
        rng = tools.rng("operators")
        rounds = -(-self.k // len(self.operators))
        return [name for _ in range(rounds) for name in rng.sample(self.operators, len(self.operators))][: self.k]

    async def _written(self, question: str, sample: int, operator: Operator, tools: Tools) -> Made:
        wording = f"new_question.{operator}"
        got = await filled(
            tools, self.model, FORM, wording, path="write", sample=sample, sampling=self.sampling, question=material(question)
        )
        text = str(got.values["question"])
        if units(text) == units(question):
            raise Refused("unchanged", "the new question is the seed's own")
        return Made(text, None, f"vote{sample}", got.wording, (got.reply,), detail=(("operator", operator), ("gold_by", "vote")))

    async def _voted(self, seed: Record, made: Made, tools: Tools) -> Record:
        """The first solution of the majority, with its answer as gold. Raises Refused(`no_majority`)."""
        solver = Solver(self.part_name(), self.solver or self.model, self.votes, verify=self.verify, sampling=self.solving)
        groups: list[list[Solution]] = []
        tried, need = 0, -int(-(self.min_share * self.votes - 1e-9) // 1)
        for wave in waves(self.votes, self.wave):
            found = await solver.solved(seed, made, wave, tools)
            tried += len(found)
            await self._grouped(groups, found, solver, tools)
            most = max((len(group) for group in groups), default=0)
            if most >= need or most + self.votes - tried < need:
                break
        best = max(groups, key=len, default=[])
        if len(best) < need:
            told = f"{len(groups)} different answers, at most {len(best)} of {tried} solutions agree; {need} of {self.votes} are needed"
            raise Refused("no_majority", told)
        record = best[0].record.model_copy(update={"answer": best[0].got})
        return labelled(record, {"share": len(best) / tried, "agreeing": len(best), "tried": tried})

    async def _grouped(self, groups: list[list[Solution]], found: Sequence[Solution], solver: Solver, tools: Tools) -> None:
        """Put each solution that has a readable answer into the group that the filter calls equal to it, or a new one."""
        readable = await solver.judged([_against(one, one.record.messages[-1].text) for one in found], tools)
        for own, one in zip(found, readable, strict=True):
            if not one.right:
                continue
            got = one.got or own.record.messages[-1].text
            for group in groups:
                if got == group[0].got or await _equal(own, group[0].got, solver, tools):
                    group.append(own)
                    break
            else:
                groups.append([Solution(own.sample, own.record, got=got)])


async def _equal(one: Solution, gold: str, solver: Solver, tools: Tools) -> bool:
    (judged,) = await solver.judged([_against(one, gold)], tools)
    return judged.right


def _against(one: Solution, gold: str) -> Solution:
    """The solution beside another reference. Its content is a copy: verdicts are remembered by content, and this one is not final."""
    record = one.record.model_copy(update={"answer": gold, "content": one.record.content.model_copy()})
    return Solution(one.sample, record, one.flaw)
