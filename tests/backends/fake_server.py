"""A server in virtual time, and its guard."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from contract import asking
from datalchemy.backends._guard import Guard
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply, Request, Sampling, Usage

Answer = Callable[["Fake", str], Awaitable[str]]


class Fake:
    """A server in virtual time: `answer(fake, prompt)` is what a call does; `sent` says when each prompt arrived."""

    capabilities = frozenset({"chat"})

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: dict[str, list[float]] = {}
        self.open = self.most_open = 0

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        prompt = str(request.messages[-1]["content"])
        self.sent.setdefault(prompt, []).append(asyncio.get_running_loop().time())
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return [Reply(text=await self.answer(self, prompt), usage=Usage(prompt_tokens=10, completion_tokens=90))]
        finally:
            self.open -= 1

    @property
    def times(self) -> list[float]:
        return sorted(time for times in self.sent.values() for time in times)


def guarded(
    answer: Answer, *, events: list[Any] | None = None, kind: type[Guard] = Guard, seed: int = 1, **settings: Any
) -> tuple[Fake, Guard]:
    """A fake and its guard on the running loop's clock."""
    fake = Fake(answer)
    clock = asyncio.get_running_loop().time
    report = None if events is None else (lambda what, details: events.append((round(clock(), 3), what, dict(details))))
    return fake, kind(fake, Scripted(**settings), rng=Random(seed), clock=clock, sleep=asyncio.sleep, on_event=report)  # type: ignore[arg-type]


async def told(guard: Guard, prompt: str = "Hi") -> str:
    return (await guard.send(asking(prompt, Sampling()), seed=1))[0].text


async def outcomes(guard: Guard, count: int) -> Counter[str]:
    """How `count` different calls at once ended."""
    ended = await asyncio.gather(*(told(guard, f"p{i}") for i in range(count)), return_exceptions=True)
    return Counter(type(end).__name__ if isinstance(end, BaseException) else "ok" for end in ended)


def failing(error: Callable[[], Exception], times: int = 10**9) -> Answer:
    """Fails each prompt's first `times` attempts."""

    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.01)
        if len(fake.sent[prompt]) <= times:
            raise error()
        return prompt

    return answer
