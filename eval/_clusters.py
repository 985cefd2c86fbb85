"""Groups of texts that are nearly the same: all pairs that share a band, verified, and joined by union-find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._shingles import Sketch, jaccard

MOST = 200
"""Texts of one bucket that another one is compared with at most; of those that are joined already none."""


class Unions:
    """Who belongs together, by the least position of the group."""

    def __init__(self, size: int) -> None:
        self._up = list(range(size))

    def root(self, at: int) -> int:
        while self._up[at] != at:
            self._up[at] = self._up[self._up[at]]
            at = self._up[at]
        return at

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._up[high] = low

    def groups(self) -> list[list[int]]:
        """Positions of each group of two or more, in order."""
        found: dict[int, list[int]] = {}
        for at in range(len(self._up)):
            found.setdefault(self.root(at), []).append(at)
        return [group for group in found.values() if len(group) > 1]


def clusters(read: Sequence[Sketch], similarity: float, signs: Sequence[object] | None = None) -> list[list[int]]:
    """Groups of positions; texts whose `signs` differ are not alike, whatever they share. Empty texts are in none."""
    import numpy as np

    some = [at for at, sketch in enumerate(read) if len(sketch.shingles)]
    unions = Unions(len(read))
    if not some:
        return []

    def alike(one: int, other: int) -> bool:
        if signs is not None and signs[one] != signs[other]:
            return False
        return jaccard(read[one].grams(), read[other].grams()) >= similarity

    keys = np.stack([read[at].bands for at in some])
    for band in range(keys.shape[1]):
        for bucket in _buckets(keys[:, band]):
            _joined([some[at] for at in bucket], unions, alike)
    return unions.groups()


def _buckets(keys: Any) -> list[list[int]]:
    """Positions that share a key, for each key that more than one has."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    column = keys[order]
    cuts = np.flatnonzero(column[1:] != column[:-1]) + 1
    return [part.tolist() for part in np.split(order, cuts) if len(part) > 1]


def _joined(bucket: Sequence[int], unions: Unions, alike: Callable[[int, int], bool]) -> None:
    """Join those of a bucket that are alike."""
    for number, at in enumerate(bucket):
        for other in bucket[max(0, number - MOST) : number]:
            if unions.root(at) != unions.root(other) and alike(at, other):
                unions.join(at, other)
