"""What a run may spend: each call reserves its most before it is sent, and settles what it really took."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import Field

from ..core.backend import Request, Usage
from ..core.endpoint import Price
from ..core.errors import BudgetExhausted
from ..core.frozen import Frozen

MESSAGE_OVERHEAD = 16
"""Tokens that a chat template adds around a message, at most."""


class Budget(Frozen):
    """Ceilings; an absent one does not bind. They add up over resumes and count retries, not reused answers."""

    tokens: int | None = Field(default=None, gt=0)
    """Prompt and completion tokens."""
    dollars: float | None = Field(default=None, gt=0)
    """Needs a `price` on every model that the recipe calls."""
    hours: float | None = Field(default=None, gt=0)
    """Of run time, over all sessions; calls in flight at the end are still awaited."""
    candidates: int | None = Field(default=None, gt=0)
    """Candidates started, over all stages."""


def dollars(usage: Usage, price: Price | None) -> float:
    if price is None:
        return 0.0
    cached = price.input if price.cached is None else price.cached
    fresh = usage.prompt_tokens - usage.cached_tokens
    return (fresh * price.input + usage.cached_tokens * cached + usage.completion_tokens * price.output) / 1e6


def most_prompt_tokens(request: Request) -> int:
    """An upper bound without the model's tokenizer: no token is shorter than a byte."""
    if isinstance(request.prompt, tuple):
        return len(request.prompt)
    size = len(request.prompt.encode("utf-8", "surrogatepass"))
    for message in request.messages:
        content = message.get("content")
        size += MESSAGE_OVERHEAD + (len(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else len(str(content)))
    if request.tools or request.json_schema:
        size += len(str(request.tools)) + len(str(request.json_schema or ""))
    return size


@dataclass(slots=True)
class Purse:
    """The budget of one run as it is spent. Used from one event loop."""

    limits: Budget
    tokens: int = 0
    dollars: float = 0.0
    seconds_before: float = 0.0
    """Run time of earlier sessions."""
    clock: Callable[[], float] = time.monotonic
    exhausted: str = ""
    """Which ceiling stopped the run, once one has."""
    _reserved_tokens: int = 0
    _reserved_dollars: float = 0.0
    _open: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _started: float = 0.0

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def seconds(self) -> float:
        return self.seconds_before + self.clock() - self._started

    @property
    def binds(self) -> bool:
        return self.limits.tokens is not None or self.limits.dollars is not None

    def out_of_time(self) -> bool:
        hours = self.limits.hours
        return hours is not None and self.seconds >= hours * 3600

    async def reserve(self, tokens: int, cost: float) -> None:
        """Set aside the most that a call can take; waits while calls in flight may still give room back.

        Raises BudgetExhausted when it does not fit although nothing is in flight.
        """
        if self.out_of_time():
            self._stop(f"hours: {self.limits.hours}")
        while not self._fits(tokens, cost):
            if not self._open:
                self._stop(self._ceiling(tokens, cost))
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        if self.exhausted:
            self._stop(self.exhausted)
        self._reserved_tokens += tokens
        self._reserved_dollars += cost
        self._open += 1

    def settle(self, tokens: int, cost: float, used: Usage, paid: float) -> None:
        """Replace a reservation by what was really used."""
        self._reserved_tokens -= tokens
        self._reserved_dollars -= cost
        self._open -= 1
        self.spend(used, paid)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def spend(self, used: Usage, paid: float) -> None:
        self.tokens += used.total
        self.dollars += paid

    def _fits(self, tokens: int, cost: float) -> bool:
        limits = self.limits
        if limits.tokens is not None and self.tokens + self._reserved_tokens + tokens > limits.tokens:
            return False
        return limits.dollars is None or self.dollars + self._reserved_dollars + cost <= limits.dollars

    def _ceiling(self, tokens: int, cost: float) -> str:
        if self.limits.tokens is not None and self.tokens + tokens > self.limits.tokens:
            return f"tokens: {self.limits.tokens:,} (spent {self.tokens:,}; the next call may take {tokens:,})"
        return f"dollars: {self.limits.dollars} (spent {self.dollars:.4f}; the next call may cost {cost:.4f})"

    def _stop(self, ceiling: str) -> None:
        self.exhausted = ceiling
        state = "used up" if self.tokens or self.dollars else "too small for a single call (lower max_tokens?)"
        raise BudgetExhausted(f"the budget is {state}: {ceiling}")
