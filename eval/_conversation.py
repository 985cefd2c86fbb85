"""Records as a reward model is to see them, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.backend import Model
from ..core.record import Message, PlainText, Record
from ._parts import shown, split_message


def conversation(record: Record, *, thinking: bool) -> tuple[Message, ...] | None:
    """The turns up to the closing answer, which `thinking` shows with what was thought before it; None where there is no answer to score."""
    last = record.response
    if last is None or isinstance(record.content, PlainText):
        return None
    reasoning, answer = split_message(last)
    text = f"{reasoning.strip()}\n\n{answer.strip()}" if thinking and reasoning.strip() else answer.strip()
    if not text and not last.tool_calls:
        return None
    return (*record.messages[:-1], last.model_copy(update={"content": text, "reasoning": None}))


def family(record: Record) -> tuple[str, str]:
    """What makes records answers to one prompt: the root seed they come from, and all turns before the answer."""
    turns = record.messages[:-1] if record.response is not None else record.messages
    return record.lineage[0].parent if record.lineage else "", "\n".join(f"{turn.role}\n{turn.text}" for turn in turns)


async def scores(records: Sequence[Record], model: Model, *, thinking: bool) -> list[float | str]:
    """The raw score of each record, or why there is none."""
    seen = {at: turns for at, record in enumerate(records) if (turns := conversation(record, thinking=thinking))}
    replies = dict(zip(seen, await model.score(list(seen.values())), strict=True)) if seen else {}
    found: list[float | str] = ["nothing_to_score: the record has no answer"] * len(records)
    for at, reply in replies.items():
        found[at] = reply.values[0] if reply.values else f"not_scored: {shown(reply.text) or 'the model gave no score'}"
    return found
