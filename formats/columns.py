"""From a row of somebody's file to a seed record: which column is what, and the shapes that conversations come in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

import orjson
from pydantic import ValidationError

from ..core import think
from ..core.backend import Reply
from ..core.errors import RecipeError
from ..core.record import Conversation, Media, Message, PlainText, Preference, Record, Role, ToolCall

NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "question", "instruction", "problem", "query", "input"),
    "messages": ("messages", "conversations", "conversation"),
    "answer": ("answer", "final_answer", "gold", "gold_answer", "solution"),
    "tests": ("tests", "test_cases"),
    "system": ("system", "system_prompt"),
    "tools": ("tools",),
}
"""Columns that are recognised without `fields:`, the likeliest first."""

RESPONSES: Mapping[str, tuple[str, ...]] = {
    "response": ("response", "completion", "output"),
    "reasoning": ("reasoning", "reasoning_content", "thinking"),
    "text": ("text", "document"),
    "chosen": ("chosen",),
    "rejected": ("rejected",),
}
"""Further ones, of records that are to be judged: they hold an answer, a better and a worse one, or are plain text."""

ROLES: Mapping[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "ipython": "tool",
}
FIELD_BYTES = 16 * 1024
"""A further column's value that is longer as JSON is not carried along."""
DEPTH = 32
"""Nesting of a value at most."""


class BadRow(ValueError):
    """A row that gives no seed; the message says why."""


class Columns:
    """Which column is what, decided once from the columns that the first rows have.

    Raises RecipeError where a column named in `fields` does not exist, or none can be taken for the prompt.
    """

    def __init__(self, fields: Mapping[str, str], seen: Iterable[str], where: str, *, responses: bool = False) -> None:
        """`responses`: rows are records to judge rather than seeds, so that a `response` closes the conversation."""
        names = list(dict.fromkeys(seen))
        for ours, theirs in fields.items():
            if theirs not in names:
                raise RecipeError(f"there is no column {theirs!r} (for {ours!r}) in {where}; {_listed(names)}", "seeds.fields")
        known = {**NAMES, **RESPONSES} if responses else NAMES
        self.column = {ours: fields.get(ours) or _found(known[ours], names, fields) for ours in known}
        if "prompt" in fields:
            self.column["messages"] = fields.get("messages")
        elif self.column["messages"] and ("messages" in fields or not self.column["prompt"]):
            self.column["prompt"] = None
        elif self.column["prompt"]:
            self.column["messages"] = None
        elif not self.column.get("text") and not self._paired:
            raise RecipeError(f"no column of {where} looks like a prompt; {_listed(names)}", "seeds.fields")
        if self.column["prompt"] or self.column["messages"]:
            self.column["text"] = None
        self.input = "input" if self.column["prompt"] == "instruction" and "prompt" not in fields and "input" in names else None
        self.renamed = {theirs: ours for ours, theirs in fields.items() if ours not in known}
        self.used = {column for column in self.column.values() if column} | ({self.input} if self.input else set())

    def record(self, row: Any, raw: bytes = b"") -> Record:
        """The seed that a row describes. Raises BadRow."""
        if not isinstance(row, dict):
            raise BadRow(f"expected an object with columns, got {_named(row)}")
        if self.column.get("text"):
            return self._document(row)
        if self._paired:
            return self._pair(row)
        messages = self._messages(row)
        system = self._get(row, "system")
        if isinstance(system, str) and system and messages[0].role != "system":
            messages = (Message(role="system", content=system), *messages)
        messages += self._response(row)
        try:
            return Record(
                content=Conversation(messages=messages, tools=_tools(self._get(row, "tools"))),
                answer=_text(self._get(row, "answer"), self.column["answer"], raw),
                tests=_text(self._get(row, "tests")),
                fields=self._fields(row),
            )
        except ValidationError as error:
            raise BadRow(_short(error)) from error

    def _get(self, row: Mapping[str, Any], ours: str) -> Any:
        column = self.column.get(ours)
        return row.get(column) if column else None

    def _response(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        """The answer that closes the conversation, where it has a column of its own: text, or messages."""
        value = self._get(row, "response")
        if value is None:
            return ()
        if isinstance(value, list):
            return conversation(value)
        if not isinstance(value, str):
            raise BadRow(f"{self.column['response']!r} must be text or a list of messages, got {_named(value)}")
        return (_message({"role": "assistant", "content": value, "reasoning": self._get(row, "reasoning")}, "the response"),)

    def _document(self, row: Mapping[str, Any]) -> Record:
        text = self._get(row, "text")
        if not isinstance(text, str) or not text.strip():
            raise BadRow(f"no text in {self.column['text']!r}")
        return Record(content=PlainText(text=text), fields=self._fields(row))

    @property
    def _paired(self) -> bool:
        return bool(self.column.get("chosen") and self.column.get("rejected"))

    def _pair(self, row: Mapping[str, Any]) -> Record:
        """A better and a worse answer, as texts or as messages; without a prompt of its own it is what both begin with."""
        prompt = self._messages(row) if self.column["prompt"] or self.column["messages"] else ()
        chosen, rejected = (self._answer(row, name) for name in ("chosen", "rejected"))
        if not prompt or chosen[: len(prompt)] == prompt:
            shared = sum(
                1 for _ in takewhile(lambda pair: pair[0] == pair[1] and pair[0].role != "assistant", zip(chosen, rejected, strict=False))
            )
            prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
        if not prompt or not chosen or not rejected:
            raise BadRow("a pair needs a prompt (a column of its own, or the turns that both begin with), and two answers")
        answer = _text(self._get(row, "answer"), self.column["answer"])
        return Record(content=Preference(prompt=prompt, chosen=chosen, rejected=rejected), answer=answer, fields=self._fields(row))

    def _answer(self, row: Mapping[str, Any], name: str) -> tuple[Message, ...]:
        value = self._get(row, name)
        if isinstance(value, list):
            return conversation(value)
        if not isinstance(value, str):
            raise BadRow(f"{name!r} must be text or a list of messages, got {_named(value)}")
        return (_message({"role": "assistant", "content": value}, name),)

    def _fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Further columns, carried along."""
        return {self.renamed.get(name, name): value for name, value in row.items() if name not in self.used and _carried(name, value)}

    def _messages(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        ours = "prompt" if self.column["prompt"] else "messages"
        column, value = self.column[ours], self._get(row, ours)
        if value is None:
            raise BadRow(f"no {column!r}; it has {', '.join(map(repr, row)) or 'no columns'}")
        if isinstance(value, list):
            return conversation(value)
        if not isinstance(value, str):
            raise BadRow(f"{column!r} must be text or a list of messages, got {_named(value)}")
        if not value.strip():
            raise BadRow(f"{column!r} is empty")
        more = row.get(self.input) if self.input else None
        return (Message(role="user", content=f"{value}\n\n{more}" if isinstance(more, str) and more.strip() else value),)


def conversation(turns: list[Any]) -> tuple[Message, ...]:
    """Messages from OpenAI's shape (role, content) or ShareGPT's (from, value). Raises BadRow."""
    if not turns:
        raise BadRow("the conversation has no messages")
    return tuple(_message(turn, f"message {n}") for n, turn in enumerate(turns, 1))


def _message(turn: Any, where: str) -> Message:
    if not isinstance(turn, dict):
        raise BadRow(f"{where}: expected an object with role and content, got {_named(turn)}")
    given = turn.get("role", turn.get("from"))
    role = ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        raise BadRow(f"{where}: unknown role {given!r}; there are: {', '.join(ROLES)}")
    content = _content(turn.get("content", turn.get("value")), where)
    reasoning = next((turn[name] for name in ("reasoning", "reasoning_content", "thinking") if turn.get(name)), None)
    if reasoning is None and role == "assistant" and isinstance(content, str) and content.lstrip().startswith(think.OPEN):
        thought = think.split(Reply(text=content))
        if thought.closed:
            reasoning, content = thought.reasoning, thought.answer
    try:
        return Message(
            role=role,
            content=content,
            reasoning=reasoning,
            tool_calls=tuple(_call(call, where) for call in turn.get("tool_calls") or ()),
            tool_call_id=turn.get("tool_call_id"),
            name=turn.get("name"),
        )
    except ValidationError as error:
        raise BadRow(f"{where}: {_short(error)}") from error


def _content(value: Any, where: str) -> str | tuple[Media, ...]:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise BadRow(f"{where}: content must be text or a list of parts, got {_named(value)}")
    parts = tuple(_part(part, where) for part in value)
    return "".join(part.text for part in parts) if all(part.type == "text" for part in parts) else parts


def _part(part: Any, where: str) -> Media:
    kind = str(part.get("type", "text")).removesuffix("_url") if isinstance(part, dict) else ""
    if kind == "text" and isinstance(part.get("text"), str):
        return Media(type="text", text=part["text"])
    if kind not in ("image", "audio", "video"):
        raise BadRow(f"{where}: a part of the content must be text, image, audio or video")
    place = part.get(f"{kind}_url", part.get("url", ""))
    url = place.get("url", "") if isinstance(place, dict) else place
    if not isinstance(url, str) or not url or url.startswith("data:"):
        raise BadRow(f"{where}: media are given by reference (a URL or path), not as bytes")
    return Media(type=kind, url=url, sha256=str(part.get("sha256", "")))


def _call(call: Any, where: str) -> ToolCall:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadRow(f"{where}: a tool call needs a name")
    arguments = function.get("arguments")
    return ToolCall(id=str(call.get("id") or ""), name=function["name"], arguments=_text(arguments) or "{}")


def _tools(value: Any) -> tuple[dict[str, Any], ...]:
    if isinstance(value, str) and value:
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise BadRow(f"tools: not valid JSON: {error}") from error
    if _deep(value, DEPTH):
        raise BadRow(f"tools: nested more than {DEPTH} levels deep")
    return tuple(value) if isinstance(value, list) else ()


def _text(value: Any, column: str | None = None, raw: bytes = b"") -> str | None:
    """A reference as text: text as it is, anything else as JSON; a number as its row spells it (7.50, 10**40)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and raw:
        value = json.loads(raw, parse_float=str, parse_int=str).get(column, value)
        if isinstance(value, str):
            return value
    return orjson.dumps(value).decode()


def _found(likely: Iterable[str], names: list[str], fields: Mapping[str, str]) -> str | None:
    taken = set(fields.values())
    return next((name for name in likely if name in names and name not in taken), None)


def _carried(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= FIELD_BYTES
    if not isinstance(value, dict | list):
        return value is not None
    if _deep(value, DEPTH):
        raise BadRow(f"{name!r} is nested more than {DEPTH} levels deep")
    return len(orjson.dumps(value)) <= FIELD_BYTES


def _deep(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        inner = [v.values() if isinstance(v, dict) else v for v in layer if isinstance(v, dict | list)]
        if not inner:
            return False
        layer = [v for values in inner for v in values]
    return True


def _named(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)


def _listed(names: list[str]) -> str:
    example = names[0] if names else "question"
    return f"its columns: {', '.join(names) or 'none'}; map them in the recipe, for example `fields: {{prompt: {example}}}`"


def _short(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
