"""The run seen from outside: a snapshot twice a second, for the progress display and in the ledger for other processes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping

from .asking import Asker
from .budget import Purse
from .journal import Ledger
from .plan import Plan
from .pump import Pump
from .recipe import Recipe
from .snapshot import Snapshot, Spent

PERIOD_S = 0.5
WINDOW_S = 30.0
"""Rates are taken over the last so many seconds."""


def spent(askers: Mapping[str, Asker], purse: Purse) -> Spent:
    """Totals over all models and sessions."""
    totals = [asker.totals() for asker in askers.values()]
    priced = all(asker.endpoint.effective_price for asker in askers.values())
    return Spent(
        calls=int(sum(t["calls"] for t in totals)),
        reused=int(sum(t["reused"] for t in totals)),
        retries=int(sum(t["retries"] for t in totals)),
        prompt_tokens=int(sum(t["prompt_tokens"] for t in totals)),
        completion_tokens=int(sum(t["completion_tokens"] for t in totals)),
        dollars=sum(t["dollars"] for t in totals) if priced else None,
        seconds=purse.seconds,
    )


class Watcher:
    """Takes snapshots, hands them to `watch`, and keeps totals and the last snapshot in the ledger."""

    def __init__(
        self,
        recipe: Recipe,
        plan: Plan,
        pump: Pump,
        ledger: Ledger,
        purse: Purse,
        askers: Mapping[str, Asker],
        watch: Callable[[Snapshot], None] | None,
    ) -> None:
        self.recipe = recipe
        self.plan = plan
        self.pump = pump
        self.ledger = ledger
        self.purse = purse
        self.askers = askers
        self.watch = watch
        self.state = ""
        self._past: deque[tuple[float, int, int]] = deque()

    async def loop(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            if self.purse.out_of_time():
                self.pump.stop("budget")
            if self.pump.stopping:
                self.pump.wake()
            self.tick()

    def tick(self) -> None:
        """Take one snapshot and keep it."""
        snapshot = self.snapshot()
        for name, asker in self.askers.items():
            self.ledger.spend(name, asker.totals())
        self.ledger.set("seconds", self.purse.seconds)
        self.ledger.set("snapshot", snapshot.model_dump(mode="json"))
        if self.watch is not None:
            try:
                self.watch(snapshot)
            except Exception as error:  # a display that fails (a closed pipe) must not cost the run its end
                self.watch = None
                self.ledger.event(time.time(), "watch_failed", {"error": repr(error)})

    def snapshot(self) -> Snapshot:
        tally = self.pump.flow.tally
        totals = spent(self.askers, self.purse)
        accepted = self.pump.accepted
        a_minute, tokens = self._rates(accepted, totals.completion_tokens)
        left = (self.recipe.target or 0) - accepted
        return Snapshot(
            name=self.recipe.name,
            target=self.recipe.target,
            counts=tally.counts(self.plan.last),
            kinds=self._kinds(),
            stages=tally.stages(),
            reasons=tally.top_reasons(),
            spent=totals,
            in_flight=sum(asker.guard.in_flight for asker in self.askers.values()),
            waiting=sum(asker.guard.waiting for asker in self.askers.values()),
            accepted_per_minute=a_minute,
            tokens_per_second=tokens,
            eta_s=left * 60 / a_minute if a_minute and left > 0 else None,
            state=self.state or self._state(),
        )

    def _kinds(self) -> dict[str, tuple[int, int]]:
        quota, have = self.pump.quota, self.pump.flow.tally.kinds
        return {kind: (have[kind], number) for kind, number in quota.wanted.items()} if quota is not None and quota.by else {}

    def _state(self) -> str:
        paused = [asker.paused for asker in self.askers.values() if asker.paused]
        if paused:
            return f"paused: {paused[0]}"
        return "draining" if self.pump.stopping or self.pump.reached() else "running"

    def _rates(self, accepted: int, tokens: int) -> tuple[float, float]:
        """Accepted a minute and completion tokens a second, over the last half minute."""
        now = time.monotonic()
        self._past.append((now, accepted, tokens))
        while now - self._past[0][0] > WINDOW_S and len(self._past) > 1:
            self._past.popleft()
        then, accepted_then, tokens_then = self._past[0]
        elapsed = now - then
        if elapsed <= 0:
            return 0.0, 0.0
        return (accepted - accepted_then) * 60 / elapsed, (tokens - tokens_then) / elapsed
