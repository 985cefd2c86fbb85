"""How many calls may be in flight: a FIFO line before a limit that follows what the server can take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

SPORADIC = 0.2
"""Share of 429s in a round trip up to which they count as noise: the limit then comes back at once."""
CLEAN_ROUNDS = 3
"""Round trips without a 429 after which the ceiling doubles."""
LEAST_ROUND = 16
RESTART = 8


class Slots:
    """Slots for calls, first come first served.

    Outcomes are judged once a round trip: a round ends when as many calls have come back as were in flight when it
    began, calls sent before it not counted. A round with a share s of 429s lowers the limit to (1 - s) of itself, which
    is what the server did take, and at most to half. Up to SPORADIC the former limit stays the ceiling, above it the
    lowered one does. Below the ceiling every success adds one (slow start); at the ceiling every clean round adds one
    and CLEAN_ROUNDS in a row double it, up to `most`.

    Latency alone lowers nothing: a server that queues answers later, but as many. Only where, with all slots taken, the
    median time of a call has passed four times the best one *and* the rate of tokens (or calls) has fallen below 0.7
    of the best one, two rounds in a row, the limit goes down by a tenth, never below half of `most`.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.most = self.limit = self._ceiling = most
        self.in_flight = 0
        self.waiting = 0
        self.on_slack: Callable[[], None] | None = None
        self._clock = clock
        self._line: deque[asyncio.Future[None]] = deque()
        self._clean = self._slow = 0
        self._best_time, self._best_rate = float("inf"), 0.0
        self._begin()

    def try_take(self) -> bool:
        """A slot, if one is free and nobody waits."""
        if self.in_flight < self.limit and not self.waiting:
            self.in_flight += 1
            return True
        return False

    def force(self) -> None:
        """A slot beyond the limit, for the one probe of a dead server."""
        self.in_flight += 1

    async def take(self) -> None:
        if self.try_take():
            return
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self.waiting += 1
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self.waiting -= 1
            else:
                self.release()
            raise

    def release(self) -> None:
        self.in_flight -= 1
        self._let_in()

    def succeeded(self, started: float, tokens: int) -> None:
        """A call sent at `started` came back with so many tokens (0 where nobody counted)."""
        if self.limit < self._ceiling:
            self.limit += 1
        self._work += tokens or 1
        if started >= self._since:
            self._times.append(self._clock() - started)
            self._count()

    def refused(self, started: float) -> None:
        """A call sent at `started` was answered 429."""
        if started >= self._since:
            self._refused += 1
            self._count()

    def restart(self) -> None:
        """After a pause: a few calls first, then one more for each success."""
        self.limit = min(self.limit, RESTART)
        self._begin()

    def _let_in(self) -> None:
        while self.in_flight < self.limit and self.waiting:
            place = self._line.popleft()
            if not place.done():
                self.waiting -= 1
                self.in_flight += 1
                place.set_result(None)
        if self.on_slack is not None and self.waiting * 8 <= self.limit:
            self.on_slack()

    def _begin(self) -> None:
        self._since = self._clock()
        self._round = max(LEAST_ROUND, min(self.limit, self.in_flight))
        self._refused = self._work = 0
        self._times: list[float] = []

    def _count(self) -> None:
        if len(self._times) + self._refused >= self._round:
            self._judge()
            self._begin()

    def _judge(self) -> None:
        share = self._refused / (len(self._times) + self._refused)
        if share:
            self._clean = 0
            before, self.limit = self.limit, max(1, self.limit // 2, int(self.limit * (1 - share)))
            self._ceiling = self.limit if share > SPORADIC else max(self._ceiling, before)
        elif self._degraded():
            self._clean = 0
            self._ceiling = self.limit = max(1, self.most // 2, int(self.limit * 0.9))
        else:
            self._rise()

    def _rise(self) -> None:
        self._clean += 1
        if self.limit < self._ceiling or self._ceiling == self.most:
            return
        self._ceiling = min(self.most, self._ceiling * 2 if self._clean >= CLEAN_ROUNDS else self._ceiling + 1)
        self.limit += 1

    def _degraded(self) -> bool:
        """Whether the last two rounds were both much slower and less productive than the best ones seen."""
        if self.in_flight < 0.9 * self.limit:
            return False
        median = sorted(self._times)[len(self._times) // 2]
        rate = self._work / max(1e-6, self._clock() - self._since)
        self._best_time = min(self._best_time, median)
        self._best_rate = max(self._best_rate * 0.99, rate)
        self._slow = self._slow + 1 if median > 4 * self._best_time and rate < 0.7 * self._best_rate else 0
        return self._slow >= 2
