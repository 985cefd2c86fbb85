"""A run from start to end: open everything, pump seeds through the plan, close, publish."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from ..core.backend import Usage
from ..core.errors import BudgetExhausted, DatalchemyError, RunPaused, RunStopped
from ..core.part import Edit, Filter
from ..core.workers import WorkerPool
from ..prompts import Wordings
from .asking import Asker
from .budget import Purse, dollars
from .closing import close_set
from .early import EarlyLook
from .feed import feed
from .fingerprint import fingerprint
from .flow import Flow
from .gates import Gate
from .journal import Ledger
from .ledger import LedgerReader
from .loops import fast_loop, to_completion
from .opening import open_askers
from .outdir import Marker, OutDir, Resume
from .plan import Plan, open_plan
from .publishing import Publisher
from .pump import Pump
from .quota import Quota, tallied
from .recipe import Recipe
from .sandboxing import OnDemand
from .snapshot import Result, Snapshot, Status
from .store import ResponseStore
from .tally import Tally
from .toolbox import Shared
from .watching import Watcher, spent

__all__ = ["Result", "Watch", "arun", "fast_loop", "run"]

Watch = Callable[[Snapshot], None]


def run(recipe: Recipe, **options: Any) -> Result:
    """`arun` for code without an event loop; inside a running one (a notebook) it works on a thread of its own."""
    return to_completion(arun(recipe, **options))


async def arun(
    recipe: Recipe,
    *,
    resume: Resume = "auto",
    retry_failed: bool = False,
    watch: Watch | None = None,
    stop: asyncio.Event | None = None,
    store: Path | None = None,
) -> Result:
    """Run a recipe into its OUT; what OUT already holds of the same run is gone on with.

    `watch` is called with a Snapshot about twice a second; setting `stop` drains; cancelling aborts (what was paid for
    is kept in both cases). `store` is the response store's folder (default: DATALCHEMY_HOME). Raises RecipeError
    before anything is spent, and StorageError when the disk fails; how a run ended otherwise is in the Result.
    """
    with OutDir(recipe.out) as out:
        await _resolve_names(recipe)
        prints = fingerprint(recipe)
        goes_on = out.prepare(prints, resume)
        async with AsyncExitStack() as stack:
            publisher = Publisher(recipe, out)
            stack.push_async_callback(publisher.discard)
            session = await stack.enter_async_context(_open(recipe, out, goes_on, prints, store, retry_failed))
            result = await session.run(publisher, watch, stop)
            if out.kept_as is None:
                return result
            kept = f"the run that was in {recipe.out} (another recipe) is kept as {out.kept_as}"
            return result.model_copy(update={"message": "; ".join(filter(None, (result.message, kept)))})


class Session:
    """One process's work on a run."""

    def __init__(
        self,
        recipe: Recipe,
        ledger: Ledger,
        store: ResponseStore,
        reader: LedgerReader,
        plan: Plan,
        pump: Pump,
        purse: Purse,
        askers: dict[str, Asker],
    ) -> None:
        self.recipe = recipe
        self.ledger = ledger
        self.store = store
        self.reader = reader
        self.plan = plan
        self.pump = pump
        self.purse = purse
        self.askers = askers
        self.left: Counter[str] | None = None
        """Records that closing filters have left, by kind, where there are such filters."""

    async def run(self, publisher: Publisher, watch: Watch | None, stop: asyncio.Event | None) -> Result:
        """Pump, close, publish; the result says how it ended."""
        watcher = Watcher(self.recipe, self.plan, self.pump, self.ledger, self.purse, self.askers, watch)
        async with (
            _in_background(watcher.loop()),
            _in_background(self._stopper(stop)),
            _in_background(publisher.warm(lambda: self.pump.accepted)),
        ):
            await self._fill()
        status, message = self._ended()
        watcher.state = "finishing"
        watcher.tick()
        await self.ledger.flush()
        published = await publisher.publish(self, status, message)
        if status == "complete" and published.misses:
            status, message = "accept", "; ".join(published.misses)
        if status in ("complete", "accept"):
            self.store.run_finished(self.ledger.path)
        await self.ledger.flush()
        tally = self.pump.flow.tally
        return Result(
            status=status,
            message=message,
            accepted=published.accepted,
            target=self.recipe.target,
            counts=tally.counts(self.plan.last),
            stages=tally.stages(),
            reasons=tally.top_reasons(),
            spent=spent(self.askers, self.purse),
            path=self.recipe.out,
            measures=published.measures,
            files=published.files,
        )

    async def _fill(self) -> None:
        """Pump until the target holds after the closing filters, or there is nothing left to launch."""
        pump, first = self.pump, Quota.of(self.recipe.target, self.recipe.shares)
        while True:
            await pump.run(out_of_time=self.purse.out_of_time)
            if not self.plan.closing or pump.dropping:
                return
            over = pump.exhausted or bool(pump.stopping)
            kept, refused = await close_set(self.plan, self.ledger, self.reader, None if over else pump.quota)
            if first is None or pump.quota is None or over or not first.open(kept):
                break
            pump.quota.grow(first.wanted, kept)
            self.ledger.set("reach", [first.wanted, pump.quota.wanted])
        for row in refused:
            pump.flow.tally.close(row)
        self.left = kept

    async def _stopper(self, stop: asyncio.Event | None) -> None:
        if stop is not None:
            await stop.wait()
            self.pump.stop("interrupted")

    def _ended(self) -> tuple[Status, str]:
        why, pump = self.pump.stopping, self.pump
        if isinstance(why, DatalchemyError) and not isinstance(why, RunStopped):
            raise why
        if isinstance(why, RunPaused):
            return "paused", str(why)
        if isinstance(why, RunStopped) and not isinstance(why, BudgetExhausted):
            return "backend", str(why)
        first = Quota.of(self.recipe.target, self.recipe.shares)
        enough = pump.reached() if self.left is None else first is not None and not first.open(self.left)
        if enough or (self.recipe.target is None and pump.exhausted and not why):
            return "complete", ""
        if why == "interrupted":
            return "interrupted", "interrupted; the same command goes on from here"
        if why:
            text = str(why) if isinstance(why, BudgetExhausted) else f"the budget is used up: {self._ceiling()}"
            return "budget", f"{text}; raise it and run the same command to go on"
        return (
            "seeds_exhausted",
            f"all {pump.done_roots:,} seeds are used up: add seeds, or raise what each may give (rollouts), and run the same command",
        )

    def _ceiling(self) -> str:
        budget = self.recipe.budget
        return f"hours: {budget.hours}" if self.purse.out_of_time() else f"candidates: {budget.candidates}"


@asynccontextmanager
async def _open(
    recipe: Recipe, out: OutDir, goes_on: bool, prints: dict[str, str], folder: Path | None, retry_failed: bool
) -> AsyncIterator[Session]:
    """Everything a session needs, opened in order and closed in reverse, whatever happens."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(ResponseStore(folder))
        ledger = await stack.enter_async_context(Ledger(out.ledger))
        await _forget(recipe, ledger, out, goes_on, retry_failed)
        reader = stack.enter_context(LedgerReader(out.ledger))
        started = reader.get("started") or time.time()
        store.run = reader.get("run") or uuid.uuid4().hex
        if not goes_on:
            ledger.set("run", store.run)
            ledger.set("fingerprint", prints)
            ledger.set("recipe", recipe.model_dump(mode="json"))
            ledger.set("started", started)
        store.run_opened(out.ledger)
        marker = Marker(out.run / "current")
        stack.callback(marker.close)
        if marker.blamed is not None:
            ledger.death(marker.blamed)
        await ledger.flush()
        before = _spent_before(recipe, reader, store if goes_on else None)
        purse = _purse(recipe, reader, before)
        askers = await open_askers(
            recipe.models, recipe.parts(), stack, store, purse,
            seed=recipe.seed, reuse=recipe.reuse, before=before, started=started, on_event=ledger.event,
        )  # fmt: skip
        gates: dict[str, Gate] = {}
        workers = await stack.enter_async_context(WorkerPool())
        sandbox = await stack.enter_async_context(OnDemand())
        wordings = Wordings(recipe.language, recipe.prompts)
        shared = Shared(recipe.seed, recipe.language, wordings, workers, sandbox, askers, gates, recipe.name, marker.away)
        plan = await open_plan(recipe, shared, gates, stack)
        tally = Tally(plan.names)
        tally.resume(reader.counts(), reader.reasons())
        early = EarlyLook(recipe)
        quota = _reach(recipe, reader)
        tally.kinds = _kinds(quota, reader, plan.last)
        flow = Flow(plan, shared, tally, quota=quota, mark=marker.set, looked_at=early.see)
        pump = Pump(
            flow, plan, ledger, reader, feed(recipe, reader.roots()), askers,
            candidates=recipe.budget.candidates, drains=recipe.output.order == "seed",
        )  # fmt: skip
        early.pause = pump.stop
        yield Session(recipe, ledger, store, reader, plan, pump, purse, askers)


async def _forget(recipe: Recipe, ledger: Ledger, out: OutDir, goes_on: bool, retry_failed: bool) -> None:
    """Make pending again what this session must do anew (from the response store, so for free)."""
    ledger.reopen()
    await ledger.flush()
    ordered = any(isinstance(part, Filter) and part.ordered for part in recipe.parts())
    if goes_on and ordered and any(isinstance(part, Edit) for part in recipe.parts()):
        ledger.forget_from(0)  # what an ordered filter was shown may have been edited since: nobody could show it again
    if retry_failed and ordered:
        with LedgerReader(out.ledger) as reader:
            first = next(reader.rows("failed"), None)
        if first is not None:
            ledger.forget_from(first.path[0])  # a record that was refused as a twin of a failed one's may be kept now, or the reverse
    if retry_failed:
        ledger.forget_failed()
    await ledger.flush()


def _reach(recipe: Recipe, reader: LedgerReader) -> Quota | None:
    """How many records to accept: the target, and what closing filters were seen to refuse of it in an earlier session."""
    quota = Quota.of(recipe.target, recipe.shares)
    wanted, reach = reader.get("reach") or (None, {})
    return Quota(reach, quota.by) if quota is not None and wanted == quota.wanted else quota


def _kinds(quota: Quota | None, reader: LedgerReader, last: int) -> Counter[str]:
    """Accepted records of earlier sessions by kind; the records are only read where their labels decide."""
    from ..formats.dataset import load

    if quota is None or not quota.by:
        return Counter({"": reader.counts().get((last, "accepted"), 0)})
    bodies = (load(row.body)[0] for row in reader.rows("accepted", last))
    return tallied(quota, ((body.get("labels", {}), body.get("fields", {})) for body in bodies))


def _spent_before(recipe: Recipe, reader: LedgerReader, store: ResponseStore | None) -> dict[str, dict[str, float]]:
    """Totals of earlier sessions by model. The ledger's may be half a second old when a session was killed, so where a
    budget binds, what this run has paid for is counted in the store."""
    before = reader.spent()
    if store is not None and (recipe.budget.tokens is not None or recipe.budget.dollars is not None):
        paid = store.paid_by(store.run)
        for name, endpoint in recipe.models.items():
            calls, prompt, completion = paid.get(endpoint.stored_as, (0, 0, 0))
            totals = before.setdefault(name, {})
            totals["calls"] = max(calls, totals.get("calls", 0))
            totals["prompt_tokens"] = max(prompt, totals.get("prompt_tokens", 0))
            totals["completion_tokens"] = max(completion, totals.get("completion_tokens", 0))
            cost = dollars(Usage(prompt_tokens=prompt, completion_tokens=completion), endpoint.effective_price)
            totals["dollars"] = max(cost, totals.get("dollars", 0.0))
    return before


def _purse(recipe: Recipe, reader: LedgerReader, before: dict[str, dict[str, float]]) -> Purse:
    tokens = sum(int(t["prompt_tokens"] + t["completion_tokens"]) for t in before.values())
    return Purse(
        recipe.budget, tokens=tokens, dollars=sum(t["dollars"] for t in before.values()), seconds_before=reader.get("seconds", 0.0)
    )


async def _resolve_names(recipe: Recipe) -> None:
    """A model whose name is left out is known by it once its endpoint was opened; what a run is depends on that name."""
    for endpoint in recipe.models.values():
        if not endpoint.known():
            async with endpoint.open():
                pass


@asynccontextmanager
async def _in_background(work: Any) -> AsyncIterator[None]:
    """Run a coroutine beside the body and end it with the body; an error of its own surfaces here."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        if task.done() and not task.cancelled():
            task.result()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
