"""Filters and edits, opened: one object judges for a run, for a strategy while it generates, and for an RL loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Generic, TypeVar

from pydantic import ValidationError

from ..core.errors import PartError, RunStopped, StorageError
from ..core.part import Change, Edit, Filter, Judge, Tools
from ..core.record import Record, Verdict

R = TypeVar("R")

LINGER_S = 0.005
"""How long a filter that likes batches waits for its batch to fill."""


class Batcher(Generic[R]):
    """Brings records that come one by one to work that likes batches."""

    def __init__(self, work: Callable[[Sequence[Record]], Awaitable[Sequence[R]]], size: int) -> None:
        self._work = work
        self._size = size
        self._batch: list[tuple[Record, asyncio.Future[R]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def one(self, record: Record) -> R:
        """What the work gives for one record. Raises what the work raised on it."""
        if self._size == 1:
            return (await self._work([record]))[0]
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._batch.append((record, future))
        if len(self._batch) >= self._size:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(LINGER_S, self._flush)
        return await future

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._batch = self._batch, []
        if batch:
            task = asyncio.get_running_loop().create_task(self._done(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _done(self, batch: list[tuple[Record, asyncio.Future[R]]]) -> None:
        """A part that raises on a batch is asked of each by itself: one record does not take its neighbours with it."""
        try:
            results = await self._work([record for record, _ in batch])
        except BaseException as error:
            if isinstance(error, PartError) and len(batch) > 1:
                for one in batch:
                    await self._done([one])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error) if isinstance(error, Exception) else future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


class Gate:
    """One opened filter."""

    def __init__(self, part: Filter, judge: Judge, name: str = "") -> None:
        self.part = part
        self.name = name or part.part_name()
        """The filter's name; a second one of the same kind in a recipe is `exact#2`."""
        self._judge = judge
        self._batches = Batcher(self.verdicts, part.batch)

    async def verdict(self, record: Record) -> Verdict:
        """What the filter says of one record. Raises PartError where it raised or broke its contract."""
        return await self._batches.one(record)

    async def verdicts(self, records: Sequence[Record]) -> Sequence[Verdict]:
        """One verdict a record, in order; never more, never fewer."""
        with _classified(f"the filter {self.name}", "filter_error"):
            try:
                verdicts = list(await self._judge(records))
            except ValidationError as error:
                raise PartError(f"bad_score: the filter {self.name} gave a verdict that is none ({error.errors()[0]['msg']})") from error
            if not all(isinstance(verdict, Verdict) for verdict in verdicts):
                raise TypeError("a verdict must be a Verdict")
        if len(verdicts) != len(records):
            raise PartError(f"bad_count: the filter {self.name} gave {len(verdicts)} verdicts for {len(records)} records")
        return [verdict if verdict.by == self.name else verdict.model_copy(update={"by": self.name}) for verdict in verdicts]

    def refuses(self, verdict: Verdict) -> bool:
        """Whether the verdict removes the record."""
        if not self.part.enforce:
            return False
        return verdict.outcome == "refuse" or (verdict.outcome == "abstain" and self.part.on_abstain == "refuse")


class Editor:
    """One opened edit."""

    def __init__(self, part: Edit, change: Change) -> None:
        self.part = part
        self.name = part.part_name()
        self._change = change
        self._batches = Batcher(self._changed, part.batch)

    async def changed(self, record: Record) -> Record:
        """The record as the edit leaves it, with the verdicts it had. Raises PartError where the edit raised or broke its contract."""
        changed = await self._batches.one(record)
        return record if changed is record else changed.stamped(f"{record.id}/{self.name}").judged(*record.verdicts)

    async def _changed(self, records: Sequence[Record]) -> Sequence[Record]:
        with _classified(f"the edit {self.name}", "edit_error"):
            changed = list(await self._change(records))
            if not all(isinstance(record, Record) for record in changed):
                raise TypeError("an edit gives records")
        if len(changed) != len(records):
            raise PartError(f"bad_count: the edit {self.name} gave {len(changed)} records for {len(records)}")
        return changed


@contextmanager
def _classified(who: str, word: str) -> Iterator[None]:
    """Whatever a part raises becomes a PartError, but what stops the run passes."""
    try:
        yield
    except (RunStopped, StorageError, PartError):
        raise
    except asyncio.CancelledError as error:
        if was_cancelled():
            raise
        raise PartError(f"{word}: {who} was cancelled from within") from error
    except SystemExit as error:
        raise PartError(f"{word}: {who} tried to end the process") from error
    except Exception as error:
        raise PartError(f"{word}: {who} raised {type(error).__name__}: {error}") from error


async def open_gate(part: Filter, tools: Tools, stack: AsyncExitStack, name: str = "") -> Gate:
    """Open one filter for as long as the stack is."""
    return Gate(part, await stack.enter_async_context(part.open(tools)), name)


async def open_editor(part: Edit, tools: Tools, stack: AsyncExitStack) -> Editor:
    """Open one edit for as long as the stack is."""
    return Editor(part, await stack.enter_async_context(part.open(tools)))


def was_cancelled() -> bool:
    """Whether the present task was cancelled by somebody, as opposed to code that raises CancelledError by itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
