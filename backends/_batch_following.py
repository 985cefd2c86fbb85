"""A batch from its submission to its results; also one that another process submitted, or died while submitting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ..core.errors import BackendFatal, BadResponse, CallError, DatalchemyError, Rejected
from ._batch_journal import Row
from ._batch_wire import BatchWire, Seen, expired, gone, not_taken, old, refused_lines
from ._status import QUOTA

if TYPE_CHECKING:
    from ._batches import Batches, Call

T = TypeVar("T")

LOOKS = 3
"""How often a batch that may have been submitted is looked for, `poll_s` apart, before it counts as never made."""
LONGEST_PAUSE_S = 60.0
AT_ONCE = 64
"""Results handed over before the event loop gets its turn."""


class OutOfPatience(BackendFatal):
    """The service cannot be reached any more; what was submitted goes on there."""


@dataclass(slots=True, eq=False)
class Batch:
    """One batch and the calls that wait for it in this process."""

    name: str
    calls: dict[str, Call] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    """Ids in the order of its file, where this process wrote it."""


class Follower:
    """Submits, looks after and reads batches for `Batches`."""

    def __init__(self, batches: Batches, wire: BatchWire) -> None:
        self._all, self._wire = batches, wire
        self._live: dict[str, Batch] = {}

    def attach(self, name: str, calls: list[Call]) -> None:
        """Let calls wait for a batch that the journal knows."""
        batch = self._live.get(name)
        if batch is None:
            batch = self._live[name] = Batch(name)
            self._all.follow(self._follow(batch, self._recovered))
        batch.calls.update((call.id, call) for call in calls)

    async def submit(self, name: str, path: str, calls: list[Call], lock: int | None) -> None:
        """Send a planned batch off, then follow it."""
        batch = Batch(name, {call.id: call for call in calls}, tuple(call.id for call in calls))
        journal = self._all.journal
        try:
            if self._all.closing:
                await asyncio.to_thread(journal.forget, name)
                return
            id_ = await self._submitted(name, path, b"".join(call.line for call in calls))
            await asyncio.to_thread(journal.submitted, name, id_)
        except OutOfPatience:
            raise
        except (CallError, BackendFatal) as error:
            await asyncio.to_thread(journal.forget, name)
            if isinstance(error, CallError):
                raise BackendFatal(f"the service refuses the batch: {error}") from error
            raise
        finally:
            journal.unlock(name, lock)
        if not self._all.closing:
            self._live[name] = batch
            self._all.follow(self._follow(batch, self._known, id_))

    async def _submitted(self, name: str, path: str, content: bytes) -> str:
        """The id of the batch; made once, even where the service's answer was lost."""
        wire, endpoint = self._wire, self._all.endpoint
        file = await self._insist(lambda: wire.upload(name, content))
        await asyncio.to_thread(self._all.journal.uploaded, name, file)
        row = await self._row(name)
        tried = False

        async def attempt() -> str:
            nonlocal tried
            if tried:
                await asyncio.sleep(endpoint.poll_s)  # it may have been made, and not be listed yet
                if row is not None and (found := await wire.find(name, file, row.created)):
                    return found
            tried = True
            return await wire.create(name, file, path, endpoint.window)

        return await self._insist(attempt)

    async def _known(self, batch: Batch, id_: str) -> str:
        return id_

    async def _recovered(self, batch: Batch, _: str) -> str:
        """The id of a batch from the journal; "" for one that was planned and never reached the service."""
        journal, poll_s = self._all.journal, self._all.endpoint.poll_s
        while True:
            row = await self._row(batch.name)
            if row is None or row.batch:
                return row.batch if row else ""
            lock = await asyncio.to_thread(journal.claim, batch.name)
            if lock is None:  # who plans it is alive and at it
                await asyncio.sleep(poll_s)
                continue
            try:
                row = await self._row(batch.name)
                if row is None or row.batch:
                    continue
                found = await self._searched(batch.name, row)
                if found:
                    await asyncio.to_thread(journal.submitted, batch.name, found)
                else:
                    await asyncio.to_thread(journal.forget, batch.name)
                return found
            finally:
                journal.unlock(batch.name, lock)

    async def _searched(self, name: str, row: Row) -> str:
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(self._all.endpoint.poll_s)
            if found := await self._insist(lambda: self._wire.find(name, row.file, row.created)):
                return found
        return ""

    async def _follow(self, batch: Batch, whence: Callable[[Batch, str], Awaitable[str]], id_: str = "") -> None:
        try:
            pause = self._all.endpoint.poll_s if id_ else 0.0
            if not (id_ := await whence(batch, id_)):
                self._leave(batch)
                self._all.gather_again(self._taken(batch))
                return
            seen = await self._ended(id_, pause)
            self._leave(batch)  # calls that come later read the results for themselves
            await self._collect(batch, seen)
        except (CallError, BackendFatal) as error:
            await self._broken(batch, id_, error)
        except DatalchemyError as error:
            self._all.fail(self._taken(batch), BackendFatal(str(error)))
        except Exception as error:  # whatever it is, nobody may wait for ever
            self._all.fail(self._taken(batch), error)
        finally:
            self._leave(batch)
            if not self._all.closing:
                asyncio.get_running_loop().call_soon(self._all.gathered_enough)

    def _leave(self, batch: Batch) -> None:
        if self._live.get(batch.name) is batch:
            del self._live[batch.name]

    def _taken(self, batch: Batch) -> list[Call]:
        calls = list(batch.calls.values())
        batch.calls.clear()
        return calls

    async def _ended(self, id_: str, pause: float) -> Seen:
        poll_s = self._all.endpoint.poll_s
        while True:
            await asyncio.sleep(pause)
            seen = await self._insist(lambda: self._wire.look(id_))
            if seen.ended:
                return seen
            await self._all.sweep()
            pause = min(pause * 1.5, 6 * poll_s) if pause else poll_s

    async def _collect(self, batch: Batch, seen: Seen) -> None:
        if seen.status == "failed":
            await self._not_taken(batch, seen)
            return
        await self._insist(lambda: self._read(batch, seen))
        for call in self._taken(batch):
            self._all.settle(call, _missing(seen))

    async def _read(self, batch: Batch, seen: Seen) -> None:
        for file in seen.files:
            count = 0
            async for result in self._wire.results(file):
                call = batch.calls.pop(result.id, None)
                if call is not None:
                    self._all.settle(call, result.error or result.body)
                count += 1
                if count % AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _not_taken(self, batch: Batch, seen: Seen) -> None:
        """A batch that was refused as a whole: nothing of it was paid for."""
        all_ = self._all
        codes = {str(error.get("code")) for error in seen.errors}
        await asyncio.to_thread(all_.journal.forget, batch.name)
        lines = refused_lines(seen.errors)
        calls = self._taken(batch)
        if "token_limit_exceeded" in codes:
            all_.most = max(1, min(all_.most, len(calls)) // 2)
            error = BadResponse(f"too many tokens are waiting in batches: {not_taken(seen)}", reason="batch_limit")
            error.retry_after = all_.endpoint.poll_s
            all_.fail(calls, error)
        elif codes & QUOTA or not lines:
            all_.fail(calls, BackendFatal(f"the service refuses the batch: {not_taken(seen)}"))
        else:
            at_fault = {batch.order[line]: why for line, why in lines.items() if 0 <= line < len(batch.order)}
            for call in [call for call in calls if call.id in at_fault]:
                all_.settle(call, Rejected(at_fault[call.id]))
            all_.gather_again(call for call in calls if call.id not in at_fault)

    async def _broken(self, batch: Batch, id_: str, error: CallError | BackendFatal) -> None:
        row = await self._row(batch.name)
        if gone(error) and row is not None and old(row.created):
            await asyncio.to_thread(self._all.journal.forget, batch.name)
            self._all.gather_again(self._taken(batch))
            return
        if gone(error):
            endpoint = self._all.endpoint
            error = BackendFatal(
                f"the batch {id_}, which holds {len(batch.calls)} of the calls, or its results cannot be found with the key in"
                f" ${endpoint.api_key_env}: use the account that submitted it, or remove {self._all.journal.path} to pay for the calls again"
            )
        elif isinstance(error, CallError):
            error = BackendFatal(f"the batch {id_} cannot be read: {error}")
        self._all.fail(self._taken(batch), error)

    async def _row(self, name: str) -> Row | None:
        return await asyncio.to_thread(self._all.journal.row, name)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try again what concerns a whole batch, until patience ends: thousands of calls are not failed for it."""
        clock = asyncio.get_running_loop().time
        began, pause = clock(), 1.0
        while True:
            try:
                return await work()
            except CallError as error:
                if not error.retryable:
                    raise
                down, wait = clock() - began, max(error.retry_after or 0.0, pause)
                if down + wait > self._all.endpoint.patience_s:
                    message = f"the batches cannot be looked after for {down:.0f} s: {error}; what was submitted goes on, the same command waits for it"
                    raise OutOfPatience(message) from error
                await asyncio.sleep(wait)
                pause = min(pause * 2, LONGEST_PAUSE_S)


def _missing(seen: Seen) -> CallError:
    """For a call that neither of the files names."""
    if seen.status == "expired":
        return expired()
    return BadResponse(f"the batch is {seen.status} and holds no answer to this request", reason="batch_missing")
