"""One root seed on its way through the whole plan: all candidates it gives rise to, settled and journalled together."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import orjson

from ..core.errors import CallError, DatalchemyError, PartError, RecipeError, Refused, RunStopped, StorageError
from ..core.record import Record, Verdict
from .gates import Editor, Gate, was_cancelled
from .ledger import Path_, Settled
from .plan import Generate, Operation, Plan
from .quota import Quota
from .tally import SEEDS, Tally
from .toolbox import Memo, Shared, Toolbox
from .turnstile import Turnstile

UNFIT = "bad_record: the record cannot be written ({})"
RAW_CAP = 65_536
"""Bytes kept of what a failed call brought."""


class Item(NamedTuple):
    """A record on its way, as a candidate of a stage."""

    path: Path_
    stage: int
    strategy: str
    record: Record


class Flow:
    """What all root seeds of a run share on their way."""

    def __init__(
        self,
        plan: Plan,
        shared: Shared,
        tally: Tally,
        *,
        quota: Quota | None,
        mark: Callable[[int], None],
        looked_at: Callable[[Record | None, str], None],
    ) -> None:
        self.plan = plan
        self.quota = quota
        self.shared = shared
        self.tally = tally
        self.mark = mark
        """Notes which seed the process is busy with, so that a crash can be blamed on it."""
        self.looked_at = looked_at
        """Sees each judged record of the last stage, or why its strategy refused (the check on early answers)."""
        self.judges_seeds = SEEDS in plan.names


class Root:
    """The way of one root seed. `run` returns its rows; raising RunStopped means: it is pending, as if never started."""

    def __init__(self, flow: Flow, ordinal: int, seed: Record) -> None:
        self.flow = flow
        self.ordinal = ordinal
        self.seed = seed
        self.rows: list[Settled] = []
        self.kinds: Counter[str] = Counter()
        """Of its accepted records of the last stage."""
        self.memo: Memo = {}

    async def run(self) -> list[Settled]:
        """Take the seed through all segments; every candidate is settled when this returns."""
        if self.flow.judges_seeds:
            self.flow.tally.start(SEEDS)
        items = [Item((self.ordinal,), SEEDS, "", self.seed)]
        for segment in self.flow.plan.segments:
            arrived: list[Item] = []
            await self._all(items, segment.operations, arrived)
            items = arrived
            if segment.ordered is not None:
                arrived.sort(key=lambda item: item.path)
                items = await self._in_line(segment.ordered, arrived)
        for item in items:
            self._accept(item)
        return self.rows

    def _mark(self) -> None:
        self.flow.mark(self.ordinal)

    def abandon(self) -> None:
        """Take back what was counted: the seed is pending."""
        for row in self.rows:
            self.flow.tally.settle(row, sign=-1)
        self.flow.tally.kinds.subtract(self.kinds)

    async def _all(self, items: list[Item], operations: list[Operation], arrived: list[Item]) -> None:
        if len(items) == 1:
            await self._walk(items[0], operations, 0, arrived)
        elif items:
            await _together([asyncio.ensure_future(self._walk(item, operations, 0, arrived)) for item in items])

    async def _walk(self, item: Item | None, operations: list[Operation], at: int, arrived: list[Item]) -> None:
        while item is not None and at < len(operations):
            operation = operations[at]
            at += 1
            if isinstance(operation, Generate):
                if (item.stage == SEEDS and not self.flow.judges_seeds) or self._accept(item):
                    await self._generate(operation, item, operations, at, arrived)
                return
            item = await (self._edit(operation, item) if isinstance(operation, Editor) else self._judge(operation, item))
        if item is not None:
            arrived.append(item)

    async def _generate(self, stage: Generate, seed: Item, operations: list[Operation], at: int, arrived: list[Item]) -> None:
        flow = self.flow
        choice = stage.pick(flow.shared.run_seed, seed.record.id)
        name = stage.names[choice]
        generator = stage.generators[choice]
        tools = Toolbox(flow.shared, name, seed.record.id, self.memo, generator.default_sampling, self.ordinal)
        children: list[asyncio.Future[None]] = []
        made = 0
        flow.tally.start(stage.stage)
        self._mark()
        try:
            async for record in generator.generate(seed.record, tools):
                if made:
                    flow.tally.start(stage.stage)
                child = Item((*seed.path, made), stage.stage, name, record.stamped(f"{seed.record.id}/{name}/{made}"))
                made += 1
                if (unfit := _unfit(child.record)) is None:
                    children.append(asyncio.ensure_future(self._walk(child, operations, at, arrived)))
                else:
                    self._settle(_failed(child.path, child.stage, name, seed.record, unfit, []))
            if not made:
                self._ended(stage, name, seed, tools, made, Refused("nothing", "the strategy gave no record"))
        except (RunStopped, StorageError, RecipeError):
            for task in children:
                task.cancel()
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and was_cancelled():
                for task in children:
                    task.cancel()
                raise
            if made:
                flow.tally.start(stage.stage)
            self._ended(stage, name, seed, tools, made, error)
        await _together(children)

    def _ended(self, stage: Generate, name: str, seed: Item, tools: Toolbox, made: int, error: BaseException) -> None:
        """A candidate that came to nothing: refused by its own strategy, or failed."""
        path = (*seed.path, made)
        replies = [{"key": reply.key, "text": _utf8(reply.text), "finish_reason": reply.finish_reason} for reply in tools.seen]
        if isinstance(error, Refused):
            if stage.stage == self.flow.plan.last:
                cut = any(reply.finish_reason == "length" for reply in tools.seen)
                self.flow.looked_at(None, "cut" if cut else error.reason)
            note = orjson.dumps({"message": _clean(str(error)), "replies": replies})
            self._settle(
                Settled(path, stage.stage, name, "refused", seed.record.id, name, _clean(str(error)), error.score, seed.record.dump(), note)
            )
        else:
            self._settle(_failed(path, stage.stage, name, seed.record, error, replies))

    async def _in_line(self, turnstile: Turnstile, arrived: list[Item]) -> list[Item]:
        """Those of a seed's records that an ordered filter keeps, judged when it is the seed's turn."""
        self._mark()
        try:
            verdicts = await turnstile.judge(self.ordinal, [item.record for item in arrived])
        except PartError as error:
            for item in arrived:
                self._settle(_failed(item.path, item.stage, item.strategy, item.record, error, []))
            return []
        judged = [self._judged(turnstile.gate, item, verdict) for item, verdict in zip(arrived, verdicts, strict=True)]
        return [item for item in judged if item is not None]

    async def _judge(self, gate: Gate, item: Item) -> Item | None:
        known = self.memo.get((id(item.record.content), gate.name))
        self._mark()
        try:
            verdict = known[1] if known else await gate.verdict(item.record)
        except PartError as error:
            self._settle(_failed(item.path, item.stage, item.strategy, item.record, error, []))
            return None
        return self._judged(gate, item, verdict)

    def _judged(self, gate: Gate, item: Item, verdict: Verdict) -> Item | None:
        """The item with its verdict, or None when the verdict refuses it (it is settled then)."""
        judged = item._replace(record=item.record.judged(verdict))
        if gate.refuses(verdict):
            self._refuse(judged, gate, verdict)
            return None
        return judged

    async def _edit(self, editor: Editor, item: Item) -> Item | None:
        self._mark()
        try:
            return item._replace(record=await editor.changed(item.record))
        except PartError as error:
            self._settle(_failed(item.path, item.stage, item.strategy, item.record, error, []))
            return None

    def _refuse(self, item: Item, gate: Gate, verdict: Verdict) -> None:
        if item.stage == self.flow.plan.last:
            self.flow.looked_at(item.record, "")
        reason = verdict.reason or ("abstained" if verdict.outcome == "abstain" else "refused")
        self._settle_record(item, "refused", gate.name, _clean(reason), verdict.score)

    def _accept(self, item: Item) -> bool:
        """Whether it could be: a record that cannot be written is failed."""
        if item.stage == self.flow.plan.last:
            self.flow.looked_at(item.record, "")
        accepted = self._settle_record(item, "accepted", "", "", None)
        if accepted and item.stage == self.flow.plan.last and self.flow.quota is not None:
            kind = self.flow.quota.kind(item.record.labels, item.record.fields)
            if kind is not None:
                self.kinds[kind] += 1
                self.flow.tally.kinds[kind] += 1
        return accepted

    def _settle_record(self, item: Item, status: str, by: str, reason: str, score: float | None) -> bool:
        try:
            row = Settled(item.path, item.stage, item.strategy, status, item.record.id, by, reason, score, item.record.dump(), b"")
        except ValueError as error:  # pydantic's words for a value that JSON or UTF-8 cannot hold
            self._settle(_failed(item.path, item.stage, item.strategy, self.seed, PartError(UNFIT.format(error)), []))
            return False
        self._settle(row)
        return True

    def _settle(self, row: Settled) -> None:
        self.rows.append(row)
        self.flow.tally.settle(row)


def _failed(path: Path_, stage: int, strategy: str, record: Record, error: BaseException, replies: list[dict[str, str]]) -> Settled:
    if isinstance(error, CallError):
        reason, raw = error.reason, error.raw[:RAW_CAP]
    elif isinstance(error, PartError):
        reason, raw = str(error), b""
    else:
        known = isinstance(error, DatalchemyError)
        reason, raw = f"{type(error).__name__}: {error}" if known else f"strategy_error: {type(error).__name__}: {error}", b""
    note = {"message": _clean(f"{type(error).__name__}: {error}"), "raw": raw.decode("utf-8", "replace"), "replies": replies}
    return Settled(
        path, stage, strategy, "failed", record.id, type(error).__name__, _clean(reason), None, _dumped(record), orjson.dumps(note)
    )


def _unfit(record: Record) -> PartError | None:
    """What is wrong with a record that has no id, which no filter could cope with."""
    try:
        _ = record.id
    except ValueError as error:
        return PartError(UNFIT.format(error))
    return None


def _dumped(record: Record) -> bytes:
    """As much of a failed record as can be written: `?` for a lone surrogate, nothing where a value is no JSON."""
    with suppress(ValueError):
        return record.dump()
    with suppress(ValueError):
        return json.dumps(record.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False).encode("utf-8", "replace")
    return b"{}"


def _utf8(text: str) -> str:
    """Without lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def _clean(text: str) -> str:
    """A reason fit for a column: one line, no lone surrogates, not endless."""
    return " ".join(_utf8(text).split())[:500]


async def _together(tasks: list[asyncio.Future[None]]) -> None:
    """Wait for all; when one raises, cancel the others and raise it."""
    if not tasks:
        return
    try:
        for task in tasks:
            await task
    finally:
        for task in tasks:
            if not task.done():
                task.cancel()
            elif not task.cancelled():
                task.exception()


def dead_letter(ordinal: int, seed: Record, strategy: str, deaths: int) -> Settled:
    """The row of a seed that is blamed for several deaths of a process: it is not tried again."""
    error = PartError(f"process_death: the process died {deaths} times while it worked on this seed")
    return _failed((ordinal, 0), 0, strategy, seed, error, [])
