"""Runs in a worker process: is a text JSON that is valid under a schema? (jsonschema-rs)"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal

import jsonschema_rs

from ._strict_json import Flawed, blocks, parse

BACKTRACKS = 200_000
"""Steps that a `pattern` with look-around or back-references may take; others take linear time."""

Said = tuple[Literal["valid", "flawed", "unusable"], str]


def valid(questions: list[dict[str, Any]]) -> list[Said]:
    """Of `{"text", "schema" (as JSON text), "form", "formats"}`: whether it is valid, and if not, the reason."""
    return [_valid(question) for question in questions]


def _valid(question: dict[str, Any]) -> Said:
    try:
        validator = compiled(question["schema"], question["formats"])
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError, UnicodeError) as error:
        return "unusable", f"bad_schema: {first_line(error)}"
    try:
        value = parse(_body(question["text"], question["form"]))
    except Flawed as error:
        return "flawed", str(error)
    flaw = violation(validator, value)
    return ("flawed", f"schema_violation: {flaw}") if flaw else ("valid", "")


@lru_cache(maxsize=64)
def compiled(schema: str, formats: bool = False) -> jsonschema_rs.Validator:
    """The schema's validator; nothing that it refers to is ever fetched. Raises ValueError."""
    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS, size_limit=1 << 20, dfa_size_limit=1 << 22)
    return jsonschema_rs.validator_for(json.loads(schema), pattern_options=options, offline=True, validate_formats=formats)


def violation(validator: jsonschema_rs.Validator, value: Any) -> str:
    """The first thing that is wrong, with its place; empty for a valid value."""
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except (ValueError, UnicodeError) as odd:
        return f"a value that no schema can be held against: {first_line(odd)}"
    if error is None:
        return ""
    where = "/".join(str(step) for step in error.instance_path)
    return f"{'at ' + where[:80] if where else 'at the top'}: {first_line(error)}"


def first_line(error: Exception) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    line = text.split("\n")[0].encode("utf-8", "replace").decode()
    return line if len(line) <= 160 else f"{line[:100]}…{line[-59:]}"


def _body(text: str, form: str) -> str:
    """Where the JSON is looked for. Raises Flawed."""
    if form == "whole":
        return text
    found = list(blocks(text))
    if form == "fenced":
        if not found:
            raise Flawed("no_block: the text holds no closed fenced block")
        return found[-1][0]
    if not text.lstrip().startswith(("```", "~~~")) and not (found and not text.lstrip().startswith(("{", "["))):
        return text
    if len(found) != 1:
        raise Flawed(f"no_block: {len(found)} closed fenced blocks, one wanted")
    inside, start, end = found[0]
    if around := (text[:start].strip() or text[end:].strip()):
        word = "leading_text" if text[:start].strip() else "trailing_text"
        raise Flawed(f"{word}: {'before' if word == 'leading_text' else 'after'} the fenced block: {' '.join(around[:60].split())}")
    return inside
