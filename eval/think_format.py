"""Refuse records whose last turn is not one closed thinking part and one answer."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..core.part import Check
from ..core.record import Message, Record, Verdict
from ._boxes import boxes
from ._parts import TAG, shown, was_cut


class ThinkFormat(Check):
    """Closed thinking, then exactly one answer, and nothing cut off.

    Reads thinking from the message's own reasoning field, or from raw `<think>` tags in its text (records from
    elsewhere; a text with only the closing tag counts as opened by the chat template). A reply that stopped at its
    token limit is refused as `truncated` even where it looks whole.
    """

    version: ClassVar[str] = "2"

    min_chars: int = Field(default=0, ge=0)
    """Characters of thinking at least."""
    max_chars: int | None = Field(default=None, ge=1)
    """Characters of thinking at most."""
    allow_empty: bool = False
    """Whether thinking may be left out as Qwen3 does it with `enable_thinking=false`: a closed block with nothing in it."""
    require_boxed: bool = False
    r"""Whether the answer must hold a `\boxed{}`."""

    def check(self, record: Record) -> Verdict:
        message = record.response
        if message is None:
            return self.refused("no_response: the last turn is not the assistant's")
        if was_cut(record):
            return self.refused("truncated: the reply stopped at its token limit")
        parts = _parted(message)
        if isinstance(parts, str):
            return self.refused(parts)
        thinking, answer = (part.strip() for part in parts)
        reason = self._flaw(thinking, answer)
        sizes = {"thinking_chars": len(thinking), "answer_chars": len(answer)}
        return self.refused(reason, **sizes) if reason else self.kept(**sizes)

    def _flaw(self, thinking: str, answer: str) -> str:
        if TAG.search(thinking):
            return f"several_thinking_blocks: the thinking holds another {_tag(thinking)}"
        if not thinking and not self.allow_empty:
            return "empty_thinking: there is nothing between the thinking tags"
        if tags := {tag.lower() for tag in TAG.findall(answer)}:
            return f"{'several_thinking_blocks' if len(tags) == 2 else 'tag_in_answer'}: the answer holds {' and '.join(sorted(tags))}"
        if not answer:
            return "empty_answer: nothing follows the thinking"
        if thinking and len(thinking) < self.min_chars:
            return f"short_thinking: {len(thinking)} characters, at least {self.min_chars} wanted"
        if self.max_chars is not None and len(thinking) > self.max_chars:
            return f"long_thinking: {len(thinking)} characters, at most {self.max_chars} wanted"
        if self.require_boxed and not boxes(answer):
            return f"no_boxed: the answer holds no \\boxed{{}}: {shown(answer[-200:])}"
        return ""


def _parted(message: Message) -> tuple[str, str] | str:
    """Thinking and answer, split at the first closing tag; or the reason why it cannot be parted."""
    text = message.text
    if message.reasoning is not None:
        return message.reasoning, text
    tags = list(TAG.finditer(text))
    if not tags:
        return "no_thinking: the reply holds no thinking"
    start = 0
    if tags[0].group()[1] != "/":
        if before := text[: tags[0].start()].strip():
            return f"text_before_thinking: {shown(before)}"
        start = tags[0].end()
    close = next((tag for tag in tags if tag.group()[1] == "/"), None)
    if close is None:
        return "unclosed_thinking: a thinking block was opened and never closed"
    return text[start : close.start()], text[close.end() :]


def _tag(text: str) -> str:
    found = TAG.search(text)
    return found.group() if found else ""
