"""What strategies do with turns: which ones to send, how a system turn is drawn, what a reply becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from itertools import chain, repeat
from typing import TypeVar

from ..core.backend import Reply
from ..core.errors import Refused, RunStopped
from ..core.part import Tools
from ..core.record import Media, Message, PlainText, Record, ToolCall, system, user
from ..core.think import split

T = TypeVar("T")

System = str | tuple[str, ...] | None
"""A system prompt, or a pool to draw one from for each seed."""


def asked(seed: Record) -> tuple[Message, ...]:
    """The turns up to the last user turn, without thinking. Raises Refused(`no_prompt`) where nobody asked anything."""
    turns = (user(seed.content.text),) if isinstance(seed.content, PlainText) else seed.messages
    last = max((i for i, turn in enumerate(turns) if turn.role == "user"), default=-1)
    if last < 0 or not turns[last].content:
        raise Refused("no_prompt", "the seed has no user turn; name its column with `seeds: {fields: {prompt: COLUMN}}`")
    return without_thinking(turns[: last + 1])


def without_thinking(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The turns as they are sent: chat templates drop the reasoning of earlier turns, so it is not paid for."""
    return tuple(turn if turn.reasoning is None else turn.model_copy(update={"reasoning": None}) for turn in turns)


def drawn(pool: System, tools: Tools) -> str:
    """The system prompt for this seed; empty: none."""
    return tools.rng("system").choice(pool) if isinstance(pool, tuple) and pool else (pool if isinstance(pool, str) else "")


def led_by(text: str, turns: Sequence[Message]) -> tuple[Message, ...]:
    """The turns behind a system turn of that text, which replaces their own; unchanged where it is empty."""
    if not text:
        return tuple(turns)
    return (system(text), *(turn for turn in turns if turn.role != "system"))


def reworded(turn: Message, text: str) -> Message:
    """The same user turn with another text; media stay."""
    if isinstance(turn.content, str):
        return turn.model_copy(update={"content": text})
    media = tuple(part for part in turn.content if part.type != "text")
    return turn.model_copy(update={"content": (*media, Media(type="text", text=text))})


def replied(reply: Reply, *, opened: bool = False) -> Message:
    """A reply as the assistant's turn, thinking split off; `opened` says that its thinking needs no opening tag."""
    thought = split(reply, opened=opened)
    calls = tuple(ToolCall.model_validate(call) for call in reply.tool_calls)
    return Message(role="assistant", content=thought.answer, reasoning=thought.reasoning, tool_calls=calls)


def waves(most: int, sizes: Sequence[int]) -> Iterator[range]:
    """The sample numbers of each wave, `most` in all; the last size repeats."""
    start = 0
    for size in chain(sizes, repeat(sizes[-1])):
        if start >= most:
            return
        yield range(start, min(start + size, most))
        start += size


async def together(calls: Sequence[Awaitable[T]]) -> list[T]:
    """The results in order, all awaited at once.

    Raises what stops the run, else the first error in that order, and only when all have ended: what is in flight is
    paid for, so it is stored.
    """
    if len(calls) == 1:
        return [await calls[0]]
    results = await asyncio.gather(*map(_boxed, calls), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise next((error for error in errors if isinstance(error, RunStopped)), errors[0])
    return [result[0] for result in results if not isinstance(result, BaseException)]


async def _boxed(call: Awaitable[T]) -> tuple[T]:
    """A result that is itself an exception is none that was raised."""
    return (await call,)
