"""The parts of a record that filters look at: prompt, reasoning, answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from ..core.record import Message, PlainText, Record
from ..core.think import CLOSE, OPEN

PartName = Literal["prompt", "reasoning", "answer"]
TAG = re.compile(r"</?think>", re.IGNORECASE)


def split_message(message: Message) -> tuple[str, str]:
    """Reasoning and answer of an assistant turn, `""` where there is none.

    Reasoning that is a field of its own is taken from there; otherwise raw `<think>` tags in the text are read. The
    answer is what follows the last closing tag; with an unclosed block there is none.
    """
    text = message.text
    before, closing, after = text.rpartition(CLOSE)
    if message.reasoning is not None:
        return message.reasoning, after
    if closing:
        return before.strip().removeprefix(OPEN), after
    opened, opening, thinking = text.partition(OPEN)
    return (thinking, "") if opening and not opened.strip() else ("", text)


def parts_of(record: Record, wanted: Iterable[PartName]) -> dict[PartName, str]:
    """The wanted parts that hold something, by name.

    Plain text counts as an answer. A record without an assistant turn (a seed, a question) has only its prompt, which is
    then taken whatever is wanted.
    """
    if isinstance(record.content, PlainText):
        found: dict[PartName, str] = {"answer": record.content.text}
    elif record.response is None:
        return {"prompt": record.prompt} if record.prompt.strip() else {}
    else:
        reasoning, answer = split_message(record.response)
        found = {"prompt": record.prompt, "reasoning": reasoning, "answer": answer}
    return {name: found[name] for name in wanted if found.get(name, "").strip()}


def was_cut(record: Record) -> bool:
    """Whether the answer stopped at its token limit, by `finish_reason`: a label, a detail of the last step, or, where no model of a
    run wrote anything, a column of the row."""
    given = record.labels.get("finish_reason")
    if given is None and record.lineage:
        given = record.lineage[-1].detail.get("finish_reason")
    if given is None and not any(step.model for step in record.lineage):
        given = record.fields.get("finish_reason")
    return given == "length"


def shown(text: str, most: int = 80) -> str:
    """A piece of text for a reason: one line, cut to `most` characters, without halves of surrogate pairs."""
    line = " ".join(text.split())
    line = line if line.isascii() else line.encode("utf-8", "replace").decode()
    return line if len(line) <= most else line[: most - 1] + "…"
