"""Of records that are nearly the same keep the best one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._best import By as Measure
from ._best import best_first, checked, named, values
from ._clusters import clusters
from ._compared import By, compared, numbers
from ._finished import finished
from ._shingles import Scheme, jaccard, sketches

LENGTH = "length"
"""The measure that needs no filter: characters of what is compared."""


class BestOfDuplicates(Filter):
    """Group records that share most of their n-grams and keep the best of each group, by length, a filter's score or a label.

    It looks at the whole finished set. Two records are joined where the true Jaccard similarity of their n-grams reaches
    `similarity`; groups are closed under that (a like b, b like c: one group), and exactly one of each group stays. Equal ones: the first in
    seed order stays. Score: the similarity with the one that stays.
    """

    version: ClassVar[str] = "2"
    closing: ClassVar[bool] = True

    best: Measure = LENGTH
    """What makes one better: `length`, the name of a filter (its score) or of a label, or a mix, `{reward: 1, length: -0.5}` by rank."""
    by: By = "all"
    """What is compared: all turns (without their reasoning), the last user turn, or the closing assistant turn."""
    similarity: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity (shared n-grams by all n-grams) from which two records are joined."""
    unit: Literal["words", "chars"] = "words"
    """What n-grams are made of; of scripts without spaces each character is a word."""
    n: int = Field(default=3, ge=1, le=100)
    """Units of an n-gram."""
    bands: int = Field(default=14, ge=1, le=256)
    """Bands of a MinHash signature; two texts that agree in one are compared."""
    rows: int = Field(default=8, ge=1, le=64)
    """Hash functions of a band: more rows, fewer candidates."""
    numbers: Literal["words", "agree", "mask"] = "words"
    """A number is a word like others; or texts whose numbers differ are not joined (for problems); or all numbers are equal."""

    @field_validator("best")
    @classmethod
    def _weighs(cls, best: Measure) -> Measure:
        return checked(best)

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await finished(asyncio.to_thread(self._judged, records))

        yield judge

    def _judged(self, records: Sequence[Record]) -> list[Verdict]:
        texts = [compared(record, self.by) for record in records]
        scheme = Scheme(self.unit, self.n, self.bands, self.rows, self.numbers == "mask")
        signs = [numbers(text) for text in texts] if self.numbers == "agree" else None
        verdicts = [self._alone(text) for text in texts]
        read = sketches(texts, scheme)
        for group in clusters(read, self.similarity, signs):
            worth = values([_with_length(records[at], texts[at]) for at in group], self.best)
            best, *others = [group[at] for at in best_first(worth)]
            verdicts[best] = Verdict(by=self.part_name(), outcome="keep", evidence={"group": len(group)})
            for at in others:
                verdicts[at] = self._worse(records[best].id, jaccard(read[at].grams(), read[best].grams()), len(group))
        return verdicts

    def _alone(self, text: str) -> Verdict:
        if text.strip():
            return Verdict(by=self.part_name(), outcome="keep")
        return Verdict(by=self.part_name(), outcome="abstain", reason=f"nothing_to_compare: no {self.by} text")

    def _worse(self, best: str, similarity: float, size: int) -> Verdict:
        return Verdict(
            by=self.part_name(),
            outcome="refuse",
            score=round(similarity, 4),
            reason=f"near_duplicate: {similarity:.0%} like {best}, the best of {size} by {named(self.best)}",
            evidence={"of": best, "similarity": round(similarity, 4), "group": size},
        )


def _with_length(record: Record, text: str) -> Record:
    """The record with the length of its text as a label, for the measure of that name."""
    return record.model_copy(update={"labels": {**record.labels, LENGTH: len(text)}})
