"""One of several endpoints for a model: how hard it may be driven, whether it is there, how much it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..core.backend import Backend
from ..core.errors import CallError, RateLimited
from ._rate import Bucket
from ._slots import Slots

FAILURES = 8
"""Failures in a row after which it is out; of a connection that cannot be made, one is enough, for others are there."""
LONGEST_PAUSE_S = 30.0
LITTLE_S = 5.0
_UNMADE = ("connect_failed", "connect_deadline")


class Ticket(NamedTuple):
    """A slot of a lane, for one call."""

    lane: Lane
    wait_s: float
    """To sleep before the call goes out."""
    trial: bool
    """Whether it is the one call that shows whether a lane that is down came back."""


class Lane:
    """Up: it gets calls as far as its slots go. Resting: it asked to be left alone for a time (Retry-After). Down: after
    1, 2, 4 ... 30 s one call at a time tries it, and one that is answered brings it back. Lost: it gets none any more.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        *,
        clock: Callable[[], float],
        weight: float = 1.0,
        max_in_flight: int = 64,
        rpm: float | None = None,
        tpm: float | None = None,
    ) -> None:
        self.name, self.backend, self.weight = name, backend, weight
        self.slots = Slots(max_in_flight, clock)
        self.sent = 0
        """Calls that it got so far."""
        self.lost = ""
        """Why it is out for good."""
        self.down = False
        self.closed_until = 0.0
        """By the clock: when a rest or a pause is over."""
        self._clock = clock
        self._requests = Bucket(rpm, clock) if rpm else None
        self._tokens = Bucket(tpm, clock) if tpm else None
        self._most = int(tpm or 0)
        self._trying = False
        self._streak = 0
        self._pause = 1.0

    @property
    def counts_tokens(self) -> bool:
        return self._tokens is not None

    def up(self) -> bool:
        return not (self.lost or self.down)

    def open(self) -> bool:
        """Whether it takes calls now, if it has room."""
        return not self.lost and self._clock() >= self.closed_until and not (self.down and self._trying)

    def free(self) -> bool:
        """Whether a call can be sent to it now."""
        return self.slots.in_flight < self.slots.limit and self.open()

    def load(self, need: int) -> tuple[float, float, float]:
        """Less is better: how long its rates make a call wait (a little does not count: what waits is in flight, and so
        counted there), its calls in flight by its weight, then those it ever got."""
        wait = self._wait(need)
        return wait if wait > LITTLE_S else 0.0, self.slots.in_flight / self.weight, self.sent / self.weight

    def take(self, need: int) -> Ticket:
        """A slot, and a place in its rates."""
        self.slots.force()
        self.sent += 1
        trial = self.down and not self._trying
        self._trying = self._trying or trial
        wait = self._requests.reserve(1) if self._requests is not None else 0.0
        if self._tokens is not None:
            wait = max(wait, self._tokens.reserve(min(need, self._most)))
        return Ticket(self, wait, trial)

    def unused(self, need: int) -> None:
        """The call was never sent."""
        self.sent -= 1
        if self._requests is not None:
            self._requests.give_back(1)
        self._count(need, 0)

    def release(self, ticket: Ticket) -> None:
        self.slots.release()
        if ticket.trial:
            self._trying = False

    def succeeded(self, number: int, seconds: float, need: int, tokens: int) -> None:
        """A call was answered."""
        self.slots.succeeded(number, seconds, tokens)
        self._count(need, tokens or need)
        self.back()

    def failed(self, number: int, error: CallError, need: int) -> None:
        """A call failed."""
        refused = isinstance(error, RateLimited)
        self.slots.failed(number, refused=refused)
        self._count(need, 0)
        if refused or not error.retryable:
            self.back()
            if error.retry_after:
                self.closed_until = max(self.closed_until, self._clock() + error.retry_after)
            return
        self._streak += 1
        if not self.down:
            if error.reason in _UNMADE or self._streak >= FAILURES:
                self.out()
        elif self._clock() >= self.closed_until:
            self._pause = min(LONGEST_PAUSE_S, self._pause * 2)
            self.closed_until = self._clock() + self._pause

    def broke(self, number: int) -> None:
        """A call ended in a way that says nothing about its server (it was cancelled), or ends the lane."""
        self.slots.failed(number, refused=False)

    def out(self) -> None:
        """It is down from now on."""
        if not self.down:
            self.down, self._pause = True, 1.0
            self.closed_until = self._clock() + self._pause

    def back(self) -> None:
        """It answers."""
        self._streak = 0
        if self.down:
            self.down, self.closed_until = False, 0.0
            self.slots.restart()

    def _wait(self, need: int) -> float:
        wait = self._requests.wait(1) if self._requests is not None else 0.0
        return max(wait, self._tokens.wait(min(need, self._most))) if self._tokens is not None else wait

    def _count(self, need: int, used: int) -> None:
        if self._tokens is not None:
            self._tokens.give_back(min(need, self._most) - used)
