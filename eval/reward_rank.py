"""Keep the answers to one prompt that a reward model likes better than their siblings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from statistics import fmean, pstdev
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ..core.backend import Capability
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._conversation import family, scores

RULES = ("top_k", "top_share", "min_z")


class _Place(NamedTuple):
    """Where a record stands among those of its prompt."""

    rank: int
    of: int
    z: float | None
    """None where there is nothing to compare with: a record on its own, or a group of equals."""


class RewardRank(Filter):
    """A reward model scores the answers that one seed gave rise to for the same prompt, and they are ranked among each other.

    The score is the model's raw output; rank and z-score (standard deviations above the group's mean) stand in the evidence. Without
    a rule it only labels. With one (`top_k`, `top_share` or `min_z`) the others of the group are refused; equals stay in the order
    in which they were made. There is no cut through the scores of different prompts: they have no common scale.
    """

    ordered: ClassVar[bool] = True
    batch: ClassVar[int] = 64

    model: str = "reward"
    """The reward model: `use: reward_server` or `use: transformers_reward` in `models`."""
    top_k: int | None = Field(default=None, ge=1)
    """How many answers to each prompt stay."""
    top_share: float | None = Field(default=None, gt=0, le=1)
    """Which share of the answers to each prompt stays, rounded up: of a single one, that one."""
    min_z: float | None = None
    """How many standard deviations above the mean of its prompt an answer must be (0: the better half)."""
    thinking: bool = False
    """Whether the model sees what was thought before the answer."""
    on_abstain: Literal["keep", "refuse"] = "keep"
    """What happens to a record that cannot be scored, or with `min_z` compared; with a rule, `refuse` unless it is written."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [rule for rule in RULES if getattr(self, rule) is not None]
        if len(given) > 1:
            raise ValueError(f"one rule at a time, not {' and '.join(given)}: name the filter twice to have both")
        if given and "on_abstain" not in self.model_fields_set:
            object.__setattr__(self, "on_abstain", "refuse")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.model: frozenset({"score"})}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        model = tools.model(self.model)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            given = await scores(records, model, thinking=self.thinking)
            known = {at: score for at, score in enumerate(given) if not isinstance(score, str)}
            places = _places({at: family(records[at]) for at in known}, known)
            return [self._abstained(one) if isinstance(one, str) else self._verdict(one, places[at]) for at, one in enumerate(given)]

        yield judge

    def _verdict(self, score: float, place: _Place) -> Verdict:
        evidence = {"rank": place.rank, "of": place.of, "z": None if place.z is None else round(place.z, 4)}
        if self.min_z is not None and place.z is None:
            return self._abstained(f"no_spread: of {place.of} answers to this prompt none is better than another", score, evidence)
        reason = self._objection(place)
        if reason:
            reason = f"low_reward: place {place.rank} of {place.of} answers to this prompt (raw score {score:.4g}), {reason}"
        return Verdict(by=self.part_name(), outcome="refuse" if reason else "keep", score=score, reason=reason, evidence=evidence)

    def _objection(self, place: _Place) -> str:
        if self.top_k is not None and place.rank > self.top_k:
            return f"the best {self.top_k} stay"
        if self.top_share is not None and place.rank > math.ceil(place.of * self.top_share - 1e-9):
            return f"the best {self.top_share:.0%} stay"
        if self.min_z is not None and place.z is not None and place.z < self.min_z:
            return f"{place.z:.2f} standard deviations from its mean, at least {self.min_z:g} asked"
        return ""

    def _abstained(self, reason: str, score: float | None = None, evidence: Mapping[str, float | None] | None = None) -> Verdict:
        return Verdict(by=self.part_name(), outcome="abstain", score=score, reason=reason, evidence=evidence or {})


def _places(families: Mapping[int, tuple[str, str]], scores: Mapping[int, float]) -> dict[int, _Place]:
    """The place of each scored record in its family; equals stand as they came."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, name in families.items():
        groups[name].append(at)
    places: dict[int, _Place] = {}
    for members in groups.values():
        values = [scores[at] for at in members]
        mean, deviation = fmean(values), pstdev(values)
        for rank, at in enumerate(sorted(members, key=lambda at: (-scores[at], at)), 1):
            z = (scores[at] - mean) / deviation if deviation > 1e-9 * max(1.0, abs(mean)) else None
            places[at] = _Place(rank, len(members), z)
    return places
