"""Which kept record a vector is near to: compared with all of them at first, by clusters (faiss) once there are many.

Beyond `flat` vectors k-means parts them (faiss IVF) and a search looks into the clusters nearest to it: SemDeDup's idea
(arXiv 2303.09540), but into several clusters, as twins lie across borders, and only at kept records, as a record whose only
twin was itself refused is no duplicate. Each vector takes 4 bytes a dimension in memory and 2 on the shelf.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ._shelf import Entry, Shelf
from ._twins import Twin

NEAREST = 32
"""Neighbours that are looked at: the first ones may be ruled out by their numbers."""
_SAMPLE = 64
"""Vectors a cluster that k-means learns from."""
_BLOCK = 8192

Near = list[tuple[float, int]]
"""Cosine and place, the nearest first."""


class Dot(NamedTuple):
    """A record that is to be judged."""

    record: str
    vector: Any
    """Of length one, rounded to 16 bits as it is kept."""
    numbers: bytes
    """Hash of the numbers in the text; a twin has the same (empty: whatever they are)."""


class VectorIndex:
    """Kept records, on a shelf, with their vectors in memory. Not for two threads at once."""

    def __init__(self, shelf: Shelf, similarity: float, *, flat: int, probes: int) -> None:
        self._shelf, self._similarity, self._flat, self._probes = shelf, similarity, flat, probes
        self._vectors: Flat | Clusters | None = None
        self._numbers: list[int] = []
        """Number on the shelf of each vector."""
        while entries := shelf.news():
            self._add(entries)

    def judged(self, dots: Sequence[Dot]) -> list[Twin | None]:
        """Of each record the nearest kept one, if it is near enough; else None, and the record is kept."""
        import numpy as np

        with self._shelf.batch() as news:
            self._add(news)
            if not dots:
                return []
            rows = np.stack([dot.vector for dot in dots])
            found = self._vectors.near(rows, self._similarity) if self._vectors is not None else [[] for _ in dots]
            here = _pairs(rows, self._similarity)
            twins: list[Twin | None] = []
            kept: list[int] = []
            for at, dot in enumerate(dots):
                twin = None
                if not self._shelf.again(dot.record):
                    mine = [(cosine, dots[other]) for cosine, other in here.get(at, ()) if twins[other] is None]
                    twin = self._nearest(dot, mine, found[at])
                    if twin is None:
                        kept.append(at)
                twins.append(twin)
            self._keep([dots[at] for at in kept])
        return twins

    def _nearest(self, dot: Dot, here: Iterable[tuple[float, Dot]], before: Near) -> Twin | None:
        """The nearest one with the same numbers, of this batch and of what is on the shelf."""
        best = max(
            (Twin(other.record, min(1.0, cosine)) for cosine, other in here if other.numbers == dot.numbers),
            key=lambda twin: twin.similarity or 0.0,
            default=None,
        )
        for cosine, place in before:
            if best is not None and cosine <= (best.similarity or 0.0):
                break
            entry = self._shelf.at(self._numbers[place])
            if entry.keys == dot.numbers:
                return Twin(entry.record, min(1.0, cosine))
        return best

    def _keep(self, dots: Sequence[Dot]) -> None:
        import numpy as np

        if dots:
            put = self._shelf.put([(dot.record, dot.numbers, dot.vector.astype(np.float16).tobytes()) for dot in dots])
            self._grow(np.stack([dot.vector for dot in dots]), put)

    def _add(self, entries: Sequence[Entry]) -> None:
        import numpy as np

        if entries:
            rows = np.frombuffer(b"".join(entry.body for entry in entries), dtype=np.float16).reshape(len(entries), -1)
            self._grow(rows.astype(np.float32), [entry.number for entry in entries])

    def _grow(self, rows: Any, numbers: Sequence[int]) -> None:
        if self._vectors is None:
            self._vectors = Flat(rows.shape[1])
        self._vectors.add(rows)
        self._numbers.extend(numbers)
        if len(self._numbers) > max(self._flat, self._vectors.outgrown):
            self._vectors = Clusters(self._vectors.rows(), self._probes)


class Flat:
    """All vectors in one matrix; exact."""

    outgrown = 0
    """Beyond so many vectors clusters are made (anew); what the filter sets counts, if it is more."""

    def __init__(self, width: int) -> None:
        import numpy as np

        self._matrix = np.empty((1024, width), dtype=np.float32)
        self._count = 0

    def near(self, rows: Any, similarity: float) -> list[Near]:
        import numpy as np

        found: list[Near] = [[] for _ in rows]
        for begin in range(0, self._count, _BLOCK):
            cosines = rows @ self._matrix[begin : min(begin + _BLOCK, self._count)].T
            for at in np.flatnonzero((cosines >= similarity).any(axis=1)).tolist():
                places = np.flatnonzero(cosines[at] >= similarity)
                if len(places) > NEAREST:  # templated texts: thousands that are all alike
                    places = places[np.argsort(-cosines[at, places], kind="stable")[:NEAREST]]
                found[at] += zip(cosines[at, places].tolist(), (places + begin).tolist(), strict=True)
        return [sorted(near, key=lambda pair: (-pair[0], pair[1]))[:NEAREST] for near in found]

    def add(self, rows: Any) -> None:
        import numpy as np

        if self._count + len(rows) > len(self._matrix):
            longer = np.empty((max(self._count + len(rows), 2 * len(self._matrix)), rows.shape[1]), dtype=np.float32)
            longer[: self._count] = self.rows()
            self._matrix = longer
        self._matrix[self._count : self._count + len(rows)] = rows
        self._count += len(rows)

    def rows(self) -> Any:
        return self._matrix[: self._count]


class Clusters:
    """Vectors parted by k-means, with four times as many clusters as the root of their number; made anew when there are four
    times as many vectors."""

    def __init__(self, rows: Any, probes: int) -> None:
        import faiss

        self.outgrown = 4 * len(rows)
        cells = max(1, min(int(4 * len(rows) ** 0.5), len(rows) // _SAMPLE))
        self._centres = faiss.IndexFlatIP(rows.shape[1])
        self._index = faiss.IndexIVFFlat(self._centres, rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        self._index.cp.seed, self._index.cp.niter, self._index.cp.max_points_per_centroid = 1, 8, _SAMPLE
        self._index.train(rows)
        self._index.add(rows)
        self._index.nprobe = min(probes, cells)

    def near(self, rows: Any, similarity: float) -> list[Near]:
        cosines, places = self._index.search(rows, NEAREST)
        return [
            [(cosine, place) for cosine, place in zip(near, where, strict=True) if place >= 0 and cosine >= similarity]
            for near, where in zip(cosines.tolist(), places.tolist(), strict=True)
        ]

    def add(self, rows: Any) -> None:
        self._index.add(rows)

    def rows(self) -> Any:
        self._index.make_direct_map()
        return self._index.reconstruct_n(0, self._index.ntotal)


def _pairs(rows: Any, similarity: float) -> dict[int, Near]:
    """Of each row the earlier ones of the same batch that are near enough."""
    import numpy as np

    cosines = rows @ rows.T
    found: dict[int, Near] = {}
    for at, other in np.argwhere(np.tril(cosines, -1) >= similarity).tolist():
        found.setdefault(at, []).append((float(cosines[at, other]), other))
    return found
