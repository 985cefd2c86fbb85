"""What can be asked of a persona: the form that is filled in, and the content that it becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import Refused
from ..core.record import Conversation, PlainText, user
from ._forms import Field, Form
from ._persona_checks import DECLINED

TaskName = Literal["math_problem", "logic_puzzle", "instruction", "knowledge_text", "tool_definition", "game_character"]
Body = Conversation | PlainText
SOLVED = re.compile(
    r"^[ \t>*#]{0,9}(?:(?:answer|solution|step 1)\b[ *]{0,4}[:：]|(?:答案|解答|解析|解)[ *]{0,4}[:：])[ *]{0,4}\s{0,9}\S|\\boxed\s{0,3}\{|^####\s*-?[\d.,]+\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""A problem that goes on to its own solution."""
_PARAMETER = re.compile(
    r"^[`*]{0,2}(?P<name>\w+)[`*]{0,2}\s*[(（]\s*(?P<kind>\w+)\s*(?:[,，、]\s*(?P<need>required|optional|必填|必需|可选|选填))?\s*[)）]\s*[:：]\s*(?P<text>\S.*)$",
    re.IGNORECASE | re.ASCII,
)
_KINDS: Mapping[str, dict[str, Any]] = {
    "string": {"type": "string"}, "str": {"type": "string"}, "text": {"type": "string"}, "date": {"type": "string"},
    "number": {"type": "number"}, "float": {"type": "number"}, "integer": {"type": "integer"}, "int": {"type": "integer"},
    "boolean": {"type": "boolean"}, "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}}, "array": {"type": "array", "items": {"type": "string"}},
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{1,63}")


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of text that a persona gives rise to."""

    form: Form
    made: Callable[[Mapping[str, Any]], Body]
    """Raises Refused."""
    least: int
    """Characters of the text at least."""
    asks: bool = False
    """Whether it is a question that can be answered."""


def _question(name: str, *, solvable: bool = False) -> Callable[[Mapping[str, Any]], Body]:
    def made(values: Mapping[str, Any]) -> Body:
        text = values[name]
        if solvable and SOLVED.search(text):
            raise Refused("solved", f"the problem holds its own solution: {text[-200:]!r}")
        return Conversation(messages=(user(text),))

    return made


def _text(values: Mapping[str, Any]) -> Body:
    return PlainText(text=f"{values['title']}\n\n{values['text']}")


def _character(values: Mapping[str, Any]) -> Body:
    return PlainText(text=f"{values['name']}\n\n{values['character']}")


def _tool(values: Mapping[str, Any]) -> Body:
    name = values["name"].strip("`*() ").replace("-", "_").replace(" ", "_")
    if not _NAME.fullmatch(name):
        raise Refused("bad_tool", f"no name of a function: {values['name'][:80]!r}")
    schema = {
        "type": "function",
        "function": {"name": name, "description": values["description"], "parameters": parameters(values["parameters"])},
    }
    return Conversation(messages=(user(values["request"]),), tools=(schema,))


def parameters(lines: list[str]) -> dict[str, Any]:
    """A JSON schema of lines like `city (string, required): where to look`. Raises Refused(`bad_tool`) for a line of another kind."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for line in lines:
        found = _PARAMETER.match(line[:500])
        kind = _KINDS.get(found["kind"].lower()) if found else None
        if found is None or kind is None or found["name"] in properties:
            raise Refused("bad_tool", f"no parameter of the form `name (type, required): meaning`: {line[:120]!r}")
        properties[found["name"]] = {**kind, "description": found["text"].strip()}
        if (found["need"] or "required").lower() not in ("optional", "可选", "选填"):
            required.append(found["name"])
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TASKS: Mapping[TaskName, Task] = {
    "math_problem": Task(Form((Field("idea", required=False), Field("problem"))), _question("problem", solvable=True), 30, asks=True),
    "logic_puzzle": Task(Form((Field("idea", required=False), Field("puzzle"))), _question("puzzle", solvable=True), 60, asks=True),
    "instruction": Task(Form((Field("instruction"),)), _question("instruction"), 15, asks=True),
    "knowledge_text": Task(Form((Field("title"), Field("text"))), _text, 200),
    "tool_definition": Task(Form((Field("name"), Field("description"), Field("parameters", "texts"), Field("request"))), _tool, 10),
    "game_character": Task(Form((Field("name"), Field("character"))), _character, 120),
}  # fmt: skip


def content_of(task: Task, values: Mapping[str, Any]) -> Body:
    """What the filled form becomes. Raises Refused: `assistant_voice`, `too_short`, `solved`, `bad_tool`."""
    body = task.made(values)
    text = text_of(body)
    if DECLINED.match(text):
        raise Refused("assistant_voice", text[:200])
    if len(text) < (task.least if text.isascii() else task.least // 3):
        raise Refused("too_short", f"{len(text)} characters: {text!r}")
    return body


def text_of(body: Body) -> str:
    """The words of the content."""
    return body.text if isinstance(body, PlainText) else body.messages[-1].text
