"""Refuse records by a label that they carry."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ..core.part import Check
from ..core.record import Label, Record, Verdict
from ._best import number as numeric
from ._parts import shown


class ByLabel(Check):
    """Keeps records whose label (of `tag`, of `labels`, of a strategy, or a column of the seed) is within bounds or among values.

    Texts are compared without regard to case. A record that has no such label is an abstention. The score is the label where that is a number.
    """

    label: str = Field(min_length=1)
    """The label; where there is none of that name, the column that came with the seed."""
    min: float | None = None
    """A number must not be below."""
    max: float | None = None
    """A number must not be above."""
    allow: tuple[str | bool | int | float, ...] = ()
    """Values that are kept, all others are not."""
    deny: tuple[str | bool | int | float, ...] = ()
    """Values that are refused."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min is None and self.max is None and not self.allow and not self.deny:
            raise ValueError("by_label needs one of `min`, `max`, `allow` and `deny`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no number is at least {self.min:g} and at most {self.max:g}: `min` and `max` are the wrong way round")
        return self

    def check(self, record: Record) -> Verdict:
        value = record.labels.get(self.label, record.fields.get(self.label))
        if value is None or not isinstance(value, str | bool | int | float):
            return Verdict(by=self.part_name(), outcome="abstain", reason=f"no_label: there is no {self.label}")
        number = None if isinstance(value, bool) else numeric(value)
        if self.min is not None or self.max is not None:
            if number is None:
                return Verdict(by=self.part_name(), outcome="abstain", reason=f"no_number: {self.label} is {shown(str(value))}")
            if self.min is not None and number < self.min:
                return self.refused(f"too_low: {self.label} is {number:.4g}, at least {self.min:g} asked", number)
            if self.max is not None and number > self.max:
                return self.refused(f"too_high: {self.label} is {number:.4g}, at most {self.max:g} asked", number)
        key = _key(value)
        if (self.allow and key not in map(_key, self.allow)) or key in map(_key, self.deny):
            return self.refused(f"not_allowed: {self.label} is {shown(str(value))}", number)
        return self.kept(number)


def _key(value: Label) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{float(value):.12g}" if abs(value) < 1e300 else str(value)
    return str(value).strip().casefold()
