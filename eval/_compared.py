"""What of a record is compared with other records, and the numbers that a text holds."""

from __future__ import annotations

import re
from typing import Literal

from ..core.record import PlainText, Record

By = Literal["all", "prompt", "response"]
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def compared(record: Record, by: By) -> str:
    """All turns (without their reasoning), the last user turn, or the closing assistant turn; of plain text the text."""
    if isinstance(record.content, PlainText) or by == "prompt":
        return record.prompt
    if by == "response":
        return record.response.text if record.response else ""
    return "\n".join(f"{message.role}\n{message.text}" for message in record.messages if message.text.strip())


def numbers(text: str) -> tuple[str, ...]:
    """All numbers of a text, sorted; `1,000` is `1000`. Two problems whose numbers differ are two problems."""
    return tuple(sorted(found.replace(",", "").lstrip("0") or "0" for found in _NUMBER.findall(text)))


def name_of(record: Record) -> str:
    """The record's id."""
    return record.id
