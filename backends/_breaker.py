"""Stops asking a server that is down, looks after it with single probes, and gives up when patience ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..core.errors import BackendFatal, BadResponse, CallError, DeadlineExceeded, RateLimited, Rejected

FAILURES = 8
LEAST_S = 2.0
LONGEST_PAUSE_S = 30.0

Event = Callable[[str, Mapping[str, Any]], None]


class Breaker:
    """Closed: calls pass. Open: they wait, and one at a time is sent as a probe after 1, 2, 4 ... 30 seconds.

    It opens after FAILURES failures in a row (Disconnected, ServerFault, connect deadline; any answer in between starts
    anew) over at least LEAST_S seconds. Some prompts kill a server's worker or its answer, so failures after the
    connection was made count only where FAILURES calls (or as many as may be in flight) failed for their first time: a
    few poison prompts that are tried again and again at the end of a run are no outage. A connection that cannot be
    made is nobody's prompt: it needs neither that nor LEAST_S, nor more failures than a call has attempts, so that no
    record fails because the server is not there.
    """

    def __init__(
        self,
        *,
        attempts: int,
        max_in_flight: int,
        patience_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_event: Event | None,
    ) -> None:
        self.open = False
        self.troubled = False
        """Whether `answered` has anything to do."""
        self.probes = 0
        self._attempts, self._patience = attempts, patience_s
        self._fresh_needed = min(FAILURES, max(2, max_in_flight))
        self._clock, self._sleep, self._on_event = clock, sleep, on_event
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._watch: object | None = None
        self._dead = ""
        self._forget()

    async def enter(self) -> bool:
        """Wait while open. True: this call is the probe, and must end in `answered`, `failed` or `abandoned`. Raises BackendFatal."""
        while self.open:
            if self._dead:
                raise BackendFatal(self._dead)
            if self._watch is not None:
                await self._wait()
                continue
            mine = self._watch = object()
            try:
                await self._sleep(max(0.0, self._next - self._clock()))
            except BaseException:
                if self._watch is mine:
                    self.abandoned()
                raise
            if self._watch is mine:
                self.probes += 1
                return True
        return False

    def answered(self) -> bool:
        """The server answered something. True where that ended a pause."""
        was_open = self.open
        if was_open:
            self.open, self._watch = False, None
            self._tell("resumed", {"down_s": self._clock() - self._opened, "probes": self.probes})
            self._wake(len(self._waiters))
        self._forget()
        return was_open

    def failed(self, error: CallError, *, first: bool, probing: bool) -> bool:
        """A call failed (for its `first` time). True where the server is down: the call should wait for it instead of failing."""
        if isinstance(error, RateLimited | Rejected | BadResponse):
            self.answered()
            return False
        unmade = error.reason in ("connect_failed", "connect_deadline")
        if not probing and not unmade and isinstance(error, DeadlineExceeded):
            return False
        if not self.open:
            self._count(first, unmade)
            if self._is_down():
                self._open(error)
        elif probing:
            self._still_down(error)
        return self.open

    def abandoned(self) -> None:
        """The probe was cancelled or could not be sent: the next one in line takes over."""
        self._watch = None
        self._wake(1)

    def _forget(self) -> None:
        self.troubled = False
        self._streak, self._since, self._unmade = 0, 0.0, False
        self._fresh = 0

    def _count(self, first: bool, unmade: bool) -> None:
        if not self._streak:
            self._since = self._clock()
        self.troubled = True
        self._streak += 1
        self._fresh += first
        self._unmade = self._unmade or unmade

    def _is_down(self) -> bool:
        if self._unmade:
            return self._streak >= min(FAILURES, self._attempts)
        lasting = self._clock() - self._since >= LEAST_S
        return self._streak >= FAILURES and lasting and self._fresh >= self._fresh_needed

    def _open(self, error: CallError) -> None:
        self.open = True
        self.probes = 0
        self._opened = self._clock()
        self._pause = 1.0
        self._plan()
        self._tell("paused", {"reason": error.reason, "error": str(error), "failures": self._streak})

    def _plan(self) -> None:
        """When the next probe goes out: after the pause, or when patience ends."""
        self._next = min(self._clock() + self._pause, max(self._clock(), self._opened + self._patience))

    def _still_down(self, error: CallError) -> None:
        self._watch = None
        down_s = self._clock() - self._opened
        if down_s >= self._patience:
            self._dead = f"backend down for {down_s:.0f} s: {error}; start it and run the same command again, nothing is lost"
            self._wake(len(self._waiters))
            return
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2)
        self._plan()
        self._wake(1)

    async def _wait(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiters.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._wake(1)
            raise

    def _wake(self, count: int) -> None:
        while count and self._waiters:
            place = self._waiters.popleft()
            if not place.done():
                place.set_result(None)
                count -= 1

    def _tell(self, what: str, details: Mapping[str, Any]) -> None:
        if self._on_event is not None:
            self._on_event(what, details)
