"""Combinatorial coverage: which combinations of values a set really has (NISTIR 7878; dataset difference after Lanus et al. 2021).

Measured on what the records were classified as, not on what was asked of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

Axes = Mapping[str, Sequence[str]]
"""The values that each axis (a label) may have."""
Combination = tuple[tuple[str, str], ...]
"""(axis, value) pairs, the axes in their order."""


class Coverage(NamedTuple):
    """Of t-way combinations that are possible."""

    possible: int
    covered: int
    missing: list[Combination]
    unknown: int
    """Records with a value that no axis has, or with none."""

    @property
    def share(self) -> float:
        return self.covered / self.possible if self.possible else 1.0


def coverage(records: Iterable[Mapping[str, object]], axes: Axes, t: int = 2, forbidden: Sequence[Mapping[str, str]] = ()) -> Coverage:
    """Which t-way combinations the records' labels have. `forbidden`: combinations that cannot be (poem x SQL); they, and
    whatever they make impossible at this t, are not counted.

    Raises ValueError for a t that the axes do not allow.
    """
    if not 1 <= t <= len(axes):
        raise ValueError(f"t must be between 1 and the number of axes ({len(axes)}), not {t}")
    possible = {combination for combination in _all(axes, t) if not _forbidden(dict(combination), forbidden)}
    seen: set[Combination] = set()
    unknown = 0
    for labels in records:
        known = [(axis, str(labels[axis])) for axis, values in axes.items() if labels.get(axis) is not None and str(labels[axis]) in values]
        unknown += len(known) < len(axes)
        seen.update(combinations(known, t))
    missing = [combination for combination in _all(axes, t) if combination in possible and combination not in seen]
    return Coverage(len(possible), len(possible) - len(missing), missing, unknown)


def gaps(found: Coverage, axes: Axes, forbidden: Sequence[Mapping[str, str]] = (), most: int = 1000) -> list[dict[str, str]]:
    """Whole assignments of the axes that fill the gaps, each as many as it can (greedy, as covering arrays are built): the
    next seeds. Deterministic."""
    left = dict.fromkeys(found.missing)
    rows: list[dict[str, str]] = []
    while left and len(rows) < most:
        first = next(iter(left))
        row = dict(first)
        for axis in axes:
            if axis not in row:
                gains = {value: _gain({**row, axis: value}, left, forbidden) for value in axes[axis]}
                row[axis] = max(gains, key=lambda value: gains[value])
        if _forbidden(row, forbidden):
            del left[first]  # no whole assignment was found that holds it without a forbidden combination
            continue
        for combination in [combination for combination in left if all(row[axis] == value for axis, value in combination)]:
            del left[combination]
        rows.append({axis: row[axis] for axis in axes})
    return rows


def _all(axes: Axes, t: int) -> Iterator[Combination]:
    for names in combinations(axes, t):
        for values in product(*(axes[name] for name in names)):
            yield tuple(zip(names, values, strict=True))


def _forbidden(row: Mapping[str, str], forbidden: Sequence[Mapping[str, str]]) -> bool:
    return any(all(row.get(axis) == value for axis, value in one.items()) for one in forbidden)


def _gain(row: Mapping[str, str], left: Mapping[Combination, None], forbidden: Sequence[Mapping[str, str]]) -> int:
    """How many missing combinations a partial row already holds; -1 where it cannot be."""
    if _forbidden(row, forbidden):
        return -1
    return sum(all(row.get(axis) == value for axis, value in combination) for combination in left)
