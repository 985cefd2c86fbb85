"""Every text of a record, visited and, where it changed, put back: turns, thinking, tool calls, columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple

from ...core.record import Conversation, Label, Media, Message, PlainText, Preference, Record, ScoredSteps, ToolCall

PlaceName = Literal["system", "prompt", "reasoning", "answer", "tools", "fields"]
PLACES: tuple[PlaceName, ...] = ("system", "prompt", "reasoning", "answer", "tools", "fields")
Visit = Callable[[PlaceName, str, str], str]
"""(place, text, what stands before it) -> the text to put there."""
_ROLES: Mapping[str, PlaceName] = {"system": "system", "user": "prompt", "assistant": "answer", "tool": "tools"}
_DEEPEST = 40
"""Levels of JSON that are walked; what is nested deeper is visited as one text."""
_LONG_NUMBER = 10**6


class Visited(NamedTuple):
    """What of a record can change."""

    content: Conversation | Preference | ScoredSteps | PlainText
    answer: str | None
    tests: str | None
    fields: Mapping[str, Any]
    labels: Mapping[str, Label]


def visited(record: Record, places: Collection[PlaceName], visit: Visit) -> Visited:
    """All texts of these places through `visit`, in a fixed order."""
    walk = _Walk(frozenset(places), visit)
    content = walk.content(record.content)
    if "fields" not in places:
        return Visited(content, record.answer, record.tests, record.fields, record.labels)
    answer = record.answer if record.answer is None else visit("fields", record.answer, "answer")
    tests = record.tests if record.tests is None else walk.json_text("fields", record.tests)
    labels = {name: visit("fields", value, name) if isinstance(value, str) else value for name, value in record.labels.items()}
    return Visited(content, answer, tests, walk.value("fields", dict(record.fields)), labels)


class _Walk:
    def __init__(self, places: frozenset[PlaceName], visit: Visit) -> None:
        self.places = places
        self.visit = visit

    def content(self, content: Conversation | Preference | ScoredSteps | PlainText) -> Conversation | Preference | ScoredSteps | PlainText:
        match content:
            case Conversation():
                tools = tuple(self.value("tools", tool) for tool in content.tools) if "tools" in self.places else content.tools
                return content.model_copy(update={"messages": self.turns(content.messages), "tools": tools})
            case Preference():
                three = {name: self.turns(getattr(content, name)) for name in ("prompt", "chosen", "rejected")}
                return content.model_copy(update=three)
            case ScoredSteps():
                steps = tuple(step.model_copy(update={"text": self.text("answer", step.text)}) for step in content.steps)
                return content.model_copy(update={"prompt": self.turns(content.prompt), "steps": steps})
            case _:
                return content.model_copy(update={"text": self.text("answer", content.text)})

    def turns(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return tuple(map(self.turn, messages))

    def turn(self, message: Message) -> Message:
        place = _ROLES[message.role]
        whole = message.content
        said: dict[str, Any] = {
            "content": self.text(place, whole) if isinstance(whole, str) else tuple(self.media(place, part) for part in whole),
            "reasoning": message.reasoning and self.text("reasoning", message.reasoning),
            "tool_calls": tuple(map(self.call, message.tool_calls)),
            "name": message.name and self.text(place, message.name),
        }
        return message.model_copy(update={name: value for name, value in said.items() if value != getattr(message, name)})

    def media(self, place: PlaceName, part: Media) -> Media:
        return part.model_copy(update={"text": self.text(place, part.text), "url": self.text(place, part.url)})

    def call(self, call: ToolCall) -> ToolCall:
        if "tools" not in self.places:
            return call
        return call.model_copy(update={"arguments": self.json_text("tools", call.arguments)})

    def text(self, place: PlaceName, text: str) -> str:
        return self.visit(place, text, "") if text and place in self.places else text

    def json_text(self, place: PlaceName, text: str) -> str:
        """JSON keeps its spelling unless something in it changed; what is no JSON is a text."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.visit(place, text, "")
        after = self.value(place, value)
        return text if after == value else json.dumps(after, ensure_ascii=False)

    def value(self, place: PlaceName, value: Any, before: str = "", depth: int = 0) -> Any:
        match value:
            case str():
                return self.visit(place, value, before)
            case bool() | None | float():
                return value
            case int():
                said = str(value) if _LONG_NUMBER <= value < 10**20 else ""
                after = self.visit(place, said, before) if said else said
                return value if after == said else after
            case dict() if depth < _DEEPEST:
                return {self.visit(place, str(key), ""): self.value(place, inner, str(key)[:80], depth + 1) for key, inner in value.items()}
            case list() | tuple() if depth < _DEEPEST:
                return [self.value(place, inner, before, depth + 1) for inner in value]
        try:
            said = json.dumps(value, ensure_ascii=False, default=str)
        except (ValueError, RecursionError):
            return None
        after = self.visit(place, said, "")
        return value if after == said else after
