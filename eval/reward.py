"""Score answers by a reward model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ..core.backend import Capability
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._conversation import scores


class Reward(Filter):
    """A reward model scores each answer. It only labels: nothing is removed unless `min_score` is written.

    The score is the model's raw output. Raw scores can be compared among the answers to one prompt and nowhere else: `reward_rank`
    keeps the better ones of each prompt, `best_of` the best. Strategies that choose among their own candidates judge with this one.
    """

    batch: ClassVar[int] = 32

    model: str = "reward"
    """The reward model: `use: reward_server` or `use: transformers_reward` in `models`."""
    min_score: float | None = None
    """Raw score at least: a cut through all prompts, which means something for one model and one kind of prompt only."""
    thinking: bool = False
    """Whether the model sees what was thought before the answer."""
    on_abstain: Literal["keep", "refuse"] = "keep"
    """What happens to a record that cannot be scored; with `min_score`, `refuse` unless it is written."""

    @model_validator(mode="after")
    def _refuses_with_a_rule(self) -> Self:
        if self.min_score is not None and "on_abstain" not in self.model_fields_set:
            object.__setattr__(self, "on_abstain", "refuse")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.model: frozenset({"score"})}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        model = tools.model(self.model)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return [self._verdict(score) for score in await scores(records, model, thinking=self.thinking)]

        yield judge

    def _verdict(self, score: float | str) -> Verdict:
        by = self.part_name()
        if isinstance(score, str):
            return Verdict(by=by, outcome="abstain", reason=score)
        if self.min_score is None or score >= self.min_score:
            return Verdict(by=by, outcome="keep", score=score)
        return Verdict(by=by, outcome="refuse", score=score, reason=f"low_reward: raw score {score:.4g}, at least {self.min_score:g} asked")
