"""LSHBloom (arXiv 2411.04257): a Bloom filter a band in place of an index, for sets beyond memory.

A text is a duplicate if any of its bands was seen before. It says yes or no, not whose twin, and nothing is verified; memory is
fixed by the capacity. The key of a band is a hash of the tuple of its rows (a sum of them forgets their order).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ._twins import Item, Twin


class Bloom:
    """One filter for all bands (their keys differ by band): the bits and the error are those of one a band."""

    def __init__(self, capacity: int, bands: int, error: float) -> None:
        self.capacity = capacity
        self._bands = bands
        self._count = 0
        """Records in the filter that is being filled."""
        self._size = max(64, math.ceil(capacity * bands * -math.log(error) / math.log(2) ** 2))
        """Bits."""
        self._hashes = max(1, round(self._size / (capacity * bands) * math.log(2)))
        self._filters = [self._empty()]

    @property
    def bits_a_record(self) -> float:
        return self._size / self.capacity

    def judged(self, items: Sequence[Item]) -> list[Twin | None]:
        """Of each item a twin without a name, if one of its bands was seen; else None, and its bands are remembered."""
        import numpy as np

        if not items:
            return []
        keys = np.stack([item.sketch.bands for item in items])
        places = self._places(keys)
        seen: Any = np.zeros(keys.shape, dtype=bool)
        for bits in self._filters:
            seen |= (bits[places >> 3] >> (places & 7).astype(np.uint8) & 1).all(axis=2)
        before, here = seen.any(axis=1).tolist(), set[int]()
        twins: list[Twin | None] = []
        kept: list[int] = []
        for at, row in enumerate(keys.tolist()):
            if before[at] or not here.isdisjoint(row):
                twins.append(Twin("", None))
            else:
                twins.append(None)
                kept.append(at)
                here.update(row)
        self._add(places[kept])
        return twins

    def _add(self, places: Any) -> None:
        """Beyond the capacity another filter of the same size is begun, and the error of each adds up."""
        import numpy as np

        while len(places):
            if self._count >= self.capacity:
                self._filters.append(self._empty())
                self._count = 0
            part, places = np.split(places, [self.capacity - self._count])
            np.bitwise_or.at(self._filters[-1], (part >> 3).reshape(-1), np.left_shift(1, (part & 7).reshape(-1)).astype(np.uint8))
            self._count += len(part)

    def _places(self, keys: Any) -> Any:
        """Bits of each key: items x bands x hashes, by two hashes (Kirsch and Mitzenmacher)."""
        import numpy as np

        step = (keys * np.uint64(0x94D049BB133111EB)) >> np.uint64(16) | np.uint64(1)
        turns = np.arange(self._hashes, dtype=np.uint64)
        return ((keys[:, :, None] >> np.uint64(1)) + turns * (step[:, :, None] >> np.uint64(8))) % np.uint64(self._size)

    def _empty(self) -> Any:
        import numpy as np

        return np.zeros(self._size // 8 + 1, dtype=np.uint8)
