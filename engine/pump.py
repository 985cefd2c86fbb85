"""Launching root seeds: enough to keep every model full, no more than the target needs, in seed order, without barriers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import orjson

from ..core.errors import BudgetExhausted, DatalchemyError, RunPaused, RunStopped
from ..core.record import Conversation, Record
from ..formats.seeds import BadSeed
from .asking import Asker
from .feed import Fed
from .flow import Flow, Root, dead_letter
from .journal import Ledger
from .ledger import LedgerReader, Settled, pack
from .plan import Plan

CHUNK = 256
"""Seeds read at a time, on a thread."""
BURST = 32
"""Roots launched before the event loop gets its turn."""
DEATHS = 3
"""Deaths of a process after which the seed it was busy with is not tried again."""


class Pump:
    """Owns the roots in flight. `run` returns when the target is reached, the seeds are used up, or it was stopped."""

    def __init__(
        self,
        flow: Flow,
        plan: Plan,
        ledger: Ledger,
        reader: LedgerReader,
        seeds: Iterator[Fed],
        askers: Mapping[str, Asker],
        *,
        candidates: int | None,
        drains: bool,
    ) -> None:
        self.flow = flow
        self.plan = plan
        self.ledger = ledger
        self.reader = reader
        self.seeds = seeds
        self.askers = list(askers.values())
        self.quota = flow.quota
        self.candidates = candidates
        self.drains = drains
        """Whether roots in flight are awaited once the target is reached (the first N in seed order), or dropped."""
        self._gathers = any(asker.endpoint.gathers for asker in self.askers)
        self.width = sum(asker.endpoint.max_in_flight for asker in self.askers) or 64
        self.window = max(1024, 32 * self.width)
        self.live: set[asyncio.Task[None]] = set()
        self.done_roots = reader.done_roots()
        self._settled = sum(reader.counts().values())
        """Candidates of the roots that are done."""
        self._most = math.ceil(self._settled / self.done_roots) if self.done_roots else 1
        """The most candidates that one root has given."""
        self.trust = 1 + min(15.0, (self.quota.total if self.quota else 0) / 8)
        """How many roots that give one record each are counted in with those that are done."""
        self.exhausted = False
        self.filled = reader.last_root()
        """Seeds up to here were launched by earlier sessions: those that are pending among them are done in any case, so that
        the first N in seed order are the same with and without an interruption."""
        self._next = 0
        self.stopping: RunStopped | DatalchemyError | str = ""
        """Why nothing more is launched."""
        self.bug: BaseException | None = None
        """An error of our own, raised by a root's task."""
        self._wake = asyncio.Event()
        self._chunk: list[Fed] = []
        self._deaths = reader.deaths()

    async def run(self, *, out_of_time: Callable[[], bool]) -> None:
        for asker in self.askers:
            asker.guard.on_slack = self._wake.set
        try:
            while not self._finished():
                if out_of_time() and not self.stopping:
                    self.stop("budget")
                if await self._launch_some():
                    await asyncio.sleep(0)
                elif self._finished():
                    break
                else:
                    self._wake.clear()
                    await self._wake.wait()
                    await self.ledger.writer.room()
                if self.bug is not None:
                    raise self.bug
        finally:
            await self._cancel_live()

    def stop(self, why: RunStopped | DatalchemyError | str) -> None:
        """Launch nothing more. A string drains what is in flight; a fatal error drops it (it stays pending)."""
        if not self.stopping or (isinstance(why, DatalchemyError) and not self.dropping):
            self.stopping = why
        self._wake.set()

    def wake(self) -> None:
        """Look again at whether there is anything to do."""
        self._wake.set()

    @property
    def dropping(self) -> bool:
        """Whether what is in flight is to be dropped rather than awaited."""
        if (
            self.stopping == "interrupted"
            and any(asker.paused for asker in self.askers)
            and not any(a.guard.in_flight for a in self.askers)
        ):
            return True  # nothing would come of waiting for a server that is down
        if isinstance(self.stopping, str):
            return not self.drains and self._filled()
        return not isinstance(self.stopping, (BudgetExhausted, RunPaused))

    @property
    def target(self) -> int | None:
        return self.quota.total if self.quota is not None else None

    @property
    def accepted(self) -> int:
        """Accepted records that count towards the target."""
        tally = self.flow.tally
        return self.quota.filled(tally.kinds) if self.quota is not None else tally.accepted(self.plan.last)

    def _filled(self) -> bool:
        return self.quota is not None and not self.quota.open(self.flow.tally.kinds)

    def reached(self) -> bool:
        return self._filled() and not self._behind()

    def _behind(self) -> bool:
        """Whether seeds of earlier sessions are still to be done."""
        return self._next <= self.filled and not self.exhausted

    def _finished(self) -> bool:
        if self.dropping:
            return True
        return not self.live and bool(self.stopping or self.exhausted or self.reached())

    def _yield(self) -> float:
        """Accepted records, of kinds of which there are too few, that a root in flight is expected to give.

        The first results weigh little: a few early refusals would launch seeds that nobody needs, and a launch is not taken
        back (simulated for 10 to 200 records: half the surplus for 4 % more time).
        """
        tally = self.flow.tally
        useful = sum(tally.kinds[kind] for kind in self.quota.open(tally.kinds)) if self.quota is not None else self.accepted
        return (useful + self.trust) / (self.done_roots + self.trust)

    def _wanted(self) -> bool:
        """Whether another seed is to be launched now."""
        if self.stopping or self.exhausted or not self._within():
            return False
        return self._room() and (self._behind() or self._needed())

    def _needed(self) -> bool:
        if self.reached():
            return False
        return self.target is None or not self.live or self.accepted + len(self.live) * self._yield() < self.target

    def _within(self) -> bool:
        """Whether another seed fits into the budget of candidates, by the most that a seed has given so far.

        The first goes alone; where a model gathers calls, which would take a whole batch for it, as many go as surely fit.
        """
        if self.candidates is None:
            return True
        if not self.done_roots and self.live:
            return self._gathers and self._settled + (len(self.live) + 1) * self.plan.most <= self.candidates
        if self._settled + (len(self.live) + 1) * self._most <= self.candidates:
            return True
        if not self.live:
            self.stop("budget")
        return False

    def _room(self) -> bool:
        """Whether the models, and the line before an ordered filter, can take another seed.

        As many seeds as calls fit; more (while seeds are in filters or wait for a commit) only where a model has a free slot.
        """
        lines = sum(turnstile.line for turnstile in self.plan.turnstiles)
        active = len(self.live) - lines
        if lines >= self.window or active >= 2 * self.width:
            return False
        if active < self.width:
            return True
        return any(asker.guard.in_flight < asker.guard.limit and not asker.guard.waiting for asker in self.askers)

    async def _launch_some(self) -> int:
        launched = 0
        while launched < BURST and self._wanted():
            if not self._chunk and not await self._read():
                break
            if not self._wanted():  # what was just read lies beyond what earlier sessions left
                break
            fed = self._chunk.pop()
            self._next = fed.ordinal + 1
            self._launch(fed)
            launched += 1
        return launched

    async def _read(self) -> bool:
        """Fetch the next seeds; False when there are none."""
        chunk: list[Fed] = []
        while not chunk:
            read = await asyncio.to_thread(list, islice(self.seeds, CHUNK))
            chunk = read if self.plan.ordered else [fed for fed in read if not fed.done]
            if not read:
                break
        self._chunk = chunk[::-1]
        self.exhausted = not chunk
        if chunk:
            self._next = chunk[0].ordinal
        return bool(chunk)

    def _launch(self, fed: Fed) -> None:
        task = asyncio.get_running_loop().create_task(self._again(fed) if fed.done else self._root(fed))
        self.live.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self.live.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.bug = self.bug or error
        self._wake.set()

    async def _root(self, fed: Fed) -> None:
        settled = self._settled_at_once(fed)
        if settled is not None:
            self.flow.tally.start(settled.stage)
            self.flow.tally.settle(settled)
            self.ledger.settle([settled])
            self.done_roots += 1
            self._settled += 1
            await self._pass_through(fed.ordinal)
            return
        root = Root(self.flow, fed.ordinal, fed.seed)  # type: ignore[arg-type]
        try:
            rows = await root.run()
            self.ledger.settle(rows)
            self.done_roots += 1
            self._settled += len(rows)
            self._most = max(self._most, len(rows))
        except RunStopped as stopped:
            root.abandon()
            self.stop(stopped)
            for turnstile in self.plan.turnstiles:
                turnstile.close(fed.ordinal, stopped)
        except asyncio.CancelledError:
            root.abandon()
            raise
        except DatalchemyError as error:
            root.abandon()
            self.stop(error)

    def _settled_at_once(self, fed: Fed) -> Settled | None:
        """Rows that give no seed, and seeds that processes died of."""
        if isinstance(fed.seed, BadSeed):
            note = orjson.dumps({"message": fed.seed.reason, "raw": fed.seed.raw.decode("utf-8", "replace")})
            empty = Record(content=Conversation(), origin=f"row {fed.seed.row}")
            return Settled(
                (fed.ordinal, 0),
                0,
                self.plan.names[0],
                "failed",
                empty.id,
                "BadSeed",
                f"bad_seed: {fed.seed.reason}"[:500],
                None,
                empty.dump(),
                note,
            )
        deaths = self._deaths.get(fed.ordinal, 0)
        return dead_letter(fed.ordinal, fed.seed, self.plan.names[0], deaths) if deaths >= DEATHS else None

    async def _pass_through(self, ordinal: int) -> None:
        for turnstile in self.plan.turnstiles:
            await turnstile.judge(ordinal, [])

    async def _again(self, fed: Fed) -> None:
        """A seed that an earlier session settled: show its records to the ordered filters, so that they remember them."""
        records = [Record.load(row.body) for row in self.reader.subtree(pack((fed.ordinal,)))]
        for turnstile in self.plan.turnstiles:
            name = turnstile.gate.name
            await turnstile.judge(fed.ordinal, [record for record in records if any(verdict.by == name for verdict in record.verdicts)])

    async def _cancel_live(self) -> None:
        for task in self.live:
            task.cancel()
        await asyncio.gather(*self.live, return_exceptions=True)
