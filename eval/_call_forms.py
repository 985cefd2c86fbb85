"""Tool calls written as text: the forms of Hermes and Qwen, and of Llama 3."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ._strict_json import Flawed, parse

_TAGGED = ("<tool_call>", "</tool_call>")
_FUNCTION = re.compile(r"<function=([\w.\-]{1,200})>")
_PYTHON_TAG = "<|python_tag|>"
_ENDS = ("<|eom_id|>", "<|eot_id|>", "<|im_end|>")
MOST = 64
"""Calls of one answer that are read."""


class Call(NamedTuple):
    """One call."""

    name: str
    arguments: dict[str, Any]


def structured(name: str, arguments: str) -> Call:
    """A call that a server has already taken apart. Raises Flawed."""
    return Call(name, _arguments(arguments, name))


def written(text: str) -> list[Call]:
    """The calls written in an answer; none where it holds plain text. Raises Flawed for a call that is broken."""
    body = text.strip()
    for end in _ENDS:
        body = body.removesuffix(end).strip()
    if _TAGGED[0] in body or _TAGGED[1] in body:
        return _tagged(body)
    if _FUNCTION.search(body):
        return _functions(body)
    python = body.startswith(_PYTHON_TAG)
    body = body.removeprefix(_PYTHON_TAG).strip()
    if python or (body.startswith("{") and '"name"' in body and ('"parameters"' in body or '"arguments"' in body)):
        return _llama(body)
    return []


def _tagged(body: str) -> list[Call]:
    calls, at = [], 0
    while (start := body.find(_TAGGED[0], at)) >= 0:
        end = body.find(_TAGGED[1], start)
        if end < 0:
            raise Flawed("broken_call: a <tool_call> that is never closed")
        calls.append(_one(body[start + len(_TAGGED[0]) : end]))
        at = end + len(_TAGGED[1])
        _count(calls)
    if _TAGGED[1] in body[at:] or not calls:
        raise Flawed("broken_call: a </tool_call> that was never opened")
    return calls


def _functions(body: str) -> list[Call]:
    calls = []
    for match in _FUNCTION.finditer(body):
        end = body.find("</function>", match.end())
        if end < 0:
            raise Flawed(f"broken_call: <function={match.group(1)[:40]}> is never closed")
        calls.append(Call(match.group(1), _arguments(body[match.end() : end], match.group(1))))
        _count(calls)
    return calls


def _llama(body: str) -> list[Call]:
    """One JSON object, or several with semicolons between them."""
    try:
        return [_one(body)]
    except Flawed as error:
        pieces = re.split(r"(?<=\})\s*;\s*(?=\{)", body)
        if len(pieces) < 2:
            raise error
    _count(pieces)
    return [_one(piece) for piece in pieces]


def _one(text: str) -> Call:
    try:
        value = parse(text)
    except Flawed as error:
        raise Flawed(f"broken_call: {error}") from error
    return called(value)


def called(value: Any) -> Call:
    """A call from `{"name", "arguments" or "parameters"}`, also inside `{"function": ...}`. Raises Flawed."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        raise Flawed("broken_call: a call without a name")
    return Call(value["name"], _arguments(value.get("arguments", value.get("parameters", {})), value["name"]))


def _arguments(given: Any, name: str) -> dict[str, Any]:
    """Arguments as an object, also where they are JSON text."""
    if isinstance(given, str):
        try:
            given = parse(given) if given.strip() else {}
        except Flawed as error:
            raise Flawed(f"broken_call: arguments of {name[:40]}: {error}") from error
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Flawed(f"broken_call: the arguments of {name[:40]} are no object")
    return given


def _count(calls: list[Any]) -> None:
    if len(calls) > MOST:
        raise Flawed(f"too_many_calls: more than {MOST}")
