"""What a set is made of, beside what it was to be made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

UNKNOWN = "(none)"


class Shares(NamedTuple):
    """Of one label."""

    rows: list[tuple[str, int, float, float | None]]
    """(value, records, share got, share wanted), the wanted ones first, then the others by frequency."""
    distance: float | None
    """Total variation between wanted and got: 0 where they agree, 1 where they have nothing in common. None without a wish."""
    tail: list[str]
    """Values with less than half of the share that was wanted, or (without a wish) below a twentieth of an equal share."""


def shares(values: Iterable[object], wanted: Mapping[str, float] | None = None) -> Shares:
    """Shares of the values of a label, beside the wanted ones (taken as parts of their sum)."""
    counts = Counter(UNKNOWN if value is None else str(value) for value in values)
    total = sum(counts.values()) or 1
    whole = sum(wanted.values()) if wanted else 0
    asked = {value: share / whole for value, share in wanted.items()} if wanted and whole else {}
    names = [*asked, *(value for value, _ in counts.most_common() if value not in asked)]
    rows = [(name, counts[name], counts[name] / total, asked.get(name) if asked else None) for name in names]
    distance = sum(abs(counts[name] / total - asked.get(name, 0.0)) for name in names) / 2 if asked else None
    equal = 1 / max(1, len(counts))
    tail = [name for name, _, got, want in rows if (got < want / 2 if want is not None else not asked and got < equal / 20)]
    return Shares(rows, distance, tail)
