"""How many accepted records, of which kind, make the data set: `target: 1000`, or `target: {total, by, shares}`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .shares import Shares  # not imported for the writer of OUT, which starts without pydantic


class Quota:
    """The numbers wanted by kind; without shares there is one kind, `""`."""

    def __init__(self, wanted: Mapping[str, int], by: str = "") -> None:
        self.by = by
        self.wanted = dict(wanted)

    @classmethod
    def of(cls, target: int | None, shares: Shares | None) -> Self | None:
        """None where everything is wanted that the seeds give."""
        if target is None:
            return None
        return cls(shares.counts(target), shares.by) if shares else cls({"": target})

    @property
    def total(self) -> int:
        return sum(self.wanted.values())

    def kind(self, labels: Mapping[str, Any], fields: Mapping[str, Any]) -> str | None:
        """Which of the wanted kinds a record with these labels and columns is; None for one that is not wanted."""
        if not self.by:
            return ""
        label = labels.get(self.by, fields.get(self.by))
        return str(label) if label is not None and str(label) in self.wanted else None

    def filled(self, have: Mapping[str, int]) -> int:
        """How many of the wanted records are there."""
        return sum(min(have.get(kind, 0), number) for kind, number in self.wanted.items())

    def open(self, have: Mapping[str, int]) -> list[str]:
        """Kinds of which there are too few."""
        return [kind for kind, number in self.wanted.items() if have.get(kind, 0) < number]

    def grow(self, first: Mapping[str, int], kept: Mapping[str, int]) -> None:
        """Want as many more of each kind as are missing from what was wanted first."""
        for kind, number in first.items():
            self.wanted[kind] += max(0, number - kept.get(kind, 0))


class Picking:
    """Takes the first of each kind, until there are enough."""

    def __init__(self, quota: Quota | None) -> None:
        self.quota = quota
        self.have: Counter[str] = Counter()

    def takes(self, labels: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        """Whether this record, the next in order, is one of the wanted."""
        if self.quota is None:
            return True
        kind = self.quota.kind(labels, fields)
        if kind is None or self.have[kind] >= self.quota.wanted[kind]:
            return False
        self.have[kind] += 1
        return True


def tallied(quota: Quota | None, records: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Counter[str]:
    """How many records of each wanted kind there are, by their labels and columns."""
    kinds = (quota.kind(labels, fields) for labels, fields in records) if quota else ()
    return Counter(kind for kind in kinds if kind is not None)
