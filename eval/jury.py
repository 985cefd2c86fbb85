"""Refuse what too few of several judges think well of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from statistics import fmean
from typing import Self

from pydantic import Field, model_validator

from ..core.backend import Capability
from ..core.part import Tools
from ..core.record import Record, Verdict
from ._judge_scores import ScoreJudging


class Jury(ScoreJudging):
    """Several models, or several samples of one, score an answer like `judge`; each vote is for it from `min_score` on.

    The score is the share of votes for the answer; the record stays when `quorum` of them are. A juror whose reply cannot be
    read has no vote, and without votes from more than half of the jurors the jury abstains. Agreement (the share of the larger side) and the
    mean score are in the evidence.
    """

    models: tuple[str, ...] = Field(min_length=1)
    """The models that judge, best of different families."""
    samples: int = Field(default=1, ge=1)
    """How often each is asked; more than once only makes sense with a `temperature` above 0."""
    quorum: float = Field(default=0.6, gt=0, le=1)
    """Share of the votes that must be for the answer."""

    @model_validator(mode="after")
    def _several(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is named twice in `models`: set `samples` to ask it several times")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("samples at `temperature: 0` are all alike: set `temperature: 0.7`, or name several models")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return dict.fromkeys(self.models, frozenset[Capability]({"chat"}))

    async def judged(self, record: Record, tools: Tools) -> Verdict:
        seen = self.shown(record)
        if isinstance(seen, Verdict):
            return seen if seen.score is None else seen.model_copy(update={"score": 0.0})
        jurors = [(model, sample) for model in self.models for sample in range(self.samples)]
        opinions = await asyncio.gather(*(self.opinion(seen, tools, model, sample) for model, sample in jurors))
        votes = [opinion for opinion in opinions if opinion is not None]
        if len(votes) * 2 <= len(jurors):
            return self.verdict("abstain", f"no_quorum: {len(votes)} of {len(jurors)} jurors gave a verdict that can be read")
        given = [opinion.score for opinion in votes]
        share = sum(score >= self.min_score for score in given) / len(votes)
        evidence = {
            "votes": given, "mean": round(fmean(given), 3), "agreement": round(max(share, 1 - share), 3),
            "judge": ", ".join(dict.fromkeys(opinion.by for opinion in votes)),
        }  # fmt: skip
        if share >= self.quorum - 1e-9:
            return self.verdict("keep", "", share, **evidence)
        against = next(opinion.reason for opinion in votes if opinion.score < self.min_score)
        text = (
            f"{sum(score >= self.min_score for score in given)} of {len(votes)} jurors are for it, {self.quorum:.0%} are wanted: {against}"
        )
        return self.verdict("refuse", f"outvoted: {text}", share, **evidence)
