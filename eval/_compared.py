"""What of a record is compared with other records, and the numbers that a text holds."""

from __future__ import annotations

import re
from typing import Literal

from ..core.record import Message, PlainText, Preference, Record

By = Literal["all", "prompt", "response"]
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def compared(record: Record, by: By) -> str:
    """All turns (without their reasoning; of a pair the rejected ones too), the last user turn, or the closing assistant turn; of
    plain text the text. Calls of tools and media (by hash or address) are part of a turn."""
    if isinstance(record.content, PlainText):
        return record.content.text
    if by == "prompt":
        return next((_said(message) for message in reversed(record.messages) if message.role == "user"), "")
    if by == "response":
        return _said(record.response) if record.response else ""
    turns: list[tuple[str, str]] = [(message.role, _said(message)) for message in record.messages]
    if isinstance(record.content, Preference):
        turns += [("rejected", _said(message)) for message in record.content.rejected]
    return "\n".join(f"{role}\n{text}" for role, text in turns if text.strip())


def _said(message: Message) -> str:
    if not message.tool_calls and isinstance(message.content, str):
        return message.content
    media = () if isinstance(message.content, str) else (part.sha256 or part.url for part in message.content if part.type != "text")
    return "\n".join(filter(None, (message.text, *media, *(f"{call.name} {call.arguments}" for call in message.tool_calls))))


def numbers(text: str) -> tuple[str, ...]:
    """All numbers of a text, sorted; `1,000` is `1000`. Two problems whose numbers differ are two problems."""
    return tuple(sorted(found.replace(",", "").lstrip("0") or "0" for found in _NUMBER.findall(text)))
