"""Calls gathered into batches: each waits until its batch is done, and no call is submitted twice, whatever dies in between.

The way of a call: gathered (until no other joins for `linger_s`), placed (in the journal: in a batch that holds it already,
or in a new one, which is then submitted), followed (`_batch_following.py`: looked at until it ended, results handed over).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from ..core.errors import BackendFatal, CallError, DatalchemyError
from ..core.home import home
from ._batch_following import Follower
from ._batch_journal import Journal, Planned
from ._batch_wire import BatchWire, line_of

if TYPE_CHECKING:
    from ._openai_sdk import Sdk
    from .openai import OpenAI

MOST_BYTES = 190_000_000
"""Of a batch's file; the service takes 200 MB."""
LONGEST_LINGER = 10
"""Times `linger_s` that a batch is gathered at most."""
SETTLING_S = 15.0
"""After this long an answer that was handed over is in the response store, however busy the event loop is."""
LATEST_S = 1.0
"""The same where the run has ended, and nothing is going on any more."""
CLOSING_S = 30.0
"""How long closing waits for a batch that is just being submitted."""


@dataclass(slots=True, eq=False)
class Call:
    """One request and who waits for it."""

    id: str
    path: str
    line: bytes
    weight: int
    future: asyncio.Future[bytes]
    waiters: int = 0
    placed: bool = False


@dataclass(slots=True)
class Gathered:
    """Calls of one path that wait for company."""

    first: float = 0.0
    last: float = 0.0
    size: int = 0
    weight: int = 0
    calls: dict[str, Call] = field(default_factory=dict)
    lingering: asyncio.Task[None] | None = None


class Batches:
    """All batches of one endpoint in this process."""

    def __init__(self, endpoint: OpenAI, sdk: Sdk) -> None:
        account = blake2b(f"{endpoint.url}|{endpoint.organization}|{endpoint.project}".encode(), digest_size=8).hexdigest()
        self.endpoint = endpoint
        self.journal = Journal(home() / "batches", account)
        self.most = endpoint.batch_size
        """Requests of the next batch at most; halved when the service says that too many tokens are waiting."""
        self.closing = False
        self._calls: dict[str, Call] = {}
        self._gathered: dict[str, Gathered] = {}
        self._given: dict[str, float] = {}
        """Answers and failures that were handed over, and when."""
        self._placing: set[asyncio.Task[None]] = set()
        self._following: set[asyncio.Task[None]] = set()
        self.follower = Follower(self, BatchWire(sdk, endpoint.api_key_env or "", endpoint.name))

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.journal.open)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """What was submitted goes on at the service and is waited for next time; what was only gathered is dropped."""
        self.closing = True
        lingering = [gathered.lingering for gathered in self._gathered.values() if gathered.lingering is not None]
        for task in (*lingering, *self._following):
            task.cancel()
        if self._placing:
            await asyncio.wait(self._placing, timeout=CLOSING_S)
        rest = [*lingering, *self._following, *self._placing]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.sweep(min(LATEST_S, SETTLING_S))

    async def ask(self, path: str, body: bytes, seed: int | None, weight: int = 1) -> bytes:
        """The body of the answer. Raises CallError and BackendFatal."""
        id_ = blake2b(b"%b\0%b\0%b" % (path.encode(), str(seed).encode(), body), digest_size=16).hexdigest()
        call = self._calls.get(id_)
        if call is None:
            line = line_of(id_, path, body)
            call = self._calls[id_] = Call(id_, path, line, weight, asyncio.get_running_loop().create_future())
            self._gather(call)
        call.waiters += 1
        try:
            return await asyncio.shield(call.future)
        finally:
            call.waiters -= 1
            if not call.waiters and not call.placed:
                self._drop(call)

    def settle(self, call: Call, answer: bytes | Exception, *, final: bool = True) -> None:
        """Hand an answer over. A final one that comes for nobody (its run was aborted) stays in the journal for the next run;
        one that was received is forgotten there. Should its call be asked for again, it was of no use, and is asked anew."""
        if final and call.waiters:
            settled = 0.0 if isinstance(answer, bytes) else SETTLING_S  # a failure is not stored: it is forgotten at once
            self._given[call.id] = asyncio.get_running_loop().time() - settled
        self._calls.pop(call.id, None)
        if call.future.done():
            return
        if isinstance(answer, bytes):
            call.future.set_result(answer)
        else:
            call.future.set_exception(copy.copy(answer) if isinstance(answer, DatalchemyError) else answer)
            call.future.exception()  # nobody may be waiting any more

    def gather_again(self, calls: Iterable[Call]) -> None:
        """Calls whose batch is no more."""
        for call in calls:
            call.placed = False
            if call.waiters and not self.closing:
                self._gather(call)
            else:
                self._drop(call)

    def gathered_enough(self) -> None:
        """A batch ended: others may wait for that."""
        for path in list(self._gathered):
            self._flush_full(path)

    async def sweep(self, age_s: float = SETTLING_S) -> None:
        """Forget the calls that were handed over so long ago."""
        before = asyncio.get_running_loop().time() - age_s
        due = [id_ for id_, when in self._given.items() if when <= before]
        if due:
            for id_ in due:
                del self._given[id_]
            await asyncio.to_thread(self.journal.forget_calls, due)

    def follow(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(work, self._following)

    def _spawn(self, work: Coroutine[Any, Any, None], where: set[asyncio.Task[None]]) -> None:
        task = asyncio.ensure_future(work)
        where.add(task)
        task.add_done_callback(where.discard)

    def _gather(self, call: Call) -> None:
        now = asyncio.get_running_loop().time()
        gathered = self._gathered.setdefault(call.path, Gathered())
        if not gathered.calls:
            gathered.first = now
        gathered.last = now
        gathered.calls[call.id] = call
        gathered.size += len(call.line)
        gathered.weight += call.weight
        self._flush_full(call.path)
        if gathered.calls and gathered.lingering is None:
            gathered.lingering = asyncio.ensure_future(self._linger(call.path, gathered))

    def _drop(self, call: Call) -> None:
        self._calls.pop(call.id, None)
        gathered = self._gathered.get(call.path)
        if gathered is not None and gathered.calls.pop(call.id, None) is not None:
            gathered.size -= len(call.line)
            gathered.weight -= call.weight

    async def _linger(self, path: str, gathered: Gathered) -> None:
        """Send what was gathered once nothing has joined it for a while."""
        longest = self.endpoint.linger_s
        while gathered.calls:
            now = asyncio.get_running_loop().time()
            due = min(gathered.last + longest, gathered.first + LONGEST_LINGER * longest)
            if due <= now and self._may_send():
                self._flush(path)
            else:
                await asyncio.sleep(max(0.01, due - now) if due > now else self.endpoint.poll_s)
        gathered.lingering = None

    def _may_send(self) -> bool:
        """Once the service said that too much is waiting, one batch goes after another."""
        return self.most == self.endpoint.batch_size or not (self._placing or self._following)

    def _flush_full(self, path: str) -> None:
        gathered = self._gathered[path]
        while gathered.calls and self._may_send() and self._full(gathered):
            self._flush(path)

    def _full(self, gathered: Gathered) -> bool:
        return gathered.weight >= self.most or gathered.size >= MOST_BYTES

    def _flush(self, path: str) -> None:
        """Place as many of the gathered calls as fit into one batch."""
        gathered = self._gathered[path]
        taken: list[Call] = []
        weight = size = 0
        for call in list(gathered.calls.values()):
            if taken and (weight + call.weight > self.most or size + len(call.line) > MOST_BYTES):
                break
            taken.append(call)
            weight, size = weight + call.weight, size + len(call.line)
            del gathered.calls[call.id]
            call.placed = True
        gathered.weight -= weight
        gathered.size -= size
        self._spawn(self._place(path, taken), self._placing)

    async def _place(self, path: str, calls: list[Call]) -> None:
        """Each call to the batch that holds it, the others into a new one."""
        try:
            await self.sweep()
            planned = await self._plan(path, calls)
            by_id = {call.id: call for call in calls}
            for name, ids in planned.elsewhere.items():
                self.follower.attach(name, [by_id[id_] for id_ in ids])
            if planned.name:
                await self.follower.submit(planned.name, path, [call for call in calls if call.id in planned.ours], planned.lock)
        except (CallError, BackendFatal) as error:
            self.fail(calls, error)
        except DatalchemyError as error:  # the journal cannot be written: nothing may be submitted
            self.fail(calls, BackendFatal(str(error)))
        except Exception as error:  # whatever it is, nobody may wait for ever
            self.fail(calls, error)

    def fail(self, calls: Iterable[Call], error: Exception) -> None:
        """Calls whose batch (not themselves) came to grief; what the journal says of them stays."""
        for call in calls:
            if not call.future.done():
                self.settle(call, error, final=False)

    async def _plan(self, path: str, calls: list[Call]) -> Planned:
        again = [call.id for call in calls if self._given.pop(call.id, None) is not None]
        planning = asyncio.ensure_future(asyncio.to_thread(self.journal.plan, path, [call.id for call in calls], again))
        try:
            return await asyncio.shield(planning)
        except asyncio.CancelledError:
            with suppress(DatalchemyError):
                planned = await planning
                self.journal.unlock(planned.name, planned.lock)
            raise
