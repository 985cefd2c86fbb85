"""One backend over several endpoints of the same model: each call goes where there is most room, and on to the next where it fails."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

from ..core.backend import Backend, Capability, Probe, Reply, Request, Vector
from ..core.errors import BackendFatal, CallError, RateLimited
from ._breaker import Event
from ._guard import estimate, tokens_of
from ._lane import Lane, Ticket

T = TypeVar("T")
_LATE_S = 0.005
"""After the end of a rest: some loops ring a little early."""


class Balance:
    """A Backend, to be driven by one Guard, which counts attempts and waits while every endpoint is down.

    A call fails (for the guard: an attempt is lost) only when each endpoint that is up has failed it. An endpoint at which
    no call can succeed (its key, its quota) is lost and the others go on; with the last one BackendFatal is raised.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        capabilities: frozenset[Capability],
        *,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.capabilities = capabilities
        self.lanes = tuple(lanes)
        self.on_event: Event = _quiet
        self._patience, self._clock, self._sleep = patience_s, clock, sleep
        self._line: deque[tuple[asyncio.Future[Ticket | None], frozenset[Lane], int]] = deque()
        self._timers: dict[Lane, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for timer in self._timers.values():
            timer.cancel()

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        need = estimate(request, n, float("inf")) if self._counting() else 0
        return await self._call(lambda backend: backend.send(request, seed=seed, n=n), need, tokens_of)

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await self._call(lambda backend: backend.embed(texts), sum(map(len, texts)) // 4)

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        need = sum(estimate(request, 0, float("inf")) for request in requests) if self._counting() else 0
        return await self._call(lambda backend: backend.score(requests), need, tokens_of)

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        return await self._call(lambda backend: backend.tokenize(messages, add_generation_prompt=add_generation_prompt), 0)

    async def probe(self) -> Probe:
        """What the endpoints have in common; `detail` says which of them answer."""
        found = await asyncio.gather(*(lane.backend.probe() for lane in self.lanes))
        there = [probe for probe in found if probe.reachable]
        told = "; ".join(
            f"{lane.name}: {'yes' if probe.reachable else 'no'}{f' ({probe.detail})' if probe.detail else ''}"
            for lane, probe in zip(self.lanes, found, strict=True)
        )
        contexts = [probe.context for probe in there if probe.context]
        spoken = next((probe for probe in there if probe.chat_template), None)
        return Probe(
            reachable=bool(there),
            detail=told,
            models=tuple(dict.fromkeys(name for probe in there for name in probe.models)),
            context=min(contexts) if contexts else None,
            chat_template=spoken.chat_template if spoken else "",
            template_from=spoken.template_from if spoken else "",
            server=", ".join(dict.fromkeys(probe.server for probe in there if probe.server)),
        )

    def up(self, lane: Lane) -> None:
        """Somebody knows that it is there again."""
        was_down = lane.down
        lane.back()
        self._look(lane, was_down)

    def down(self, lane: Lane, why: str) -> None:
        """Somebody knows that it is not there."""
        was_down = lane.down
        lane.out()
        self._look(lane, was_down, why)

    def lose(self, lane: Lane, why: str) -> None:
        """No call to it can succeed any more."""
        if not lane.lost:
            lane.lost = why
            self.on_event("endpoint_lost", {"endpoint": lane.name, "error": why})
            self._wake()

    def _counting(self) -> bool:
        return any(lane.counts_tokens for lane in self.lanes)

    async def _call(self, call: Callable[[Backend], Awaitable[T]], need: int, count: Callable[[T], int] | None = None) -> T:
        tried: frozenset[Lane] = frozenset()
        last: CallError | None = None
        while True:
            ticket = await self._admit(tried, need, last)
            try:
                return await self._send(ticket, call, need, count)
            except CallError as error:
                if not error.retryable:
                    raise
                last = error
            except BackendFatal as error:
                self.lose(ticket.lane, str(error))
            tried |= {ticket.lane}

    async def _send(self, ticket: Ticket, call: Callable[[Backend], Awaitable[T]], need: int, count: Callable[[T], int] | None) -> T:
        lane = ticket.lane
        number, started = lane.slots.sent(), self._clock()
        try:
            result = await call(lane.backend)
        except CallError as error:
            was_down = lane.down
            lane.failed(number, error, need)
            self._look(lane, was_down, str(error))
            raise
        except BaseException:
            lane.broke(number)
            raise
        finally:
            lane.release(ticket)
            self._serve()
        was_down = lane.down
        lane.succeeded(number, self._clock() - started, need, count(result) if count is not None else 0)
        self._look(lane, was_down)
        return result

    async def _admit(self, tried: frozenset[Lane], need: int, last: CallError | None) -> Ticket:
        """A slot of an endpoint that was not tried, its rates waited for. Raises `last`, RateLimited or BackendFatal where there is none."""
        while True:
            ticket = await self._place(tried, need, last)
            if not ticket.wait_s:
                return ticket
            try:
                await self._sleep(ticket.wait_s)
            except BaseException:
                self._unused(ticket, need)
                raise
            if ticket.trial or ticket.lane.up() or not any(lane.up() for lane in self.lanes):
                return ticket
            self._unused(ticket, need)  # it went down meanwhile, and another is there

    def _unused(self, ticket: Ticket, need: int) -> None:
        ticket.lane.unused(need)
        ticket.lane.release(ticket)
        self._serve()

    async def _place(self, tried: frozenset[Lane], need: int, last: CallError | None) -> Ticket:
        while True:
            lane = self._choose(tried, need) if not self._line else None
            if lane is None and not any(self._lively(lane) for lane in self.lanes if lane not in tried):
                lane = self._despite(tried, last)
            if lane is not None:
                return lane.take(need)
            place: asyncio.Future[Ticket | None] = asyncio.get_running_loop().create_future()
            self._line.append((place, tried, need))
            self._serve()
            try:
                ticket = await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled() and (given := place.result()) is not None:
                    self._unused(given, need)
                raise
            if ticket is not None:
                return ticket

    def _choose(self, tried: frozenset[Lane], need: int) -> Lane | None:
        free = [lane for lane in self.lanes if lane not in tried and lane.free()]
        return min(free, key=lambda lane: lane.load(need)) if free else None

    def _lively(self, lane: Lane) -> bool:
        """Whether it is up, and full or resting for no longer than a run is patient."""
        return lane.up() and lane.closed_until <= self._clock() + self._patience

    def _despite(self, tried: frozenset[Lane], last: CallError | None) -> Lane | None:
        """With none worth waiting for: one that is down, if there is no other way; None where its slots are full. Raises
        what is left to say where there is none."""
        left = [lane for lane in self.lanes if not lane.lost]
        if not left:
            raise BackendFatal("no endpoint of this model is left: " + "; ".join(f"{lane.name}: {lane.lost}" for lane in self.lanes))
        down = [lane for lane in left if lane.down and lane not in tried]
        if down and not any(map(self._lively, left)):
            room = [lane for lane in down if lane.slots.in_flight < lane.slots.limit]
            return min(room, key=lambda lane: lane.closed_until) if room else None
        if last is not None:
            raise last
        rest = min(lane.closed_until for lane in left) - self._clock()
        raise RateLimited("every endpoint of this model asks to be left alone", retry_after=rest)

    def _serve(self) -> None:
        """Slots to those in line, first come first served; who has been everywhere there is room lets others pass."""
        if not self._line:
            return
        kept: deque[tuple[asyncio.Future[Ticket | None], frozenset[Lane], int]] = deque()
        while self._line and any(lane.free() for lane in self.lanes):
            place, tried, need = entry = self._line.popleft()
            if place.done():
                continue
            lane = self._choose(tried, need)
            if lane is None:
                kept.append(entry)
            else:
                place.set_result(lane.take(need))
        self._line.extendleft(reversed(kept))

    def _wake(self) -> None:
        """Everybody in line looks again: what they wait for may not come any more."""
        line, self._line = self._line, deque()
        for place, _, _ in line:
            if not place.done():
                place.set_result(None)

    def _ring(self, lane: Lane) -> None:
        """When its rest or its pause is over, the line is served."""
        if (left := lane.closed_until - self._clock()) > 0:
            if (timer := self._timers.pop(lane, None)) is not None:
                timer.cancel()
            self._timers[lane] = asyncio.get_running_loop().call_later(left + _LATE_S, self._serve)

    def _look(self, lane: Lane, was_down: bool, why: str = "") -> None:
        """After something happened to an endpoint: say so where it went down or came back, and let the line know."""
        self._ring(lane)
        if lane.down and not was_down:
            self.on_event("endpoint_down", {"endpoint": lane.name, "error": why})
            self._wake()
        elif was_down and not lane.down:
            self.on_event("endpoint_up", {"endpoint": lane.name})
            self._serve()


def _quiet(what: str, details: Mapping[str, Any]) -> None:
    """Nobody listens."""
