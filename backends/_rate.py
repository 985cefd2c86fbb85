"""Requests or tokens a minute, as a bucket that owes."""

from __future__ import annotations

from collections.abc import Callable


class Bucket:
    """At most `per_minute` in any 60 seconds; holds one second's worth (at least 1) at the start.

    Whoever reserves takes at once and is told how long to sleep until what it took is there: no queue, no polling,
    first come first served by arithmetic.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        self._burst = max(1.0, per_minute / 60)
        self._rate = (per_minute - self._burst + 1) / 60
        self._level = self._burst
        self._clock = clock
        self._at = clock()

    def reserve(self, amount: float) -> float:
        """Seconds until `amount` may be used; it counts as used from now on."""
        wait = self.wait(amount)
        self._level -= amount
        return wait

    def wait(self, amount: float) -> float:
        """What `reserve` would say, without taking anything."""
        self._fill()
        return max(0.0, (amount - self._level) / self._rate)

    def give_back(self, amount: float) -> None:
        """What a reservation did not use; a negative amount where it used more."""
        self._fill()
        self._level += amount

    def _fill(self) -> None:
        now = self._clock()
        if self._level < self._burst:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
