"""Refuse what means the same as something that was there before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ..core.backend import Capability, Model
from ..core.errors import RecipeError, Rejected
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._calibration import calibrated, unit
from ._compared import By, compared, numbers
from ._finished import finished
from ._shelf import NAME_PATTERN, Shelf
from ._twins import Twin
from ._vectors import Dot, VectorIndex

PROBE = "Seven boats left the harbour before the storm came, and all of them found their way back."
"""Its vector tells one encoder from another."""


class SemanticDuplicates(Filter):
    """Keep the first of records that mean the same by their embeddings, and refuse the others, naming the nearest.

    Records are compared with those that were kept, in seed order. Which similarity is enough depends on the encoder: unless
    you give one, it is measured when the filter opens, on labelled pairs that ship. Texts whose numbers differ are no twins
    (an embedding hardly sees a number). A text that the encoder knows nothing of is an abstention. Score: the cosine similarity.
    """

    ordered: ClassVar[bool] = True
    version: ClassVar[str] = "2"
    batch: ClassVar[int] = 256

    encoder: str = "encoder"
    """The model that embeds; `encoder` is the static one that ships, unless the recipe's `models` say otherwise."""
    similarity: float | None = Field(default=None, gt=0, le=1)
    """Cosine similarity from which two records are the same; left out: measured for the encoder."""
    by: By = "prompt"
    """What is compared: all turns (without their reasoning), the last user turn, or the closing assistant turn."""
    without: str = Field(default="", max_length=2000)
    """A regular expression (RE2); what it matches is cut out first: the fixed part of templated prompts, which makes all alike."""
    numbers: Literal["agree", "ignore"] = "agree"
    """Whether texts are only twins if their numbers are the same."""
    index: str = Field(default="", pattern=NAME_PATTERN)
    """A name: what was kept is remembered there for later runs, and records are compared with what earlier runs kept."""
    flat: int = Field(default=20_000, ge=1000)
    """Up to so many kept records each one is compared with all; beyond, with those in the nearest clusters."""
    probes: int = Field(default=16, ge=1)
    """Clusters that a record is compared with."""

    @field_validator("without")
    @classmethod
    def _usable(cls, pattern: str) -> str:
        _cutter(pattern)
        return pattern

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.encoder: frozenset({"embed"})}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        one, encoder, cutter = asyncio.Lock(), tools.model(self.encoder), _cutter(self.without)
        shelf = Shelf(self.index, "semantic_duplicates", {"by": self.by, "numbers": self.numbers, "without": self.without}, run=tools.run)
        try:
            if self.index:
                await self._same_encoder(shelf, encoder)
            enough = self.similarity if self.similarity is not None else (await calibrated(encoder)).threshold
            index = await finished(asyncio.to_thread(VectorIndex, shelf, enough, flat=self.flat, probes=self.probes))

            async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
                texts = [_without(cutter, compared(record, self.by)) for record in records]
                some = [at for at, text in enumerate(texts) if text.strip()]
                async with one:
                    given = dict(zip(some, await _vectors(encoder, [texts[at] for at in some]), strict=True))
                    vectors = {at: vector for at, vector in given.items() if vector is not None}
                    items = [(records[at].id, texts[at]) for at in vectors]
                    twins = await finished(asyncio.to_thread(self._twins, items, list(vectors.values()), index))
                found = {**dict.fromkeys(some, "refused"), **dict(zip(vectors, twins, strict=True))}
                kept = Verdict(by=self.part_name(), outcome="keep")
                return [self._verdict(found.get(at, "nothing"), enough, kept) for at in range(len(records))]

            yield judge
        finally:
            shelf.close()

    def _twins(self, items: Sequence[tuple[str, str]], vectors: Sequence[Any], index: VectorIndex) -> list[Twin | str | None]:
        """Of each text (with its record's id) the kept one that means the same; a word for what cannot be compared."""
        import numpy as np

        if not items:
            return []
        rows = unit(vectors).astype(np.float16).astype(np.float32)
        dots = [Dot(record, row, _signs(text) if self.numbers == "agree" else b"") for (record, text), row in zip(items, rows, strict=True)]
        some = [at for at, row in enumerate(rows) if row.any()]
        found = dict(zip(some, index.judged([dots[at] for at in some]), strict=True))
        return [found.get(at, "unknown") for at in range(len(items))]

    async def _same_encoder(self, shelf: Shelf, encoder: Model) -> None:
        """Raises RecipeError where the index holds vectors of another encoder."""
        import numpy as np

        mine = unit(await encoder.embed([PROBE]))[0]
        stored = np.array(shelf.first("probe", [round(float(one), 5) for one in mine]), dtype=np.float32)
        if stored.shape != mine.shape or float(stored @ mine) < 0.99:
            raise RecipeError(f"the index {self.index!r} holds vectors of another encoder: use that one, or another name", "index")

    def _verdict(self, twin: Twin | str | None, enough: float, kept: Verdict) -> Verdict:
        if twin is None:
            return kept
        if isinstance(twin, str):
            why = {"nothing": f"no {self.by} text", "refused": "the encoder refuses the text"}.get(
                twin, "the encoder knows none of its words"
            )
            return Verdict(by=self.part_name(), outcome="abstain", reason=f"nothing_to_compare: {why}")
        cosine = round(twin.similarity or 0.0, 4)
        return Verdict(
            by=self.part_name(),
            outcome="refuse",
            score=cosine,
            reason=f"same_meaning: {cosine:.0%} like {twin.record} (from {enough:.0%} on it counts)",
            evidence={"of": twin.record, "similarity": cosine, "threshold": enough},
        )


async def _vectors(encoder: Model, texts: Sequence[str]) -> list[Any]:
    """A vector for each text; None for one that the encoder refuses (too long, mostly), which must not take the others with it."""
    if not texts:
        return []
    try:
        return list(await encoder.embed(texts))
    except Rejected:
        if len(texts) == 1:
            return [None]
    half = len(texts) // 2
    return [*await _vectors(encoder, texts[:half]), *await _vectors(encoder, texts[half:])]


def _signs(text: str) -> bytes:
    return blake2b("\n".join(numbers(text)).encode(), digest_size=8).digest()


def _cutter(pattern: str) -> Any:
    """The compiled pattern, None for none. Raises ValueError for what RE2 cannot run."""
    if not pattern:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"`without` is no regular expression that RE2 knows: {error}") from error


def _without(cutter: Any, text: str) -> str:
    return str(cutter.sub(" ", text.encode("utf-8", "replace").decode())) if cutter is not None else text
