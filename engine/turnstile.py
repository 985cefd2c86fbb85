"""Where records stand in line: a filter whose verdict depends on the records before it sees them in seed order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..core.errors import RunStopped
from ..core.record import Record, Verdict
from .gates import Gate


class Turnstile:
    """One ordered filter. Every root seed comes once, also with nothing in hand; those that stand next in line together
    are judged together, up to what the filter likes as a batch."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.next = 0
        """The root seed whose turn it is."""
        self._line: dict[int, tuple[Sequence[Record], asyncio.Future[Sequence[Verdict]]]] = {}
        self._judging: asyncio.Task[None] | None = None
        self._closed: tuple[int, RunStopped] | None = None

    def close(self, root: int, why: RunStopped) -> None:
        """`root` will not come: nobody after it can have a turn. Those in line, and those still to come, get `why`."""
        if self._closed is not None and self._closed[0] <= root:
            return
        self._closed = (root, why)
        for later in [other for other in self._line if other > root]:
            _, future = self._line.pop(later)
            if not future.done():
                future.set_exception(why)
                future.exception()

    @property
    def line(self) -> int:
        return len(self._line)

    async def judge(self, root: int, records: Sequence[Record]) -> Sequence[Verdict]:
        """Wait until all seeds before `root` have passed; then the verdicts on its records.

        Raises PartError as a gate does, and RunStopped where an earlier seed was given up.
        """
        if self._closed is not None and root > self._closed[0]:
            raise self._closed[1]
        future: asyncio.Future[Sequence[Verdict]] = asyncio.get_running_loop().create_future()
        self._line[root] = (records, future)
        if root == self.next and self._judging is None:
            self._judging = asyncio.ensure_future(self._let_through())
        return await future

    async def _let_through(self) -> None:
        try:
            while self.next in self._line:
                await self._judge_batch(self._take())
        finally:
            self._judging = None

    def _take(self) -> list[tuple[Sequence[Record], asyncio.Future[Sequence[Verdict]]]]:
        """The seeds next in line, as many as make one batch."""
        batch, size = [], 0
        while self.next in self._line and size < self.gate.part.batch:
            batch.append(self._line.pop(self.next))
            size += len(batch[-1][0])
            self.next += 1
        return batch

    async def _judge_batch(self, batch: list[tuple[Sequence[Record], asyncio.Future[Sequence[Verdict]]]]) -> None:
        records = [record for those, _ in batch for record in those]
        try:
            verdicts = list(await self.gate.verdicts(records)) if records else []
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
                    future.exception()
            return
        for those, future in batch:
            mine, verdicts = verdicts[: len(those)], verdicts[len(those) :]
            if not future.done():
                future.set_result(mine)
