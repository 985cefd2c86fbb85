"""Reading what a judge said: the last JSON object that is a verdict, unless it only quotes the material."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from ..core.loose_json import objects
from ._judge_text import legible
from ._parts import shown

T = TypeVar("T")
Winner = Literal["a", "b", "tie"]

_TAIL = 20_000
"""Characters of a reply that are read, from its end."""
_NUMBER = re.compile(r"\s*([+-]?\d{1,6}(?:\.\d{1,6})?)\s*(?:(?:/|out of)\s*\d{1,6})?\s*")
_BLANK = re.compile(r"\s+")


def last(reply: str, material: Sequence[str], read: Callable[[Mapping[str, Any]], T | None]) -> T | None:
    """What `read` makes of the last object that it can read; an object that stands in the material as it is was copied from there."""
    compact = [_BLANK.sub("", text) for text in material]
    for value, raw in reversed(list(objects(reply[-_TAIL:]))):
        if (found := read(value)) is not None and not any(_BLANK.sub("", raw) in text for text in compact):
            return found
    return None


def number(value: Any, low: float, high: float) -> float | None:
    """A score within its scale (`7`, `"7"`, `"7/10"`), else None."""
    if isinstance(value, str) and (match := _NUMBER.fullmatch(value)):
        value = float(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if low <= value <= high else None


def scores(names: Sequence[str], low: float, high: float) -> Callable[[Mapping[str, Any]], dict[str, float] | None]:
    """Reads a score for each criterion from `scores`, or from the object itself; one that is missing or out of range: none."""
    wanted = {_key(name): name for name in names}

    def read(value: Mapping[str, Any]) -> dict[str, float] | None:
        inner = value.get("scores")
        given = {_key(key): one for key, one in (inner if isinstance(inner, dict) else value).items()}
        if len(wanted) == 1 and "score" in given:
            given.setdefault(next(iter(wanted)), given["score"])
        found = {name: number(given.get(key), low, high) for key, name in wanted.items()}
        return {name: score for name, score in found.items() if score is not None} if None not in found.values() else None

    return read


def winner(value: Mapping[str, Any]) -> Winner | None:
    """Reads `{"winner": "A" | "B" | "tie"}`."""
    word = value.get("winner")
    if not isinstance(word, str):
        return None
    word = re.sub(r"^(?:answer|response|option)\s+|[^a-z\s]", "", word.strip().lower()).strip()
    named: dict[str, Winner] = {"a": "a", "b": "b", "tie": "tie", "equal": "tie", "both": "tie", "neither": "tie", "draw": "tie"}
    return named.get(word)


def ranking(n: int) -> Callable[[Mapping[str, Any]], list[int] | None]:
    """Reads `{"ranking": [2, 1, 3]}`: every candidate once, the best one first; as positions from 0."""

    def read(value: Mapping[str, Any]) -> list[int] | None:
        given = value.get("ranking")
        if not isinstance(given, list) or len(given) != n:
            return None
        places = [number(one, 1, n) for one in given]
        order = [int(place) - 1 for place in places if place is not None and place == int(place)]
        return order if sorted(order) == list(range(n)) else None

    return read


def criteria(least: int, most: int) -> Callable[[Mapping[str, Any]], list[tuple[str, str]] | None]:
    """Reads `{"criteria": [{"title", "how"}, ...]}`, without twins, at most `most` of them; fewer than `least`: none."""

    def read(value: Mapping[str, Any]) -> list[tuple[str, str]] | None:
        given = value.get("criteria")
        found: dict[str, tuple[str, str]] = {}
        for one in given if isinstance(given, list) else ():
            title, how = (one.get("title"), one.get("how", "")) if isinstance(one, dict) else (one, "")
            if isinstance(title, str) and isinstance(how, str) and _key(title):
                found.setdefault(_key(title), (shown(legible(title)), shown(legible(how), 400)))
        return list(found.values())[:most] if len(found) >= least else None

    return read


def pair_scores(low: float, high: float) -> Callable[[Mapping[str, Any]], tuple[float, float] | None]:
    """Reads `{"a": 3, "b": 4}`."""

    def read(value: Mapping[str, Any]) -> tuple[float, float] | None:
        given = {_key(key): one for key, one in value.items()}
        a, b = number(given.get("a"), low, high), number(given.get("b"), low, high)
        return None if a is None or b is None else (a, b)

    return read


def _key(name: object) -> str:
    return re.sub(r"[\W_]+", " ", str(name)[:200]).strip().casefold()
