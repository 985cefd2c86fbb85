"""Runs in a worker process: are the tool calls of an answer valid, and the ones that were wanted?"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs

from ._call_forms import MOST, Call, structured, written
from ._call_match import Gold, matched, same_name, wanted
from ._json_worker import compiled, first_line
from ._strict_json import Flawed, parse

Said = tuple[str, float | None, str]
"""Outcome, score, reason."""

_KINDS = {"dict": "object", "float": "number", "double": "number", "tuple": "array", "bool": "boolean", "int": "integer", "str": "string"}
"""Types that tool descriptions of BFCL and others have, and JSON Schema has not."""
_WORDS = {"type": "wrong_type", "enum": "not_in_enum", "required": "missing_argument", "additionalProperties": "unexpected_argument"}


def judged(questions: list[dict[str, Any]]) -> list[Said]:
    """Of `{"calls": [[name, arguments]], "text", "tools", "gold", "expect", "loose"}`: what to say."""
    return [_judged(question) for question in questions]


def _judged(asked: dict[str, Any]) -> Said:
    try:
        golds = wanted(_gold(asked["gold"])) if asked["expect"] == "gold" else []
        tools = _tools(asked["tools"]) if asked["expect"] == "valid" or golds else ()
    except Flawed as error:
        return "abstain", None, str(error)
    except (ValueError, RecursionError, UnicodeError, jsonschema_rs.ReferencingError) as error:
        return "abstain", None, f"bad_tools: {first_line(error)}"
    if asked["expect"] == "valid" and not tools:
        return "abstain", None, "no_tools: the record declares none"
    try:
        calls = [structured(name, arguments) for name, arguments in asked["calls"][: MOST + 1]]
        calls += [call for text in asked["texts"] for call in written(text)]
        if len(calls) > MOST:
            raise Flawed(f"too_many_calls: more than {MOST}")
    except Flawed as error:
        return "refuse", 0.0, str(error)
    if asked["expect"] != "valid" and not golds:
        return ("refuse", 0.0, f"unwanted_call: {calls[0].name[:40]}, none was wanted") if calls else ("keep", 1.0, "")
    if not calls:
        return "refuse", 0.0, "no_call: the answer calls no tool"
    bad = [reason for call in calls if tools and (reason := _invalid(call, tools))]
    if asked["expect"] == "valid":
        return ("refuse", 1 - len(bad) / len(calls), bad[0]) if bad else ("keep", 1.0, "")
    return _compared(calls, golds, bad, asked["loose"])


def _compared(calls: list[Call], golds: list[Gold], bad: list[str], loose: bool) -> Said:
    pairs, reason = matched(calls, golds, loose=loose)
    reason = bad[0] if bad else reason
    if len(calls) != len(golds):
        reason = f"wrong_count: {len(calls)} calls, {len(golds)} wanted" + (f"; {reason}" if reason else "")
    score = min(pairs, len(calls) - len(bad)) / max(len(calls), len(golds))
    return ("refuse", score, reason) if reason else ("keep", 1.0, "")


def _gold(text: str) -> Any:
    try:
        gold = parse(text)
    except Flawed as error:
        raise Flawed(f"no_gold: the reference is no list of calls ({error})") from error
    if isinstance(gold, list) and len(gold) > MOST:
        raise Flawed(f"no_gold: more than {MOST} wanted calls")
    return gold


@lru_cache(maxsize=64)
def _tools(text: str) -> tuple[tuple[str, dict[str, Any], jsonschema_rs.Validator], ...]:
    """(name, parameters, validator) of each declared tool. Raises ValueError."""
    found = []
    for tool in json.loads(text):
        inner = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise ValueError("a declared tool has no name")
        given = inner.get("parameters", inner.get("input_schema"))
        schema = _schema(given if isinstance(given, dict) else {})
        schema.setdefault("type", "object")
        schema.setdefault("additionalProperties", False)
        found.append((inner["name"], schema, compiled(json.dumps(schema))))
    return tuple(found)


def _schema(given: Any, values: bool = False) -> Any:
    """A tool's parameters as JSON Schema; `values`: the mapping holds schemas by names of the tool's own."""
    if isinstance(given, list):
        return [_schema(one) for one in given]
    if not isinstance(given, dict):
        return given
    if values:
        return {name: _schema(one) for name, one in given.items()}
    made = {}
    for key, value in given.items():
        if key in ("enum", "const", "default", "examples", "example"):
            made[key] = value
        elif key == "type":
            kinds = [_KINDS.get(kind, kind) if isinstance(kind, str) else kind for kind in (value if isinstance(value, list) else [value])]
            if "any" not in kinds:
                made[key] = kinds if isinstance(value, list) else kinds[0]
        elif key == "required" and isinstance(value, bool):
            continue
        else:
            made[key] = _schema(value, values=key in ("properties", "$defs", "definitions", "patternProperties"))
    return made


def _invalid(call: Call, tools: tuple[tuple[str, dict[str, Any], jsonschema_rs.Validator], ...]) -> str:
    """What is wrong with a call, measured by the tools that were declared; empty where nothing is."""
    tool = next((one for one in tools if same_name(one[0], call.name)), None)
    if tool is None:
        return f"unknown_tool: {call.name[:40]}; declared: {', '.join(name for name, _, _ in tools)[:120]}"
    name, schema, validator = tool
    properties = schema.get("properties")
    for argument, value in call.arguments.items():
        declared = properties.get(argument) if isinstance(properties, dict) else None
        if isinstance(declared, dict) and declared.get("type") == "integer" and isinstance(value, float):
            return f"wrong_type: {name[:40]}.{argument[:40]} is {value!r}, an integer was declared"
    try:
        error = next(iter(validator.iter_errors(call.arguments)), None)
    except (ValueError, UnicodeError) as odd:
        return f"invalid_argument: {name[:40]}: {first_line(odd)}"
    if error is None:
        return ""
    where = ".".join([name[:40], *(str(step)[:40] for step in error.instance_path)])
    return f"{_WORDS.get(str(error.schema_path[-1]), 'invalid_argument')}: {where}: {first_line(error)}"
