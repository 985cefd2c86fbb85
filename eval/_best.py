"""Which of several records is best: by the score of a filter, a label, or a mix of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite

from ..core.record import Record

_MOST = 1e300
"""Beyond it a number of a column is none to calculate with (nor is NaN)."""

_NUMBER = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?")

By = str | Mapping[str, float]


def checked(by: By) -> By:
    """Raises ValueError for a mix that weighs nothing."""
    if isinstance(by, str) and not by.strip():
        raise ValueError("`by` names a filter or a label")
    if not isinstance(by, str) and (not by or not all(by.values())):
        raise ValueError("a mix names filters or labels, each with a weight that is not 0 (below 0: less is better)")
    if not isinstance(by, str) and not all(map(isfinite, by.values())):
        raise ValueError("weights are finite numbers")
    return by


def values(records: Sequence[Record], by: By) -> list[float | None]:
    """What each record is worth; None where a score is missing.

    A single name: its score as it is. A mix: the weighted sum of ranks within these records (0 the lowest, 1 the highest,
    equal scores in between), as scores of different filters have no common scale.
    """
    if isinstance(by, str):
        return [score(record, by) for record in records]
    columns = [(weight, _ranks([score(record, name) for record in records])) for name, weight in by.items()]
    rows = zip(*(ranks for _, ranks in columns), strict=True)
    weights = [weight for weight, _ in columns]
    return [_mixed(row, weights) for row in rows]


def score(record: Record, name: str) -> float | None:
    """The latest score that the filter of that name gave, else the number in the label, or else in the column, of that name."""
    for verdict in reversed(record.verdicts):
        if verdict.by == name and verdict.score is not None:
            return verdict.score
    label = record.labels.get(name, record.fields.get(name))
    return number(label)


def number(value: object) -> float | None:
    """A number, or a text that is nothing but one (columns of a CSV file are texts); else None."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    return float(value) if isinstance(value, int | float) and abs(value) <= _MOST else None


def _ranks(given: Sequence[float | None]) -> list[float | None]:
    known = sorted(one for one in given if one is not None)
    if not known:
        return list(given)
    first: dict[float, int] = {}
    last: dict[float, int] = {}
    for at, one in enumerate(known):
        first.setdefault(one, at)
        last[one] = at
    most = max(1, len(known) - 1)
    return [None if one is None else (first[one] + last[one]) / 2 / most for one in given]


def _mixed(row: Sequence[float | None], weights: Sequence[float]) -> float | None:
    terms = [rank * weight for rank, weight in zip(row, weights, strict=True) if rank is not None]
    return sum(terms) if len(terms) == len(weights) else None


def best_first(worth: Sequence[float | None]) -> list[int]:
    """Positions, the best one first; equal ones as they come; those without a score last."""
    return sorted(range(len(worth)), key=lambda at: (worth[at] is None, -(worth[at] or 0.0), at))


def named(by: By) -> str:
    """The measure in words, for reasons."""
    return by if isinstance(by, str) else " + ".join(f"{weight:g} {name}" for name, weight in by.items())
