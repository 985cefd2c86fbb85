"""How much one text repeats of another: words of languages that have them, characters of Chinese, Japanese and Korean."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Set
from typing import NamedTuple

_UNIT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:['’][^\W_]+)*")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
LONGEST = 4000
"""Units of a text that are compared."""


class Run(NamedTuple):
    """The longest stretch that two texts have in common."""

    words: float
    """Its length in words; a character of Chinese, Japanese or Korean is half a word."""
    text: str


def units(text: str) -> list[str]:
    """Words without regard to case, and single characters of the languages that have no spaces."""
    return _UNIT.findall(text.casefold())[:LONGEST]


def longest_run(one: str, other: str) -> Run:
    """The longest stretch of units that stands in both texts."""
    a = units(one)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, unit in enumerate(units(other)):
        places[unit].append(at)
    most, ended = 0.0, 0
    before: dict[int, float] = {}
    for i, unit in enumerate(a):
        here = {at: before.get(at - 1, 0.0) + _weight(unit) for at in places.get(unit, ())}
        if here and (longest := max(here.values())) > most:
            most, ended = longest, i + 1
        before = here
    begin, left = ended, most
    while left > 0:
        begin -= 1
        left -= _weight(a[begin])
    return Run(most, " ".join(a[begin:ended]))


def grams(text: str, n: int) -> frozenset[tuple[str, ...]]:
    """The n-grams of a text; of a shorter one, the whole of it."""
    found = units(text)
    if len(found) < n:
        return frozenset({tuple(found)}) if found else frozenset()
    return frozenset(tuple(found[at : at + n]) for at in range(len(found) - n + 1))


def jaccard(one: Set[tuple[str, ...]], other: Set[tuple[str, ...]]) -> float:
    """Common ones by all there are; 0 of two empty sets."""
    both = len(one & other)
    return both / max(1, len(one) + len(other) - both)


def shared(one: Set[tuple[str, ...]], other: Set[tuple[str, ...]]) -> float:
    """Share of the smaller set that the other one holds, so that a long text does not hide that it repeats a short one."""
    return len(one & other) / max(1, min(len(one), len(other)))


def words(text: str) -> float:
    """The length of a text in words."""
    return sum(map(_weight, units(text)))


def _weight(unit: str) -> float:
    return 0.5 if _IDEOGRAPH.match(unit) else 1.0
