"""How many calls may be in flight: a FIFO line before a limit that follows what the server can take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

SPORADIC = 0.2
"""Share of 429s in a round up to which they count as noise: the limit then comes back at once."""
CLEAN_ROUNDS = 3
"""Rounds in a row without a 429 before the ceiling rises; twice as many after each overload, up to MOST_ROUNDS."""
MOST_ROUNDS = 24
LEAST_ROUND = 32
RESTART = 8


class Slots:
    """Slots for calls, first come first served.

    The limit is judged once a round: a round is as many calls as were in flight when it began, and ends when nine in
    ten of them have come back, so it lasts about as long as one answer. A share s of 429s in it up to SPORADIC lowers
    the limit to (1 - s) of itself, and the former limit stays the ceiling. A higher share lowers limit and ceiling to
    the number of calls that the server had in work on average (the seconds of its answers by the seconds of the
    round), and at most to half; right after a rise, to the limit before it. Below the ceiling every success adds one
    (slow start). At the ceiling, once there were enough clean rounds in a row, each further one adds 1, 2, 4 ... up to
    `most`.

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
        self._clean = self._slow = self._round = 0
        self._needed, self._step, self._good = CLEAN_ROUNDS, 1, 0
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
                self._let_in()
            else:
                self.release()
            raise

    def release(self) -> None:
        self.in_flight -= 1
        self._let_in()

    def sent(self) -> int:
        """A call goes out; the number says which round it belongs to (0: none)."""
        if not self._missing:
            return 0
        self._missing -= 1
        return self._round

    def succeeded(self, number: int, seconds: float, tokens: int) -> None:
        """A call came back after so long, with so many tokens (0 where nobody counted)."""
        if self.limit < self._ceiling:
            self.limit += 1
        self._work += tokens or 1
        self._seconds += seconds
        if number == self._round:
            self._times.append(seconds)
            self._back()

    def failed(self, number: int, *, refused: bool) -> None:
        """A call came back with an error, 429 or another."""
        if number == self._round:
            self._refused += refused
            self._lost += not refused
            self._back()

    def restart(self) -> None:
        """After a pause: a few calls first, then one more for each success."""
        self.limit = min(self.limit, RESTART)
        self._begin()

    def _let_in(self) -> None:
        while self.in_flight < self.limit and self._line:
            place = self._line.popleft()
            if not place.done():
                self.waiting -= 1
                self.in_flight += 1
                place.set_result(None)
        if self.on_slack is not None and self.waiting * 8 <= self.limit:
            self.on_slack()

    def _begin(self) -> None:
        self._since = self._clock()
        self._round += 1
        self._missing = min(self.limit, max(LEAST_ROUND, self.in_flight))
        self._enough = max(1, self._missing * 9 // 10)
        self._refused = self._lost = self._work = 0
        self._seconds = 0.0
        self._times: list[float] = []

    def _back(self) -> None:
        if len(self._times) + self._refused + self._lost >= self._enough:
            self._judge()
            self._begin()

    def _judge(self) -> None:
        share = self._refused / max(1, len(self._times) + self._refused)
        if share > SPORADIC:
            self._lower(self._good or max(self.limit // 2, min(self.limit - 1, self._in_work())))
            self._good = 0
            self._needed = min(MOST_ROUNDS, self._needed * 2)
        elif share:
            self._clean = 0
            self._ceiling = max(self._ceiling, self.limit)
            self.limit = max(1, int(self.limit * (1 - share)))
        elif self._degraded():
            self._lower(max(self.most // 2, int(self.limit * 0.9)))
        else:
            self._rise()

    def _in_work(self) -> int:
        """Calls that the server had in work on average in this round."""
        return int(self._seconds / max(1e-6, self._clock() - self._since))

    def _lower(self, limit: int) -> None:
        self.limit = self._ceiling = max(1, limit)
        self._clean, self._step = 0, 1

    def _rise(self) -> None:
        self._clean += 1
        if self._clean < self._needed or self.limit < self._ceiling or self._ceiling == self.most:
            return
        self._good = self.limit
        self.limit = self._ceiling = min(self.most, self._ceiling + self._step)
        self._step *= 2
        if self._ceiling == self.most:
            self._needed, self._good = CLEAN_ROUNDS, 0

    def _degraded(self) -> bool:
        """Whether the last two rounds were both much slower and less productive than the best ones seen."""
        if self.in_flight < 0.9 * self.limit or not self._times:
            return False
        median = sorted(self._times)[len(self._times) // 2]
        rate = self._work / max(1e-6, self._clock() - self._since)
        self._best_time = min(self._best_time, median)
        self._best_rate = max(self._best_rate * 0.99, rate)
        self._slow = self._slow + 1 if median > 4 * self._best_time and rate < 0.7 * self._best_rate else 0
        return self._slow >= 2
