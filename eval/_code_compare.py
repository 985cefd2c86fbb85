"""Whether what a candidate gave is what was expected: on data, in our own process, with exact types."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

LONGEST = 400
"""Characters of a number; longer ones are compared as text."""


def same_output(got: str, expected: str, tolerance: float) -> bool:
    """Line by line, as many lines on both sides; in a line token by token, numbers by value. Space at ends of lines and texts is none."""
    ours, theirs = _lines(got), _lines(expected)
    return len(ours) == len(theirs) and all(_same_line(one, other, tolerance) for one, other in zip(ours, theirs, strict=True))


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_line(got: str, expected: str, tolerance: float) -> bool:
    if got == expected:
        return True
    ours, theirs = got.split(), expected.split()
    return len(ours) == len(theirs) and all(_same_token(one, other, tolerance) for one, other in zip(ours, theirs, strict=True))


def _same_token(got: str, expected: str, tolerance: float) -> bool:
    if got == expected:
        return True
    ours, theirs = _number(got), _number(expected)
    if ours is None or theirs is None:
        return False
    if ours == theirs:
        return True
    if not {".", "e", "E"} & set(expected) or max(abs(ours.adjusted()), abs(theirs.adjusted())) > 300:
        return False  # a whole number is exact
    return math.isclose(float(ours), float(theirs), rel_tol=tolerance, abs_tol=tolerance)


def _number(token: str) -> Decimal | None:
    if len(token) > LONGEST or not token.isascii() or "_" in token:
        return None
    try:
        value = Decimal(token)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def same_value(got: Any, expected: Any, tolerance: float, *, python: bool) -> bool:
    """`got` is tagged JSON from the sandbox. `python`: tuples are no lists (an assert says so); else they are what JSON has, lists."""
    try:
        return _same(got, expected, tolerance, python)
    except (RecursionError, ValueError, TypeError, KeyError, IndexError):
        return False


def truthy(got: Any) -> bool:
    """The truth of tagged data; what is no data has none."""
    if not isinstance(got, list):
        return bool(got)
    tag = got[0] if got else ""
    if tag in ("l", "t", "s", "d"):
        return len(got) > 1
    return tag == "f" or (tag in ("i", "b") and bool(got[1])) or (tag == "c" and any(got[1:]))


def _same(got: Any, expected: Any, tolerance: float, python: bool) -> bool:
    tag, items = (got[0], got[1:]) if isinstance(got, list) else ("", [])
    if isinstance(expected, (list, tuple)):
        fits = ("t",) if python and isinstance(expected, tuple) else ("l",) if python else ("l", "t")
        pairs = zip(items, expected, strict=True)
        return tag in fits and len(items) == len(expected) and all(_same(one, other, tolerance, python) for one, other in pairs)
    if isinstance(expected, dict):
        return tag == "d" and _same_dict(items, expected, tolerance, python)
    if isinstance(expected, (set, frozenset)):
        found = {key for key in map(_key, items) if key in expected}
        return tag == "s" and len(items) == len(expected) == len(found)
    if isinstance(expected, bytes):
        return tag == "b" and bytes.fromhex(items[0]) == expected
    if isinstance(expected, complex):
        return tag == "c" and complex(*items) == expected
    value = _key(got)
    if isinstance(expected, (bool, str, type(None))) or isinstance(value, (bool, str, type(None))):
        return type(value) is type(expected) and value == expected
    return _same_number(value, expected, tolerance)


def _same_number(got: Any, expected: Any, tolerance: float) -> bool:
    if not isinstance(got, (int, float)):
        return False
    if got == expected or (got != got and expected != expected):
        return True
    if isinstance(got, int) and isinstance(expected, int):
        return False
    try:
        return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def _same_dict(pairs: list[Any], expected: dict[Any, Any], tolerance: float, python: bool) -> bool:
    """Keys are looked up in what was expected, never the other way round: keys of the candidate's could be made to collide."""
    seen: set[Any] = set()
    for raw, value in pairs:
        key = _key(raw) if python else _json_key(_key(raw))
        if key not in expected or key in seen or not _same(value, expected[key], tolerance, python):
            return False
        seen.add(key)
    return len(seen) == len(expected)


def _key(tagged: Any) -> Any:
    """A tagged value that can be a key. Raises ValueError for what cannot."""
    if not isinstance(tagged, list):
        return tagged
    match tagged:
        case ["t", *items]:
            return tuple(_key(one) for one in items)
        case ["i", str(digits)]:
            return int(digits, 16)
        case ["f", str(word)]:
            return float(word)
        case ["b", str(digits)]:
            return bytes.fromhex(digits)
        case _:
            raise ValueError("no key")


def _json_key(key: Any) -> Any:
    """A key as JSON would have it."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key) if isinstance(key, (int, float)) else key
