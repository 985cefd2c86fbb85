"""Which records share a band: a hash table in flat numpy arrays, looked up and filled many keys at a time.

Some 30 bytes a band and record, where a dict of Python takes more than a hundred.
"""

from __future__ import annotations

from typing import Any

MOST = 256
"""Records of one key that a look-up follows at most, the latest first."""
_FULL = 0.6


class BandTable:
    """Band keys (64 bits, not 0) to the numbers of records."""

    def __init__(self, bands: int, size: int = 1 << 14) -> None:
        import numpy as np

        self._bands = bands
        self._keys = np.zeros(size, dtype=np.uint64)
        self._heads = np.zeros(size, dtype=np.uint32)
        """The latest record (its number + 1) with the key; 0 for an empty slot."""
        self._before = np.zeros((1024, bands), dtype=np.uint32)
        """Of each record and band the record before it with the same key (number + 1), and 0 for none."""
        self._used = 0

    def find(self, keys: Any) -> list[list[int]]:
        """For each row of keys (one a band) the numbers of the records that share one, those that share most first."""
        import numpy as np

        found: list[list[int]] = [[] for _ in range(len(keys))]
        slots, _ = self._slots(keys.reshape(-1))
        heads = self._heads[slots].astype(np.int64)
        where = np.flatnonzero(heads)
        rows, bands, heads = where // self._bands, where % self._bands, heads[where]
        pairs: list[Any] = []
        for _ in range(MOST):
            if not len(heads):
                break
            pairs.append((rows << 32) | (heads - 1))
            heads = self._before[heads - 1, bands].astype(np.int64)
            on = heads > 0
            rows, bands, heads = rows[on], bands[on], heads[on]
        if pairs:
            both, times = np.unique(np.concatenate(pairs), return_counts=True)
            order = np.lexsort((both & 0xFFFFFFFF, -times, both >> 32))
            for row, number in zip((both[order] >> 32).tolist(), (both[order] & 0xFFFFFFFF).tolist(), strict=True):
                found[row].append(number)
        return found

    def add(self, keys: Any, numbers: Any) -> None:
        """Put records in: a row of keys and a number each (of each record once)."""
        import numpy as np

        if not len(numbers):
            return
        self._grow(int(np.max(numbers)), keys.size)
        for row, number in zip(*self._layers(keys, numbers), strict=True):
            self._put(row, number)

    def _layers(self, keys: Any, numbers: Any) -> tuple[list[Any], list[Any]]:
        """Keys with their records, band and number in one, cut so that no key is twice in a layer."""
        import numpy as np

        flat = keys.reshape(-1)
        owner = np.repeat(np.asarray(numbers, dtype=np.int64), self._bands) * self._bands + np.tile(np.arange(self._bands), len(numbers))
        order = np.argsort(flat, kind="stable")
        begins = np.concatenate(([True], flat[order][1:] != flat[order][:-1]))
        rank = np.arange(len(flat)) - np.maximum.accumulate(np.where(begins, np.arange(len(flat)), 0))
        layers = [order[rank == depth] for depth in range(int(rank.max()) + 1)]
        return [flat[layer] for layer in layers], [owner[layer] for layer in layers]

    def _put(self, keys: Any, owner: Any) -> None:
        """Different keys, each to the head of its chain."""
        numbers, bands = owner // self._bands, owner % self._bands
        slots, there = self._slots(keys)
        self._before[numbers[there], bands[there]] = self._heads[slots[there]]
        self._heads[slots[there]] = numbers[there] + 1
        keys, slots, numbers = keys[~there], slots[~there], numbers[~there]
        mask = len(self._heads) - 1
        self._used += len(keys)
        while len(keys):
            free = self._heads[slots] == 0
            self._heads[slots[free]] = numbers[free] + 1
            self._keys[slots[free]] = keys[free]
            lost = ~(free & (self._keys[slots] == keys))
            keys, slots, numbers = keys[lost], (slots[lost] + 1) & mask, numbers[lost]

    def _slots(self, keys: Any) -> tuple[Any, Any]:
        """Where each key is, or the empty slot where the search for it ended; and whether it is there."""
        import numpy as np

        mask = len(self._heads) - 1
        slots = (keys & np.uint64(mask)).astype(np.int64)
        going = np.arange(len(keys))
        while len(going):
            here = slots[going]
            going = going[(self._heads[here] != 0) & (self._keys[here] != keys[going])]
            slots[going] = (slots[going] + 1) & mask
        return slots, self._heads[slots] != 0

    def _grow(self, number: int, more: int) -> None:
        import numpy as np

        if number >= len(self._before):
            longer = np.zeros((max(number + 1, 2 * len(self._before)), self._bands), dtype=np.uint32)
            longer[: len(self._before)] = self._before
            self._before = longer
        size = len(self._heads)
        while self._used + more > _FULL * size:
            size *= 2
        if size > len(self._heads):
            self._rehash(size)

    def _rehash(self, size: int) -> None:
        import numpy as np

        full = self._heads != 0
        keys, heads = self._keys[full], self._heads[full]
        self._keys, self._heads = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint32)
        slots = (keys & np.uint64(size - 1)).astype(np.int64)
        while len(keys):
            free = self._heads[slots] == 0
            self._heads[slots[free]], self._keys[slots[free]] = heads[free], keys[free]
            lost = ~(free & (self._keys[slots] == keys))
            keys, heads, slots = keys[lost], heads[lost], (slots[lost] + 1) & (size - 1)
