"""Personas composed of attributes: millions of distinct ones, each by its number, realistic in what goes with what, nobody real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import gcd, prod
from random import Random
from typing import Self

from pydantic import Field, field_validator, model_validator

from ..core.errors import nearest
from ..core.frozen import Frozen
from ._axes import AGE, BANDS, EDUCATION, FAMILY, FREE, PLACE, YOUNGEST, Value
from ._occupations import OCCUPATION, SECTOR
from .covering import covering

AXES: Mapping[str, tuple[Value, ...]] = {
    "sector": SECTOR, "age": AGE, "education": EDUCATION, "place": PLACE, "family": FAMILY, "occupation": OCCUPATION,
}  # fmt: skip
"""The axes that hold each other in check, by name."""
COVERABLE = ("sector", "age", "education", "place", "family")
DISTINCT = prod(len(values) for values in FREE.values())
"""So many numbers in a row give personas that all differ."""


class Persona(Frozen):
    """Somebody who could exist."""

    text: str
    axes: Mapping[str, str] = {}
    """What it was composed of, by axis."""


class Composed(Frozen):
    """Adults put together from sector, occupation, age, education, place and family, which have to fit, and from temperament,
    interest, past, aim and way of thinking, which are free. 31 million numbers in a row give distinct personas."""

    seed: int = 0
    """Another seed, other personas."""
    only: Mapping[str, tuple[str, ...]] = {}
    """Values allowed on an axis, for data about one field: `{sector: [care, science]}`. Axes: sector, age, education, place,
    family, occupation."""
    cover: int | None = Field(default=None, ge=1, le=3)
    """2: the first personas hold every pair of values of the axes `over` that is possible (3: every triple), in few rows."""
    over: tuple[str, ...] = COVERABLE
    """The axes that `cover` is about."""

    @field_validator("only")
    @classmethod
    def _known_values(cls, only: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        for axis, values in only.items():
            if axis not in AXES:
                raise ValueError(f"no axis {axis!r}; {nearest(axis, AXES)}")
            known = [value.key for value in AXES[axis]]
            for value in values:
                if value not in known:
                    raise ValueError(f"no {axis} {value!r}; {nearest(value, known)}")
        return only

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for axis in self.over:
            if axis not in COVERABLE:
                raise ValueError(f"`over`: {axis!r} cannot be covered; {nearest(axis, COVERABLE)}")
        if self.cover and self.cover > len(set(self.over)):
            raise ValueError(f"`cover: {self.cover}` needs {self.cover} axes in `over`")
        if not self._completed({}, None):
            raise ValueError("`only` leaves nobody: no persona has these values together")
        return self

    @cached_property
    def rows(self) -> tuple[Mapping[str, str], ...]:
        """The covering array: values of the axes `over` for the first personas, then for as many more; empty without `cover`."""
        if not self.cover:
            return ()
        axes = {axis: [value.key for value in self._values(axis)] for axis in self.over}
        return tuple(covering(axes, self.cover, lambda row: bool(self._completed(row, None)), Random(f"{self.seed}/cover")))

    def persona(self, number: int, language: str = "en") -> Persona:
        """The persona of that number (from 0), in English or Chinese. The same number is the same persona in every run."""
        rng = Random(f"{self.seed}/{number}")
        fixed = self.rows[number % len(self.rows)] if self.rows else {}
        chosen = self._completed(fixed, rng)
        years = _years(chosen, rng)
        free = {axis: values[_turn(self.seed, axis, number, len(values))] for axis, values in FREE.items()}
        axes = {axis: chosen[axis].key for axis in AXES} | {axis: words[0] for axis, words in free.items()}
        write = _chinese if language == "zh" else _english
        return Persona(text=write(years, chosen, free), axes=axes)

    def _values(self, axis: str) -> Sequence[Value]:
        allowed = self.only.get(axis)
        return [value for value in AXES[axis] if allowed is None or value.key in allowed]

    def _completed(self, fixed: Mapping[str, str], rng: Random | None) -> dict[str, Value]:
        """Values of all axes that go together and hold `fixed`, drawn; the first ones without `rng`. Empty: there are none.

        Searched axis by axis, back where nothing fits: what is fixed first, then the occupation, which rules out most.
        """
        order = sorted(("sector", "occupation", "age", "education", "family", "place"), key=lambda axis: axis not in fixed)

        def search(at: int, chosen: dict[str, Value]) -> dict[str, Value]:
            if at == len(order):
                return chosen
            axis = order[at]
            values = [
                v for v in self._values(axis) if fixed.get(axis, v.key) == v.key and all(_fit(v, axis, o, a) for a, o in chosen.items())
            ]
            if rng is not None:
                rng.shuffle(values)
            return next((found for value in values if (found := search(at + 1, {**chosen, axis: value}))), {})

        return search(0, {})


def _fit(one: Value, axis: str, other: Value, other_axis: str) -> bool:
    """Whether neither of two values rules the other out."""
    wanted, wanting = one.needs.get(other_axis), other.needs.get(axis)
    return (wanted is None or other.key in wanted) and (wanting is None or one.key in wanting)


def _years(chosen: Mapping[str, Value], rng: Random) -> int:
    least, most = BANDS[chosen["age"].key]
    return rng.randint(max(least, YOUNGEST.get(chosen["education"].key, least)), most)


def _turn(seed: int, axis: str, number: int, size: int) -> int:
    """Which value of a free axis: a walk with a stride of its own, that meets every value before one comes again."""
    rng = Random(f"{seed}/{axis}")
    start, stride = rng.randrange(size), rng.choice([step for step in range(1, size) if gcd(step, size) == 1])
    return (start + number * stride) % size


def _english(years: int, chosen: Mapping[str, Value], free: Mapping[str, tuple[str, str]]) -> str:
    article = "An" if years == 18 or 80 <= years <= 89 else "A"
    temper, interest, past, aim, way = (free[axis][0] for axis in FREE)
    return (
        f"{article} {years}-year-old {chosen['occupation'].en} {chosen['place'].en}, {chosen['education'].en}, {chosen['family'].en}. "
        f"Somebody {_described(temper)}, interested in {interest}, who {past}, {way} and {aim}."
    )


def _described(temper: str) -> str:
    """A noun phrase needs a verb of its own behind `somebody`."""
    return f"who is {temper}" if temper.startswith("a ") else temper


def _chinese(years: int, chosen: Mapping[str, Value], free: Mapping[str, tuple[str, str]]) -> str:
    temper, interest, past, aim, way = (free[axis][1] for axis in FREE)
    return (
        f"一位{years}岁的{chosen['occupation'].zh}，{chosen['place'].zh}，{chosen['education'].zh}，{chosen['family'].zh}。"
        f"{temper}，对{interest}感兴趣，{past}，{way}，{aim}。"
    )
