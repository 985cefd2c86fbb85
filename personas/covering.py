"""Covering arrays: few rows in which every combination of t values occurs (greedy; NIST IR 7878 on what it measures)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from random import Random

Row = dict[str, str]
Tuple = frozenset[tuple[str, str]]
"""Values of t axes."""


def covering(axes: Mapping[str, Sequence[str]], t: int, possible: Callable[[Mapping[str, str]], bool], rng: Random) -> list[Row]:
    """Rows over all axes in which every possible combination of the values of any t axes occurs.

    `possible` says whether a partial row can be completed; combinations that cannot are left out. Each row starts from a
    combination still missing and takes, axis by axis, the value that adds most missing ones. Raises ValueError where there
    are fewer than t axes.
    """
    if not 1 <= t <= len(axes):
        raise ValueError(f"combinations of {t} need at least {t} axes, there are {len(axes)}")
    wanted = [one for one in _tuples(axes, t) if possible(dict(one))]
    rng.shuffle(wanted)  # so that the first rows differ in all axes
    missing = dict.fromkeys(wanted)
    rows: list[Row] = []
    while missing:
        row = _filled(dict(next(iter(missing))), axes, t, missing, possible, rng)
        rows.append(row)
        for found in _within(row, t):
            missing.pop(found, None)
    return rows


def covered(
    rows: Sequence[Mapping[str, str]], axes: Mapping[str, Sequence[str]], t: int, possible: Callable[[Mapping[str, str]], bool]
) -> float:
    """Share of the possible combinations of t values that the rows hold; 1.0 where nothing is possible."""
    wanted = {one for one in _tuples(axes, t) if possible(dict(one))}
    there = {found for row in rows for found in _within(row, t)}
    return len(wanted & there) / len(wanted) if wanted else 1.0


def _tuples(axes: Mapping[str, Sequence[str]], t: int) -> Iterator[Tuple]:
    for names in combinations(axes, t):
        for values in product(*(axes[name] for name in names)):
            yield frozenset(zip(names, values, strict=True))


def _within(row: Mapping[str, str], t: int) -> Iterator[Tuple]:
    return (frozenset(one) for one in combinations(row.items(), t))


def _filled(
    row: Row,
    axes: Mapping[str, Sequence[str]],
    t: int,
    missing: Mapping[Tuple, None],
    possible: Callable[[Mapping[str, str]], bool],
    rng: Random,
) -> Row:
    """The row completed; every step stays possible, so that the last one is."""
    left = [name for name in axes if name not in row]
    rng.shuffle(left)
    for name in left:
        values = [value for value in axes[name] if possible({**row, name: value})]
        rng.shuffle(values)
        row[name] = max(
            values, key=lambda value: sum(frozenset((*some, (name, value))) in missing for some in combinations(row.items(), t - 1))
        )
    return row
