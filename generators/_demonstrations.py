"""Demonstrations for few-shot wordings: given in the recipe, or taken from a file of records."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationInfo

from ..core.beside import beside, body_of
from ..core.frozen import Frozen

MAX_BYTES = 64 * 1024 * 1024


class Demonstration(Frozen):
    """One example of what is wanted."""

    text: str
    """What was written."""
    persona: str = ""
    """Whose it is."""


def demonstrations_of(given: tuple[Demonstration, ...] | str, info: ValidationInfo) -> tuple[tuple[Demonstration, ...], str]:
    """The demonstrations, and a hash of the file that they come from. Raises ValueError, naming file and line."""
    if not isinstance(given, str):
        return given, ""
    path = beside(given, info)
    body = body_of(path, "file of demonstrations", most=MAX_BYTES)
    found = tuple(_read(body, path))
    if not found:
        raise ValueError(f"{path} holds no demonstrations")
    return found, blake2b(body, digest_size=8).hexdigest()


def shown(one: Demonstration, *, with_persona: bool, language: str) -> str:
    """A demonstration as it stands in a wording."""
    if not with_persona:
        return one.text
    return f"[{'人物' if language == 'zh' else 'Person'}] {one.persona}\n{one.text}"


def _read(body: bytes, path: Path) -> Iterator[Demonstration]:
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: not valid JSON: {error}") from error
        text, persona = (_text(row), _persona(row)) if isinstance(row, dict) else ("", "")
        if not text:
            raise ValueError(f"{path}:{number}: no demonstration: expected `text` (and `persona`), or a record with `messages`")
        yield Demonstration(text=text, persona=persona)


def _text(row: dict[str, Any]) -> str:
    """The text of a row, or of a record its first user turn."""
    if isinstance(row.get("text"), str):
        return str(row["text"]).strip()
    turns = row.get("messages")
    said = (
        (turn.get("content") for turn in turns if isinstance(turn, dict) and turn.get("role") == "user") if isinstance(turns, list) else ()
    )
    return next((text.strip() for text in said if isinstance(text, str)), "")


def _persona(row: dict[str, Any]) -> str:
    labels = row.get("labels")
    value = row.get("persona") or (labels.get("persona") if isinstance(labels, dict) else "")
    return value.strip() if isinstance(value, str) else ""
