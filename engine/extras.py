"""Measures of the finished set beyond counts and lengths, taken while it is written: a sample of texts, counts of labels."""

from __future__ import annotations

import asyncio
import heapq
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..eval.measures import combinations, dimensions
from ..eval.measures.diversity import distinct, openings, overlap
from ..eval.measures.shares import shares
from ..formats.dataset import Body, kind, plain, turns
from ..formats.sections import Section

if TYPE_CHECKING:
    from ..eval.measures.spread import Vectors

TEXT_CHARS = 20_000
"""Of one text, for diversity."""
SHOWN = 20
"""Rows of a table at most."""
NEAR = 0.95


class Extras:
    """Sees every record of the data set once; memory is bounded by the sample and by the values of the labels asked for.

    `wanted` is the recipe's `measures:` block as JSON values ({}: defaults), `verdicts` counts of verdicts by (filter, outcome).
    """

    def __init__(self, wanted: Mapping[str, Any], seed: int) -> None:
        self.wanted = wanted
        self.seed = seed
        self.size = int(wanted.get("sample", 2000))
        self.part = wanted.get("part", "response")
        self.axes: Mapping[str, Sequence[str]] = (wanted.get("combinations") or {}).get("axes", {})
        self._heap: list[tuple[int, str, str]] = []
        self._labels: dict[str, Counter[Any]] = {name: Counter() for name in wanted.get("shares", {})}
        self._rows: Counter[tuple[Any, ...]] = Counter()

    def add(self, id_: str, body: Body) -> None:
        """One record of the data set."""
        labels = {**body.get("fields", {}), **body.get("labels", {})}
        for name, counts in self._labels.items():
            counts[_plain(labels.get(name))] += 1
        if self.axes:
            self._rows[tuple(_plain(labels.get(axis)) for axis in self.axes)] += 1
        key = -zlib.crc32(id_.encode(), self.seed & 0xFFFFFFFF)
        if len(self._heap) < self.size or key > self._heap[0][0]:
            entry = (key, id_, self._text(body)[:TEXT_CHARS])
            (heapq.heappush if len(self._heap) < self.size else heapq.heappushpop)(self._heap, entry)

    def _text(self, body: Body) -> str:
        content = body.get("content", {})
        if kind(content) == "text":
            return str(content["text"])
        messages = turns(content)
        role = "user" if self.part == "prompt" else "assistant"
        return next((plain(message.get("content", "")) for message in reversed(messages) if message.get("role") == role), "")

    def texts(self) -> list[str]:
        """The sample, in an order that no order of arrival changes."""
        return [text for _, _, text in sorted(self._heap, key=lambda entry: entry[1])]

    def sections(self, verdicts: Mapping[tuple[str, str], int], base: Path = Path()) -> Iterator[Section]:
        """Everything that was asked for, as tables."""
        yield six_dimensions(verdicts)
        texts = self.texts()
        vectors = embedded(texts) if self.wanted.get("embed") and len(texts) > 1 else None
        yield diversity(texts, self.part, vectors)
        for name, counts in self._labels.items():
            yield composition(name, counts, self.wanted["shares"][name])
        if self.axes:
            yield self._combinations()
        if anchor := self.wanted.get("anchor"):
            from .anchoring import activated

            yield activated(texts, anchor, base, vectors, self.seed)

    def missing(self) -> list[dict[str, Any]]:
        """Seeds for the combinations that no record has."""
        if not self.axes:
            return []
        told = self.wanted["combinations"]
        prompt = told.get("seed_prompt", "Write about: {combination}.")
        rows = combinations.gaps(self._coverage(), self.axes, told.get("forbidden", ()))
        return [
            {"prompt": prompt.replace("{combination}", ", ".join(f"{axis}: {value}" for axis, value in row.items())), **row} for row in rows
        ]

    def _coverage(self) -> combinations.Coverage:
        told = self.wanted["combinations"]
        rows = (dict(zip(self.axes, row, strict=True)) for row in self._rows.elements())
        return combinations.coverage(rows, self.axes, told.get("t", 2), told.get("forbidden", ()))

    def _combinations(self) -> Section:
        found = self._coverage()
        t = self.wanted["combinations"].get("t", 2)
        listed = [(", ".join(f"{axis}: {value}" for axis, value in combination),) for combination in found.missing[:SHOWN]]
        more = len(found.missing) - len(listed)
        lead = f"{found.covered:,} of the {found.possible:,} possible {t}-way combinations of {', '.join(self.axes)} are there"
        lead += f"; {found.unknown:,} records have a value that no axis knows, or none" if found.unknown else ""
        lead += f". The missing ones{f' (and {more:,} more)' if more > 0 else ''} are seeds in missing.jsonl." if listed else "."
        return Section("Combinations", lead, ("Missing",), list(listed), {f"coverage_{t}way": found.share})


def six_dimensions(verdicts: Mapping[tuple[str, str], int]) -> Section:
    found = dimensions.dimensions(verdicts)
    rows: list[tuple[str | int | float | None, ...]] = [
        (one.name, ", ".join(one.filters) or "not measured", one.judged or None, one.share) for one in found
    ]
    return Section(
        "Six dimensions",
        "What the filters of this run say of each dimension of quality: verdicts on all candidates, abstentions left out. A dimension that no filter speaks of is not measured.",
        ("Dimension", "Filters", "Verdicts", "Without objection"),
        rows,
        {one.name: one.share for one in found if one.share is not None},
    )


def diversity(texts: Sequence[str], part: str, vectors: Vectors | None) -> Section:
    rows: list[tuple[str | int | float | None, ...]] = []
    numbers: dict[str, float] = {}
    for name, value, meaning in (
        ("distinct_1", distinct(texts, 1), "different words / all words"),
        ("distinct_2", distinct(texts, 2), "different word pairs / all word pairs"),
        ("overlap_4", overlap(texts), "mean share of a text's 4-grams that another text has too"),
        *_spread(vectors),
    ):
        if value is not None:
            numbers[name] = value
            rows.append((name, value, meaning))
    rows += [(f"opening: {words}", count, "texts that begin so") for words, count in openings(texts) if count > 1]
    lead = f"Of a seeded sample of {len(texts):,} texts ({part}s). Compare sets by samples of the same size only."
    return Section("Diversity", lead, ("Measure", "Value", "Meaning"), rows, numbers)


def _spread(vectors: Vectors | None) -> Iterator[tuple[str, float, str]]:
    if vectors is None:
        return
    from ..eval.measures.spread import spread

    if (found := spread(vectors, NEAR)) is not None:
        yield "spread", found.mean_distance, "mean cosine distance of two texts, by the static encoder"
        yield "effective_texts", found.effective, "texts that would spread as far if each were unlike all others (Vendi score)"
        yield "near_duplicate_share", found.near_duplicates, f"texts with another one at a cosine of {NEAR} or above"


def composition(name: str, counts: Mapping[Any, int], wanted: Mapping[str, float]) -> Section:
    found = shares(Counter(counts).elements(), wanted)
    numbers = {} if found.distance is None else {f"mix_distance_{name}": found.distance}
    lead = f"Shares of {name!r}, wanted and got; mix_distance is the part of the set that would have to change."
    lead += f" The long tail: {', '.join(found.tail[:SHOWN])}." if found.tail else ""
    return Section(f"Composition by {name}", lead, ("Value", "Records", "Share", "Wanted"), list(found.rows[:SHOWN]), numbers)


def embedded(texts: Sequence[str]) -> Vectors:
    """Vectors of the static encoder that ships."""
    import numpy as np

    from ..backends.static import Static

    async def work() -> Vectors:
        async with Static().open() as encoder:
            return np.asarray(await encoder.embed(texts))

    return asyncio.run(work())


def _plain(value: Any) -> Any:
    """A label that can be counted."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
