"""Which kept record a text is nearly the same as: candidates by MinHash bands, decided by the true Jaccard similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._bandtable import BandTable
from ._shelf import Entry, Shelf
from ._shingles import Scheme, Sketch, jaccard

MOST = 64
"""Candidates that a text is compared with at most, those that share most bands first."""


_PLACES = 1 << 17


class Twin(NamedTuple):
    """The kept record that another one is like."""

    record: str
    """Its id; `""` where it is not known which (a Bloom filter does not tell)."""
    similarity: float | None


class Item(NamedTuple):
    """A record that is to be judged."""

    record: str
    sketch: Sketch
    numbers: bytes
    """Hash of the numbers in the text; a twin has the same (empty: whatever they are)."""


class TwinIndex:
    """Kept records, on a shelf, with a table of their bands in memory. Not for two threads at once."""

    def __init__(self, shelf: Shelf, scheme: Scheme, similarity: float) -> None:
        self._shelf, self._scheme, self._similarity = shelf, scheme, similarity
        self._table = BandTable(scheme.bands)
        while entries := shelf.news():
            self._add(entries)

    def judged(self, items: Sequence[Item]) -> list[Twin | None]:
        """Of each item the most similar kept record, if it is similar enough; else None, and the item is kept."""
        with self._shelf.batch() as news:
            self._add(news)
            keys = _keys(items, self._scheme)
            found, slots = self._table.find(keys)
            here = _Here(items, keys)
            twins: list[Twin | None] = [None] * len(items)
            kept: list[int] = []
            for at, item in enumerate(items):
                if self._shelf.again(item.record):
                    continue
                near = here.near(at)
                if near or found[at]:
                    twins[at] = self._nearest(item, found[at], near)
                if twins[at] is None:
                    kept.append(at)
                    here.keep(at)
            self._keep([items[at] for at in kept], keys[kept], slots[kept])
        return twins

    def _nearest(self, item: Item, numbers: Sequence[int], here: Sequence[Item]) -> Twin | None:
        mine = item.sketch.grams()
        best: Twin | None = None
        for record, body in [*((other.record, _body(other)) for other in here), *self._bodies(numbers[:MOST])]:
            signs, theirs = _unpacked(body)
            if signs != item.numbers:
                continue
            similarity = jaccard(mine, theirs)
            if similarity >= self._similarity and (best is None or similarity > (best.similarity or 0)):
                best = Twin(record, similarity)
            if similarity == 1:
                break
        return best

    def _bodies(self, numbers: Sequence[int]) -> Any:
        for number in numbers:
            yield self._shelf.body(number)

    def _keep(self, items: Sequence[Item], keys: Any, slots: Any) -> None:
        if items:
            rows = [row.tobytes() for row in keys] if self._shelf.name else [b""] * len(items)  # nobody else will read them
            bodies = [_body(item) for item in items]
            self._table.add(keys, self._shelf.put(zip([item.record for item in items], rows, bodies, strict=True)), slots)

    def _add(self, entries: Sequence[Entry]) -> None:
        import numpy as np

        if entries:
            keys = np.frombuffer(b"".join(entry.keys for entry in entries), dtype=np.uint64).reshape(-1, self._scheme.bands)
            self._table.add(keys, [entry.number for entry in entries])


class _Here:
    """Those of one batch that were kept before, by the bands that occur in it more than once."""

    def __init__(self, items: Sequence[Item], keys: Any) -> None:
        import numpy as np

        self._items = items
        self._keys: list[list[int]] = [[] for _ in items]
        self._kept: dict[int, list[int]] = {}
        places = (keys & np.uint64(_PLACES - 1)).astype(np.int64)
        shared = (np.bincount(places.reshape(-1), minlength=_PLACES) > 1)[places]  # with some that only share a place
        for at, band in np.argwhere(shared).tolist():
            self._keys[at].append(int(keys[at, band]))

    def near(self, at: int) -> list[Item]:
        if not self._keys[at]:
            return []
        return [self._items[other] for other in sorted({other for key in self._keys[at] for other in self._kept.get(key, ())})]

    def keep(self, at: int) -> None:
        for key in self._keys[at]:
            self._kept.setdefault(key, []).append(at)


def _keys(items: Sequence[Item], scheme: Scheme) -> Any:
    import numpy as np

    return np.frombuffer(b"".join([item.sketch.bands for item in items]), dtype=np.uint64).reshape(-1, scheme.bands)


def _body(item: Item) -> bytes:
    shingles: bytes = item.sketch.shingles.tobytes()
    return b"%c%b%b" % (len(item.numbers), item.numbers, shingles)


def _unpacked(body: bytes) -> tuple[bytes, frozenset[int]]:
    import numpy as np

    cut = 1 + body[0]
    return body[1:cut], frozenset(np.frombuffer(body, dtype=np.uint32, offset=cut).tolist())
