"""Guarded YAML: plain data out of text, event by event, without recursion and without ever building an object.

Scalars mean what a recipe's author means, not what YAML 1.1 says: `no` is a language code, `1e6` a number, `1:30` text.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from ..core.errors import RecipeError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_DIGITS = 300
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9](?:_?[0-9])*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"[-+]?0[0-9_]+(?:\.[0-9]*)?")


class Mark(NamedTuple):
    """Where a value stands in the file."""

    line: int
    """From 1."""
    text: str = ""
    """Of a scalar: as it was written."""
    inner: Mapping[str | int, Mark] = types.MappingProxyType({})


def build(text: str, source: str) -> tuple[Any, Mark]:
    """The data and its marks. Raises RecipeError naming `source` and the line for whatever is not plain YAML."""
    return _Builder(source).build(text)


class _Open:
    """A mapping or list that is being filled."""

    def __init__(self, value: dict[str, Any] | list[Any], line: int, parent_key: str | int, flow: bool) -> None:
        self.value = value
        self.line = line
        self.inner: dict[str | int, Mark] = {}
        self.parent_key = parent_key
        self.key: str | None = None
        self.key_line = line
        self.flow = flow


class _Builder:
    """Turns YAML events into data and marks; refuses what a recipe has no need of."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.stack: list[_Open] = []
        self.done: list[tuple[Any, Mark]] = []

    def build(self, text: str) -> tuple[Any, Mark]:
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            raise RecipeError(f"{size:,} bytes; a recipe has at most {MAX_BYTES:,}. Put the data into a file and name it", self.source)
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            mark = getattr(error, "problem_mark", None)
            told = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
            if "nesting" in told:  # libyaml's own limit, met while it reads ahead of the events
                raise self._refuse(f"nested deeper than {MAX_DEPTH} levels", mark.line + 1 if mark else 1) from error
            if "cannot start any token" in told and "\t" in text:
                told += " (a tab? YAML is indented by spaces)"
            raise self._refuse(f"this is not YAML: {told}", mark.line + 1 if mark else 1) from error
        if not self.done:
            raise self._refuse("the file is empty", 1)
        return self.done[0]

    def _refuse(self, message: str, line: int) -> RecipeError:
        return RecipeError(message, f"{self.source}:{line}")

    def _take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(f"an alias (`*{event.anchor}`); aliases are not taken, write the value out", line)
        if getattr(event, "anchor", None):
            raise self._refuse(f"an anchor (`&{event.anchor}`); anchors are not taken, write the value out", line)
        if getattr(event, "tag", None):
            raise self._refuse(f"a tag (`{event.tag}`); tags are not taken", line)
        if isinstance(event, yaml.DocumentStartEvent) and self.done:
            raise self._refuse("a second document; a recipe is one", line)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event.value, plain=event.style in (None, ""), line=line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line, bool(event.flow_style))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self.stack.pop()
            self._put(closed.value, Mark(closed.line, inner=closed.inner))

    def _open(self, value: dict[str, Any] | list[Any], line: int, flow: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self._refuse(f"nested deeper than {MAX_DEPTH} levels", line)
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise self._refuse("a list or mapping as a key; keys are plain words", line)
        self.stack.append(_Open(value, line, "", flow))

    def _scalar(self, text: str, *, plain: bool, line: int) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            if text in top.value:
                raise self._refuse(f"{text!r} is written twice; the first is on line {top.inner[text].line}", line)
            top.key, top.key_line = text, line
            return
        try:
            value = plain_scalar(text) if plain else text
        except RecipeError as error:
            raise self._refuse(str(error), line) from error
        self._put(value, Mark(line, text))

    def _put(self, value: Any, mark: Mark) -> None:
        if not self.stack:
            self.done.append((value, mark))
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.inner[len(top.value)] = mark
            top.value.append(value)
        elif top.key is not None:
            top.inner[top.key] = mark._replace(line=top.key_line)
            top.value[top.key] = value
            top.key = None


def plain_scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means. Raises RecipeError for numbers that mean different things to different readers."""
    if text in _WORDS:
        return _WORDS[text]
    if _OCTAL.fullmatch(text):
        raise RecipeError(f"{text} starts with a zero: is it octal or decimal? Write the number without it, or quote it to mean text")
    if not (_INT.fullmatch(text) or _HEX.fullmatch(text) or _FLOAT.fullmatch(text)):
        return text
    if len(text) > MAX_DIGITS:
        raise RecipeError(f"a number of {len(text)} characters; quote it to mean text")
    if _INT.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 16 if text.startswith("0x") else 10)
    value = float(text)
    if not math.isfinite(value):
        raise RecipeError(f"{text} is too large a number")
    return value


def kind_of(value: Any) -> str:
    """What a value is, in words a recipe's author uses."""
    if value is None:
        return "nothing"
    if value in ([], {}):
        return "an empty list" if value == [] else "an empty mapping"
    words: Mapping[type, str] = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
    return words.get(type(value), "a number")
