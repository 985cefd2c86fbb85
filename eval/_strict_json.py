"""JSON read strictly: what Python's parser lets pass, or only calls invalid, is told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

DEPTH = 100
"""Levels of nesting at most."""

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+-]*)[^\n]*$", re.MULTILINE)
_BRACKET = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class Flawed(Exception):
    """Not the JSON that was wanted; the message is a reason (`duplicate_key: "a" occurs twice`)."""


def parse(text: str) -> Any:
    """One JSON value and nothing else. Raises Flawed."""
    body = text.strip()
    if not body:
        raise Flawed("no_json: the text is empty")
    if (deep := _depth(body)) > DEPTH:
        raise Flawed(f"too_deep: nested {deep} levels deep, at most {DEPTH}")
    try:
        value, end = _decoder().raw_decode(body)
    except (json.JSONDecodeError, RecursionError) as error:
        if _holds_value(body):
            raise Flawed(f"leading_text: before the JSON value: {_shown(body)}") from error
        where = f" at character {error.pos}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise Flawed(f"not_json: {_shown(body)}{where}") from error
    except ValueError as error:
        raise Flawed(f"not_json: {str(error)[:80]}") from error
    if rest := body[end:].strip():
        raise Flawed(f"trailing_text: after the JSON value: {_shown(rest)}")
    if "\\u" in body:
        _whole(value)
    return value


def blocks(text: str) -> Iterator[tuple[str, int, int]]:
    """(what is in it, start, end) of each closed fenced block."""
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence.group(1).startswith(opened.group(1)) and not fence.group(2):
            yield text[opened.end() : fence.start()], opened.start(), fence.end()
            opened = None


def _holds_value(text: str) -> bool:
    """Whether an object or a list stands somewhere behind other text."""
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=0)
    if not start:
        return False
    try:
        json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    return True


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def _whole(value: Any) -> None:
    """Raises Flawed for half a character (an escaped surrogate without its other half), which no file can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Flawed(f"lone_surrogate: a text holds {error.object[error.start : error.end]!a}, half a character") from error


def _float(written: str) -> float:
    value = float(written)
    if value in (float("inf"), float("-inf")):
        raise Flawed(f"not_a_number: {_shown(written)} is too large")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Flawed(f"duplicate_key: {json.dumps(twice)[:80]} occurs twice in one object")
    return made


def _constant(name: str) -> Any:
    raise Flawed(f"not_a_number: {name} is not JSON")


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside of strings, as far as the text is JSON."""
    deepest = now = 0
    for match in _BRACKET.finditer(text):
        bracket = match.group()
        if bracket in "[{":
            now += 1
            deepest = max(deepest, now)
        elif bracket in "]}":
            now -= 1
    return deepest


def _shown(text: str) -> str:
    line = " ".join(text[:200].split())
    return line if len(line) <= 60 else line[:59] + "…"
