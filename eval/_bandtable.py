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

    def __init__(self, bands: int, size: int = 1 << 16) -> None:
        import numpy as np

        self._bands = bands
        self._keys = np.zeros(size, dtype=np.uint64)
        self._heads = np.zeros(size, dtype=np.uint32)
        """The latest record (its number + 1) with the key; 0 for an empty slot."""
        self._before = np.zeros((1024, bands), dtype=np.uint32)
        """Of each record and band the record before it with the same key (number + 1), and 0 for none."""
        self._used = 0

    def find(self, keys: Any) -> tuple[list[list[int]], Any]:
        """For each row of keys (one a band) the numbers of the records that share one, those that share most first.

        And where the search for each key ended: with it, `add` need not begin anew.
        """
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
        return found, slots.reshape(keys.shape)

    def add(self, keys: Any, numbers: Any, slots: Any = None) -> None:
        """Put records in: a row of keys and a number each (of each record once), and, if known, what `find` told of their slots."""
        import numpy as np

        if not len(numbers):
            return
        size = len(self._heads)
        self._grow(int(np.max(numbers)), keys.size)
        known = None if slots is None or len(self._heads) != size else slots.reshape(-1)[::-1]
        owner = np.repeat(np.asarray(numbers, dtype=np.int64) * self._bands, self._bands) + np.tile(np.arange(self._bands), len(numbers))
        flat, owner = keys.reshape(-1)[::-1], owner[::-1]  # of equal keys the last that is written stays: the first record comes first
        while len(flat):
            late = self._put(flat, owner, known)
            flat, owner, known = flat[late], owner[late], None

    def _put(self, keys: Any, owner: Any, slots: Any) -> Any:
        """Keys, each to the head of its chain; tells which of them still wait, as an equal key took the place in this turn."""
        import numpy as np

        marks, bands = owner // self._bands + 1, owner % self._bands
        slots, there = self._slots(keys, slots)
        self._before[marks[there] - 1, bands[there]] = self._heads[slots[there]]
        self._heads[slots[there]] = marks[there]
        new = going = np.flatnonzero(~there)
        while len(going):
            free = going[self._heads[slots[going]] == 0]
            self._heads[slots[free]] = marks[free]
            self._keys[slots[free]] = keys[free]
            going = going[self._keys[slots[going]] != keys[going]]
            slots[going] = (slots[going] + 1) & (len(self._heads) - 1)
        late = np.flatnonzero(self._heads[slots] != marks)
        self._used += len(new) - int(np.count_nonzero(~there[late]))
        return late

    def _slots(self, keys: Any, begin: Any = None) -> tuple[Any, Any]:
        """Where each key is, or the empty slot where the search for it ended; and whether it is there. `begin`: where an earlier one ended."""
        import numpy as np

        mask = len(self._heads) - 1
        slots = (keys & np.uint64(mask)).astype(np.int64) if begin is None else begin.copy()
        going = np.flatnonzero((self._heads[slots] != 0) & (self._keys[slots] != keys))
        while len(going):
            slots[going] = (slots[going] + 1) & mask
            here = slots[going]
            going = going[(self._heads[here] != 0) & (self._keys[here] != keys[going])]
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
