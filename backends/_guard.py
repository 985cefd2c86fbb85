"""The one wrapper around every backend: in-flight limit, rates, retries, circuit breaker."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from ..core.backend import Backend, Capability, Probe, Reply, Request, Vector
from ..core.endpoint import Endpoint
from ..core.errors import BackendFatal, CallError, RateLimited
from ._breaker import Breaker, Event
from ._rate import Bucket
from ._slots import Slots

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

BASE_S = 0.5
CAP_S = 30.0
UNKNOWN_COMPLETION = 512
"""Tokens that a call without a number in max_tokens reserves from `tpm` until its usage is known."""


@runtime_checkable
class Telling(Protocol):
    """A backend that has something to tell between its calls: an endpoint of several that is down, a server that was started again."""

    on_event: Event


class _Call(Generic[T]):
    """One call over all its tries."""

    __slots__ = ("fresh", "need", "send", "tokens_of")

    def __init__(self, send: Callable[[], Awaitable[T]], need: int, tokens_of: Callable[[T], int] | None = None) -> None:
        self.send, self.need, self.tokens_of = send, need, tokens_of
        self.fresh = True
        """Whether it has not failed yet."""


class Guard:
    """Sends calls to a backend the way its endpoint allows.

    A call that succeeds at once pays for a slot and nothing else. One that fails with a retryable CallError gives its
    slot back, sleeps (full jitter: 0 to 0.5, 1, 2 ... 30 s, on top of Retry-After where the server gave one) and
    queues again, `endpoint.attempts` times in all; then its last error is raised. While the server is down calls wait
    and use up no attempts. BackendFatal and errors that are not retryable pass at once.
    """

    def __init__(
        self,
        backend: Backend,
        endpoint: Endpoint,
        *,
        rng: random.Random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_event: Event | None = None,
    ) -> None:
        self.backend = backend
        self.attempts = 0
        self.faults: Counter[str] = Counter()
        self.sleeping = 0
        """Calls asleep before a retry; they hold no slot."""
        self._endpoint = endpoint
        self._rng, self._clock, self._sleep = rng, clock, sleep
        self._slots = Slots(endpoint.max_in_flight, clock)
        self._requests = Bucket(endpoint.rpm, clock) if endpoint.rpm else None
        self._tokens = Bucket(endpoint.tpm, clock) if endpoint.tpm else None
        self._breaker = Breaker(
            attempts=endpoint.attempts,
            max_in_flight=endpoint.max_in_flight,
            patience_s=endpoint.patience_s,
            clock=clock,
            sleep=sleep,
            on_event=on_event,
        )
        self._held = 0
        if on_event is not None and isinstance(backend, Telling):
            backend.on_event = on_event

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self.backend.capabilities

    @property
    def in_flight(self) -> int:
        """Calls that hold a slot."""
        return self._slots.in_flight

    @property
    def waiting(self) -> int:
        """Calls that wait for a slot, for a rate limit or for the server to come back."""
        return self._slots.waiting + self._held

    @property
    def limit(self) -> int:
        """The present in-flight limit."""
        return self._slots.limit

    @property
    def on_slack(self) -> Callable[[], None] | None:
        """Called, synchronously, whenever a slot was freed and at most an eighth of the limit waits for one."""
        return self._slots.on_slack

    @on_slack.setter
    def on_slack(self, hook: Callable[[], None] | None) -> None:
        self._slots.on_slack = hook

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        need = estimate(request, n, self._endpoint.tpm or 0) if self._tokens is not None else 0
        return await self._run(_Call(lambda: self.backend.send(request, seed=seed, n=n), need, tokens_of))

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await self._run(_Call(lambda: self.backend.embed(texts), sum(map(len, texts)) // 4))

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        need = sum(estimate(request, 0, self._endpoint.tpm or 0) for request in requests) if self._tokens is not None else 0
        return await self._run(_Call(lambda: self.backend.score(requests), need, tokens_of))

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        return await self._run(_Call(lambda: self.backend.tokenize(messages, add_generation_prompt=add_generation_prompt), 0))

    async def probe(self) -> Probe:
        return await self.backend.probe()

    async def _run(self, call: _Call[T]) -> T:
        try:
            return await self._attempt(call)
        except CallError as error:
            if not error.retryable or self._endpoint.attempts == 1:
                raise
            first = error
        return await self._again(call, first)

    async def _attempt(self, call: _Call[T]) -> T:
        """One try that counts; tries that only show that the server is down do not. Raises what the last one raised."""
        while True:
            plain = not self._breaker.open and self._requests is None and self._tokens is None
            probing = False if plain and self._slots.try_take() else await self._admit(call.need)
            self.attempts += 1
            number, started = self._slots.sent(), self._clock()
            try:
                result = await call.send()
            except CallError as error:
                if not self._failed(call, error, number, probing):
                    raise
                continue
            except BaseException:
                self._slots.failed(number, refused=False)
                if probing:
                    self._breaker.abandoned()
                raise
            finally:
                self._slots.release()
            tokens = call.tokens_of(result) if call.tokens_of is not None else 0
            self._slots.succeeded(number, self._clock() - started, tokens)
            if self._breaker.troubled and self._breaker.answered():
                self._slots.restart()
            if self._tokens is not None:
                self._tokens.give_back(call.need - (tokens or call.need))
            return result

    def _failed(self, call: _Call[T], error: CallError, number: int, probing: bool) -> bool:
        """Whether the server is down, so that the call is to wait for it instead of counting as tried."""
        self.faults[error.reason] += 1
        if self._tokens is not None:
            self._tokens.give_back(call.need)
        self._slots.failed(number, refused=isinstance(error, RateLimited))
        was_open = self._breaker.open
        down = self._breaker.failed(error, first=call.fresh, probing=probing)
        call.fresh = False
        if was_open and not self._breaker.open:
            self._slots.restart()
        return down

    async def _admit(self, need: int) -> bool:
        """Wait for the server, the rates and a slot, in this order; True for a probe of a server that is down."""
        paid = False
        while True:
            self._held += 1
            try:
                probing = await self._breaker.enter()
                if probing:
                    self._slots.force()
                if not paid:
                    await self._pay(need, at_once=probing)
                    paid = True
                if probing:
                    return True
            finally:
                self._held -= 1
            await self._slots.take()
            if not self._breaker.open:
                return False
            self._slots.release()

    async def _pay(self, need: int, *, at_once: bool) -> None:
        wait = self._requests.reserve(1) if self._requests is not None else 0.0
        if self._tokens is not None:
            wait = max(wait, self._tokens.reserve(need))
        if not wait or at_once:
            return
        try:
            await self._sleep(wait)
        except BaseException:
            self._refund(need)
            raise

    def _refund(self, need: int) -> None:
        if self._requests is not None:
            self._requests.give_back(1)
        if self._tokens is not None:
            self._tokens.give_back(need)

    async def _again(self, call: _Call[T], first: CallError) -> T:
        """The tries after the first one, which failed with `first`."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        known: CallError | None = first

        async def next_try() -> T:
            nonlocal known
            if known is None:
                return await self._attempt(call)
            error, known = known, None
            raise error

        retrying = AsyncRetrying(
            sleep=self._rest,
            stop=stop_after_attempt(self._endpoint.attempts),
            wait=self._pause,
            retry=retry_if_exception(lambda error: isinstance(error, CallError) and error.retryable),
            reraise=True,
        )
        return await retrying(next_try)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds before the next try. Raises BackendFatal where the server asks for more than the endpoint's patience."""
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after if isinstance(error, CallError) and error.retry_after else 0.0
        if asked > max(self._endpoint.patience_s, CAP_S):
            message = f"the server asks to come back in {asked:.0f} s ({error}); run the same command again then, nothing is lost"
            raise BackendFatal(message) from error
        return asked + self._rng.uniform(0, min(CAP_S, BASE_S * 2 ** (state.attempt_number - 1)))

    async def _rest(self, seconds: float) -> None:
        self.sleeping += 1
        try:
            await self._sleep(seconds)
        finally:
            self.sleeping -= 1


def estimate(request: Request, n: int, per_minute: float) -> int:
    """Tokens of a call before it is sent: four characters each, and its max_tokens; never more than a minute's worth."""
    prompt = request.prompt
    size = len(prompt) if isinstance(prompt, tuple) else (len(prompt) + sum(len(str(m.get("content"))) for m in request.messages)) // 4
    most = request.sampling.max_tokens
    made = most if isinstance(most, int) else UNKNOWN_COMPLETION
    return int(min(size + made * n, per_minute))


def tokens_of(replies: list[Reply]) -> int:
    return sum(reply.usage.prompt_tokens + reply.usage.completion_tokens for reply in replies)
