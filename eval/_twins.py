"""Which kept record a text is nearly the same as: candidates by MinHash bands, decided by the true Jaccard similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._bandtable import BandTable
from ._shelf import Entry, Shelf
from ._shingles import Scheme, Sketch, jaccard, least_common

MOST = 64
"""Candidates that a text is compared with at most, those that share most bands first."""


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
            found = self._table.find(keys)
            here = _Here(items, keys)
            twins: list[Twin | None] = []
            kept: list[int] = []
            for at, item in enumerate(items):
                twin = None
                if not self._shelf.again(item.record):
                    near = here.near(at)
                    twin = self._nearest(item, found[at], near) if near or found[at] else None
                    if twin is None:
                        kept.append(at)
                        here.keep(at)
                twins.append(twin)
            self._keep([items[at] for at in kept])
        return twins

    def _nearest(self, item: Item, numbers: Sequence[int], here: Sequence[Item]) -> Twin | None:
        least, most = least_common(len(item.sketch.shingles), self._similarity)
        best: Twin | None = None
        for record, body in [*((other.record, _body(other)) for other in here), *self._bodies(numbers[:MOST])]:
            signs, shingles = _unpacked(body)
            if signs != item.numbers or not least <= len(shingles) <= most:
                continue
            similarity = jaccard(item.sketch.shingles, shingles)
            if similarity >= self._similarity and (best is None or similarity > (best.similarity or 0)):
                best = Twin(record, similarity)
            if similarity == 1:
                break
        return best

    def _bodies(self, numbers: Sequence[int]) -> Any:
        for number in numbers:
            entry = self._shelf.at(number)
            yield entry.record, entry.body

    def _keep(self, items: Sequence[Item]) -> None:
        if items:
            put = self._shelf.put([(item.record, item.sketch.bands.tobytes(), _body(item)) for item in items])
            self._table.add(_keys(items, self._scheme), put)

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
        flat = keys.reshape(-1)
        order = np.argsort(flat, kind="stable")
        again = flat[order][1:] == flat[order][:-1]
        shared = np.zeros(len(flat), dtype=bool)
        shared[order[1:]] |= again
        shared[order[:-1]] |= again
        for at, band in np.argwhere(shared.reshape(keys.shape)).tolist():
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

    return np.stack([item.sketch.bands for item in items]) if items else np.empty((0, scheme.bands), dtype=np.uint64)


def _body(item: Item) -> bytes:
    return bytes([len(item.numbers)]) + item.numbers + bytes(item.sketch.shingles.tobytes())


def _unpacked(body: bytes) -> tuple[bytes, Any]:
    import numpy as np

    cut = 1 + body[0]
    return body[1:cut], np.frombuffer(body, dtype=np.uint32, offset=cut)
