"""Refuse records that overlap benchmarks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from ..core.backend import Capability
from ..core.beside import base_of
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._benchmarks import CHUNK, Benchmark, Hit, Index
from ._near import Found, Near
from ._ngrams import tokens
from ._parts import PartName, shown
from ._turns import turns_of

SHARE_N = 8
"""Words of the n-grams that `share` counts by."""
PIECE = 200_000
"""Characters of a text that are looked at together; longer texts are cut into pieces that overlap."""
OVERLAP = 2000
SHOWN_HITS = 12
"""Items that a verdict lists at most."""
_GRAM = re.compile(r"([1-9]\d?)gram")


class _Text(NamedTuple):
    record: int
    part: PartName
    text: str


class Contamination(Filter):
    """Refuse records that share text with an item of a benchmark: its question, its answer or its worked solution.

    Rules, each for itself enough: `13gram` (any number: so many words in a row in common), `share` (8-grams that cover more
    than `share` of the item's text), `exact` (a text, or a line of it, is the item's text: the way to find items
    shorter than n words), `embedding` (the nearest questions by meaning, confirmed by `judge` where one is named). All turns are
    looked at. Case, punctuation and width make no difference; in scripts without spaces each character is a word. Score: the
    largest share of an item's words that the record holds in common n-grams.
    """

    batch: ClassVar[int] = 64
    prompts: ClassVar[tuple[str, ...]] = ("contamination.same",)

    against: tuple[Benchmark, ...] = Field(min_length=1)
    """Benchmarks: each a `name` and a `path` (JSON lines, Parquet, CSV, a folder, a hub name; relative to the recipe's folder) with
    `fields`, `split` and `limit` as of seeds, or `inline` rows."""
    rules: tuple[str, ...] = ("10gram", "exact")
    """What counts as overlap: `8gram`, `10gram`, `13gram` or any other length, `share`, `exact`, `embedding`."""
    parts: tuple[PartName, ...] = ("prompt", "reasoning", "answer")
    """Where overlap is looked for."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of `share`: how much of an item's text its 8-grams in one text of the record must exceed."""
    min_words: int = Field(default=4, ge=1)
    """Of `exact`: shorter questions are not looked for (answers and solutions count from eight words)."""
    common: int = Field(default=10, ge=1)
    """An n-gram that stands in more items than this is boilerplate and does not count."""
    mask_numbers: bool = False
    """Whether any number equals any other (finds items whose numbers were swapped)."""
    encoder: str = "encoder"
    """Of `embedding`: the model that embeds."""
    similarity: float = Field(default=0.9, gt=0, le=1)
    """Of `embedding`: cosine similarity from which an item counts, or is shown to the judge."""
    judge: str = ""
    """Of `embedding`: a model that is asked, in both orders, whether two questions are the same; both answers must be yes."""
    nearest: int = Field(default=3, ge=1, le=20)
    """Of `embedding` with a judge: how many of the nearest items it is shown."""
    _base: Path = PrivateAttr(default=Path())

    @field_validator("rules")
    @classmethod
    def _known(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            if rule not in ("share", "exact", "embedding") and not _GRAM.fullmatch(rule):
                raise ValueError(f"unknown rule {rule!r}: there are share, exact, embedding and 8gram, 13gram ... (up to 99gram)")
        if not rules:
            raise ValueError("no rule, no overlap: name at least one")
        return rules

    @model_validator(mode="after")
    def _placed(self, info: ValidationInfo) -> Contamination:
        self._base = base_of(info)
        for benchmark in self.against:
            benchmark.check(self._base)
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        wanted: dict[str, frozenset[Capability]] = {}
        if "embedding" in self.rules:
            wanted[self.encoder] = frozenset({"embed"})
            if self.judge:
                wanted[self.judge] = wanted.get(self.judge, frozenset()) | {"chat"}
        return wanted

    def reads(self) -> Mapping[str, str]:
        return {f"against.{benchmark.name}": benchmark.fingerprint(self._base) for benchmark in self.against}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        index = await asyncio.to_thread(self._index)
        near = await Near.of(index.questions, tools, self) if "embedding" in self.rules else None

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            texts = [_Text(number, part, text) for number, record in enumerate(records) for part, text in turns_of(record, self.parts)]
            found = await self._overlaps(texts, index, len(records))
            if near is not None:
                await near.look(records, found)
            return [self._verdict(ones, index) for ones in found]

        yield judge

    def _index(self) -> Index:
        lengths = [int(gram[1]) for rule in self.rules if (gram := _GRAM.fullmatch(rule))] + [SHARE_N] * ("share" in self.rules)
        index = Index(lengths, exact="exact" in self.rules, min_words=self.min_words, common=self.common, mask_numbers=self.mask_numbers)
        for benchmark in self.against:
            waiting = []
            for item in benchmark.items(self._base):
                waiting.append(item)
                if len(waiting) == CHUNK:
                    index.add(benchmark.name, waiting)
                    waiting = []
            index.add(benchmark.name, waiting)
        index.close()
        return index

    async def _overlaps(self, texts: list[_Text], index: Index, count: int) -> list[list[Found]]:
        """Per record, what its texts share with items; the work goes on in a thread, in portions."""
        found: list[list[Found]] = [[] for _ in range(count)]
        for portion in _portions(texts):
            for text, ones in zip(portion, await asyncio.to_thread(self._look, portion, index), strict=True):
                found[text.record] += ones
        return found

    def _look(self, texts: list[_Text], index: Index) -> list[list[Found]]:
        read = tokens([text.text for text in texts], mask_numbers=self.mask_numbers)
        return [
            [
                Found(hit.share, rule, hit.place, text.part, shown(read.joined[hit.begin : hit.end], 160))
                for hit in hits
                for rule in self._rules(hit)
            ]
            for text, hits in zip(texts, index.hits(read, len(texts)), strict=True)
        ]

    def _rules(self, hit: Hit) -> list[str]:
        """The rules by which a hit counts; `""` where it counts by none and is only a score."""
        if hit.n == 0:
            return ["exact"]
        by = [f"{hit.n}gram"] if f"{hit.n}gram" in self.rules else []
        if "share" in self.rules and hit.n == SHARE_N and hit.share > self.share:
            by.append("share")
        return by or [""]

    def _verdict(self, found: list[Found], index: Index) -> Verdict:
        score = max((one.share for one in found), default=0.0)
        counts = sorted((one for one in found if one.rule), key=lambda one: (-one.share, one.place))
        if not counts:
            return Verdict(by=self.part_name(), outcome="keep", score=score)
        first = counts[0]
        name, item = index.places[first.place]
        hits = list(dict.fromkeys(tuple(index.places[one.place]) for one in counts))
        evidence: dict[str, Any] = {
            "benchmark": name,
            "item": item,
            "rule": first.rule,
            "part": first.part,
            "share": round(first.share, 3),
            "overlap": first.overlap,
            "hits": [list(hit) for hit in hits[:SHOWN_HITS]],
        }
        reason = f"contaminated: {first.rule} in the {first.part} with {name} item {item}: {first.overlap}"
        return Verdict(by=self.part_name(), outcome="refuse", score=score, reason=reason, evidence=evidence)


def tally(verdicts: Iterable[Verdict]) -> dict[str, dict[int, int]]:
    """The hit list of each benchmark: item -> how many records overlap it, by what verdicts of this filter say."""
    hits: dict[str, dict[int, int]] = {}
    for verdict in verdicts:
        for name, item in verdict.evidence.get("hits", ()):
            items = hits.setdefault(str(name), {})
            items[int(item)] = items.get(int(item), 0) + 1
    return {name: dict(sorted(items.items())) for name, items in sorted(hits.items())}


def _portions(texts: Iterable[_Text]) -> Iterable[list[_Text]]:
    """The texts in portions of about PIECE characters; longer ones cut into pieces that overlap."""
    portion, size = list[_Text](), 0
    for text in texts:
        for start in range(0, max(1, len(text.text) - OVERLAP), PIECE - OVERLAP):
            piece = text._replace(text=text.text[start : start + PIECE])
            if portion and size + len(piece.text) > PIECE:
                yield portion
                portion, size = [], 0
            portion.append(piece)
            size += len(piece.text)
    if portion:
        yield portion
