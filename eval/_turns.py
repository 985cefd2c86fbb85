"""All texts of a record, with the part that each belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..core.record import Message, PlainText, Preference, Record
from ._parts import PartName, split_message


def turns_of(record: Record, wanted: Iterable[PartName]) -> Iterator[tuple[PartName, str]]:
    """Every turn: of the assistant reasoning and answer, of everybody else `prompt`; the rejected answer and the reference, too.

    Plain text counts as prompt and answer at once, and is given whatever of the two is wanted.
    """
    wanted = set(wanted)
    if isinstance(record.content, PlainText):
        if wanted & {"prompt", "answer"}:
            yield "answer", record.content.text
    else:
        rejected = record.content.rejected if isinstance(record.content, Preference) else ()
        for message in (*record.messages, *rejected):
            yield from ((part, text) for part, text in _parts(message) if part in wanted and text.strip())
    if record.answer and "answer" in wanted:
        yield "answer", record.answer


def _parts(message: Message) -> Iterator[tuple[PartName, str]]:
    if message.role != "assistant":
        yield "prompt", message.text
        return
    reasoning, answer = split_message(message)
    yield "reasoning", reasoning
    yield "answer", answer
    for call in message.tool_calls:
        yield "answer", call.arguments
