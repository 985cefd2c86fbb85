"""Filters opened together: one object judges for a run, for a strategy while it generates, and for an RL loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from pydantic import ValidationError

from ..core.errors import PartError, RunStopped, StorageError
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict

LINGER_S = 0.005
"""How long a filter that likes batches waits for its batch to fill."""


class Gate:
    """One opened filter."""

    def __init__(self, part: Filter, judge: Judge, name: str = "") -> None:
        self.part = part
        self.name = name or part.part_name()
        """The filter's name; a second one of the same kind in a recipe is `exact#2`."""
        self._judge = judge
        self._batch: list[tuple[Record, asyncio.Future[Verdict]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def verdict(self, record: Record) -> Verdict:
        """What the filter says of one record. Raises PartError where it raised or broke its contract."""
        if self.part.batch == 1:
            return (await self.verdicts([record]))[0]
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Verdict] = loop.create_future()
        self._batch.append((record, future))
        if len(self._batch) >= self.part.batch:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(LINGER_S, self._flush)
        return await future

    async def verdicts(self, records: Sequence[Record]) -> Sequence[Verdict]:
        """One verdict a record, in order; never more, never fewer."""
        try:
            verdicts = list(await self._judge(records))
            if not all(isinstance(verdict, Verdict) for verdict in verdicts):
                raise TypeError("a verdict must be a Verdict")
        except (RunStopped, StorageError):
            raise
        except asyncio.CancelledError as error:
            if was_cancelled():
                raise
            raise PartError(f"filter_error: the filter {self.name} was cancelled from within") from error
        except SystemExit as error:
            raise PartError(f"filter_error: the filter {self.name} tried to end the process") from error
        except ValidationError as error:
            raise PartError(f"bad_score: the filter {self.name} gave a verdict that is none ({error.errors()[0]['msg']})") from error
        except Exception as error:
            raise PartError(f"filter_error: the filter {self.name} raised {type(error).__name__}: {error}") from error
        if len(verdicts) != len(records):
            raise PartError(f"bad_count: the filter {self.name} gave {len(verdicts)} verdicts for {len(records)} records")
        return [verdict if verdict.by == self.name else verdict.model_copy(update={"by": self.name}) for verdict in verdicts]

    def refuses(self, verdict: Verdict) -> bool:
        """Whether the verdict removes the record."""
        if not self.part.enforce:
            return False
        return verdict.outcome == "refuse" or (verdict.outcome == "abstain" and self.part.on_abstain == "refuse")

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._batch = self._batch, []
        if batch:
            task = asyncio.get_running_loop().create_task(self._judge_batch(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _judge_batch(self, batch: list[tuple[Record, asyncio.Future[Verdict]]]) -> None:
        try:
            verdicts = await self.verdicts([record for record, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error) if isinstance(error, Exception) else future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), verdict in zip(batch, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)


async def open_gate(part: Filter, tools: Tools, stack: AsyncExitStack, name: str = "") -> Gate:
    """Open one filter for as long as the stack is."""
    return Gate(part, await stack.enter_async_context(part.open(tools)), name)


def was_cancelled() -> bool:
    """Whether the present task was cancelled by somebody, as opposed to code that raises CancelledError by itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
