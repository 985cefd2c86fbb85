"""What an answer says of a puzzle's variables: a JSON object, or names with values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from ._boxes import boxes, marked

TAIL = 20_000
"""Characters at the end of an answer that are read."""
MOST_OBJECTS = 40
"""Opening braces, from the end, at which a JSON object is looked for."""
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}")
_ARTICLE = re.compile(r"(?:is |the |an? )+", re.IGNORECASE)
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


Values = Mapping[str, Sequence[str | int | float | bool]]
"""What is asked for, each with the values that it could have."""


def stated(answer: str, ask: Values) -> dict[str, list[str]]:
    """Values by the names in `ask`, as they are written; a name that is given two different values has both.

    Read is the last box, the last `<answer>`, the last fenced block or JSON object, or else all lines.
    """
    text = answer[-TAIL:]
    for place in _places(text):
        if found := _pairs(place, ask):
            return found
    return _lines(text, ask)


def same(written: str, value: str | int | float | bool) -> bool:
    """Whether a written value is the solution's."""
    bare = _bare(written)
    if isinstance(value, bool):
        return _TRUTHS.get(bare) is value
    if isinstance(value, str):
        return bare == _bare(value)
    try:
        return float(bare.replace(",", "")) == value
    except (ValueError, OverflowError):
        return False


def _places(text: str) -> Iterator[str]:
    """Where an answer stands, the strictest form first."""
    yield from boxes(text)[-1:]
    if "<answer>" in text.lower() and (tagged := marked(text[text.lower().rfind("<answer>") :])):
        yield tagged
    yield from _FENCE.findall(text)[-1:]
    yield from _objects(text)


def _objects(text: str) -> Iterator[str]:
    """JSON objects, the last one first (of nested ones the outermost)."""
    decoder, end, before = json.JSONDecoder(), len(text), len(text)
    found: list[tuple[int, int]] = []
    for _ in range(MOST_OBJECTS):
        at = text.rfind("{", 0, before)
        if at < 0:
            break
        before = at
        try:
            _, stop = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if found and found[-1][0] < stop:
            found.pop()
        found.append((at, min(stop, end)))
    yield from (text[start:stop] for start, stop in found)


def _pairs(text: str, ask: Values) -> dict[str, list[str]]:
    names = {_bare(name): name for name in ask}
    try:
        raw: Any = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raw = None
    if isinstance(raw, dict):
        inner = next((v for k, v in raw.items() if isinstance(v, dict) and k.lower() in ("answer", "solution", "result")), raw)
        return {names[_bare(k)]: [_written(v)] for k, v in inner.items() if _bare(k) in names}
    found = _lines(text, ask)
    if not found and len(ask) == 1 and len(text) <= 200:
        return {next(iter(ask)): [text.strip()]}
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError where a name has two values: such an object is read as lines are, which finds both."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name twice")
    return made


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)[:200]


def _lines(text: str, ask: Values) -> dict[str, list[str]]:
    """`Name: value`, `Name = value`, `Name is a value`, `Name -> value`, one after the other or in lines. Of `Name: one, other`
    both count where the other, too, is a value that the name could have."""
    text = _WRAPPED.sub(r"\1", text)
    found: dict[str, list[str]] = {}
    for name, could in ask.items():
        told = re.compile(
            rf"(?<![\w]){re.escape(name)}[*_`\"']*\s*(?:[:=]|->|→|\\to\b|\bis\b)\s*([^\n,;]{{1,100}})(?=((?:[,;][^\n,;]{{0,100}}){{0,9}}))",
            re.IGNORECASE,
        )
        values, known = dict[str, None](), _among(could)
        for first, more in told.findall(text):
            values[first.strip()] = None
            others = takewhile(known, re.split("[,;]", more)[1:])
            values.update(dict.fromkeys(other.strip() for other in others))
        if values:
            found[name] = list(values)
    return found


def _among(values: Sequence[str | int | float | bool]) -> Callable[[str], bool]:
    """Tells of what is written whether it is the `same` as one of these."""
    held: set[str | int | float] = {_bare(value) for value in values if isinstance(value, str)}
    held |= set(_TRUTHS) if any(isinstance(value, bool) for value in values) else {value for value in values if not isinstance(value, str)}

    def known(written: str) -> bool:
        bare = _bare(written)
        with suppress(ValueError, OverflowError):
            return bare in held or float(bare.replace(",", "")) in held
        return False

    return known


def _bare(written: str) -> str:
    text = _WRAPPED.sub(r"\1", written).lstrip("*_`\"'$ \t\n").rstrip("*_`\"'$ \t\n.!;,").casefold()
    return _ARTICLE.sub("", text, count=1) if _ARTICLE.match(text) else text
