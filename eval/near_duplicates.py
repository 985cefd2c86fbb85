"""Refuse what is nearly the same as something that was there before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._bloom import Bloom
from ._compared import By, compared, numbers
from ._finished import finished
from ._shelf import NAME_PATTERN, Shelf
from ._shingles import Scheme, sketches
from ._twins import Item, Twin, TwinIndex


class NearDuplicates(Filter):
    """Keep the first of records that share most of their n-grams, and refuse the others, naming the one they are like.

    MinHash signatures in bands find candidates; the true Jaccard similarity of the sets of n-grams decides. Records are
    compared with those that were kept, in seed order, so that a chain of small changes does not lose its later links. A text shorter than
    `n` is compared as a whole. Score: the similarity. `best_of_duplicates` keeps the best of each group instead of the first.
    """

    ordered: ClassVar[bool] = True
    batch: ClassVar[int] = 512

    by: By = "all"
    """What is compared: all turns (without their reasoning), the last user turn, or the closing assistant turn."""
    similarity: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity (shared n-grams by all n-grams) from which two records are the same."""
    unit: Literal["words", "chars"] = "words"
    """What n-grams are made of; of scripts without spaces each character is a word."""
    n: int = Field(default=3, ge=1, le=100)
    """Units of an n-gram."""
    bands: int = Field(default=14, ge=1, le=256)
    """Bands of a signature; two texts that agree in one are compared. 14 x 8 finds 92 % of pairs at 0.8, all above 0.9."""
    rows: int = Field(default=8, ge=1, le=64)
    """Hash functions of a band: more rows, fewer candidates."""
    numbers: Literal["words", "agree", "mask"] = "words"
    """A number is a word like others; or texts whose numbers differ are no twins (for problems); or all numbers are equal."""
    index: str = Field(default="", pattern=NAME_PATTERN)
    """A name: what was kept is remembered there for later runs, and records are compared with what earlier runs kept."""
    bloom: int = Field(default=0, ge=0)
    """Above 0: Bloom filters for so many records in place of an index (yes or no, no name of the twin, nothing verified)."""
    bloom_error: float = Field(default=1e-5, gt=0, lt=0.5)
    """Of `bloom`: how often a band that was never seen is taken for one that was."""

    @model_validator(mode="after")
    def _one_memory(self) -> Self:
        if self.index and self.bloom:
            raise ValueError("`index` and `bloom` exclude each other: Bloom filters are not kept")
        if self.bloom and self.numbers == "agree":
            raise ValueError("`numbers: agree` needs to look at the twin, and a Bloom filter does not know it: use `words`")
        return self

    @property
    def scheme(self) -> Scheme:
        return Scheme(self.unit, self.n, self.bands, self.rows, self.numbers == "mask")

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        one = asyncio.Lock()
        shelf = (
            None
            if self.bloom
            else Shelf(self.index, "near_duplicates", {**self.scheme.told(), "by": self.by, "numbers": self.numbers}, run=tools.run)
        )
        try:
            index = Bloom(self.bloom, self.bands, self.bloom_error) if shelf is None else await self._indexed(shelf)

            async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
                async with one:
                    return await finished(asyncio.to_thread(self._judged, records, index))

            yield judge
        finally:
            if shelf is not None:
                shelf.close()

    async def _indexed(self, shelf: Shelf) -> TwinIndex:
        return await finished(asyncio.to_thread(TwinIndex, shelf, self.scheme, self.similarity))

    def _judged(self, records: Sequence[Record], index: TwinIndex | Bloom) -> list[Verdict]:
        texts = [compared(record, self.by) for record in records]
        read = sketches(texts, self.scheme)
        items = [
            Item(record.id, sketch, _signs(text) if self.numbers == "agree" else b"")
            for record, sketch, text in zip(records, read, texts, strict=True)
        ]
        some = [at for at, item in enumerate(items) if len(item.sketch.shingles)]
        twins = dict(zip(some, index.judged([items[at] for at in some]), strict=True))
        kept = Verdict(by=self.part_name(), outcome="keep")
        return [self._verdict(twins[at], kept) if at in twins else self._nothing() for at in range(len(records))]

    def _nothing(self) -> Verdict:
        return Verdict(by=self.part_name(), outcome="abstain", reason=f"nothing_to_compare: no {self.by} text")

    def _verdict(self, twin: Twin | None, kept: Verdict) -> Verdict:
        if twin is None:
            return kept
        if twin.similarity is None:
            return Verdict(by=self.part_name(), outcome="refuse", reason="near_duplicate: much of it was there before")
        return Verdict(
            by=self.part_name(),
            outcome="refuse",
            score=round(twin.similarity, 4),
            reason=f"near_duplicate: {twin.similarity:.0%} like {twin.record}",
            evidence={"of": twin.record, "similarity": round(twin.similarity, 4)},
        )


def _signs(text: str) -> bytes:
    return blake2b("\n".join(numbers(text)).encode(), digest_size=8).digest()
