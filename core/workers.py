"""Worker processes: a call that hangs, bloats or crashes costs its own time limit and nothing else.

Not `multiprocessing`: a worker imports the one function it serves and never the user's `__main__`, so it works from
notebooks and scripts without a guard, and under any event loop.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, cast

import orjson

from .errors import PartError, WorkerFault

FRAME_BYTES = 256 << 20
"""A longer answer than this is a broken worker, not an answer."""
ADMITTED = re.compile(r"PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|SYSTEMROOT|PYTHON\w*|DATALCHEMY_\w*")
"""Environment variables that a worker sees ..."""
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)
"""... unless their name looks like that of a secret."""


class WorkerPool:
    """Implements `core.part.Workers`. A worker serves one function; workers start when they are first needed.

    `processes`: workers of one function at most. `memory_bytes`: address space of each (Linux). `tasks_per_worker`: after
    so many calls a worker is replaced, so that what the called code caches cannot grow without bound. `grace_s`: how long
    after its limit a call may go on before its process is killed. `start_s`: how long a worker may take to import its function.
    Belongs to the event loop it is entered on.
    """

    def __init__(
        self,
        processes: int | None = None,
        *,
        memory_bytes: int = 2 << 30,
        tasks_per_worker: int = 5000,
        grace_s: float = 1.0,
        start_s: float = 120.0,
    ) -> None:
        self._processes = processes or os.cpu_count() or 1
        self._memory_bytes = memory_bytes
        self._tasks_per_worker = tasks_per_worker
        self._grace_s = grace_s
        self._start_s = start_s
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._idle: dict[str, list[_Worker]] = {}
        self._all: set[_Worker] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """End all workers; calls that are under way fail with `died`."""
        self._closed = True
        await asyncio.gather(*(worker.kill() for worker in list(self._all)))
        self._all.clear()

    async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
        """See `core.part.Workers`. The time limit covers the call alone, neither the wait for a worker nor its start.

        Raises WorkerFault; PartError where no worker can start (the function cannot be imported: a library is missing);
        TypeError for an argument that is not JSON. A worker that dies is blamed on this call only
        if it was a fresh one: what an earlier call left behind (a full heap, a thread) is tried again once.
        """
        frame = orjson.dumps({"argument": argument, "timeout_s": timeout_s})
        async with self._slots.setdefault(function, asyncio.Semaphore(self._processes)):
            worker = await self._take(function)
            used = worker.tasks > 0
            try:
                return await self._ask(worker, frame, timeout_s)
            except WorkerFault as fault:
                if fault.reason != "died" or not used or self._closed:
                    raise
            return await self._ask(await self._start(function), frame, timeout_s)

    async def _take(self, function: str) -> _Worker:
        idle = self._idle.setdefault(function, [])
        while idle:
            worker = idle.pop()
            if not worker.gone.done():
                return worker
            await self._drop(worker)
        return await self._start(function)

    async def _start(self, function: str) -> _Worker:
        if self._closed:
            raise WorkerFault("died", "the worker pool is closed")
        command = (sys.executable, "-P", "-m", f"{__package__}._worker_main", function, str(self._memory_bytes), str(os.getpid()))
        _, worker = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Worker(function),
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(os.environ),
            start_new_session=True,
        )
        self._all.add(worker)
        try:
            await worker.frame(self._start_s)
        except WorkerFault as fault:
            await self._drop(worker)
            by_hand = " ".join(command)
            raise PartError(f"a worker for {function} did not start: {fault}; to see why: {by_hand}") from fault
        except BaseException:
            await self._drop(worker)
            raise
        return worker

    async def _ask(self, worker: _Worker, frame: bytes, timeout_s: float) -> Any:
        try:
            result = await worker.ask(frame, timeout_s, self._grace_s)
        except WorkerFault as fault:
            if fault.reason == "raised":
                await self._keep(worker)
            else:
                await self._drop(worker)
            raise
        except BaseException:
            await self._drop(worker)
            raise
        await self._keep(worker)
        return result

    async def _keep(self, worker: _Worker) -> None:
        if worker.tasks >= self._tasks_per_worker or self._closed:
            await self._drop(worker)
        else:
            self._idle[worker.function].append(worker)

    async def _drop(self, worker: _Worker) -> None:
        self._all.discard(worker)
        await worker.kill()


class _Worker(asyncio.SubprocessProtocol):
    """One process and the frames to and from it; one call at a time."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.tasks = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = bytearray()
        self._waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast(asyncio.SubprocessTransport, transport)
        self._pid = self._process.get_pid()
        self._input = cast(asyncio.WriteTransport, self._process.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._received += data
        size = int.from_bytes(self._received[:4], "big")
        if len(self._received) > 4 and size > FRAME_BYTES:
            self._fail("it answered with something that is no frame")
        elif 4 + size <= len(self._received) and len(self._received) >= 4:
            body = bytes(self._received[4 : 4 + size])
            del self._received[: 4 + size]
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(body)

    def process_exited(self) -> None:
        code = self._process.get_returncode()
        if not self.gone.done():
            self.gone.set_result(None)
        self._fail(f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}")

    def _fail(self, how: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(WorkerFault("died", f"the worker process ended: {how}"))

    async def ask(self, frame: bytes, timeout_s: float, grace_s: float) -> Any:
        self.tasks += 1
        waiting = self.frame(timeout_s + grace_s)
        self._input.write(len(frame).to_bytes(4, "big") + frame)
        return await waiting

    async def frame(self, limit_s: float) -> Any:
        """The result in the next frame. Raises WorkerFault."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        if self.gone.done():
            self._fail("before it was asked")
        try:
            async with asyncio.timeout(limit_s):
                reply = orjson.loads(await self._waiting)
        except TimeoutError as error:
            raise WorkerFault("timeout", f"no answer within {limit_s:g} s; the process was killed") from error
        if "fault" in reply:
            raise WorkerFault(reply["fault"], reply["message"])
        return reply["result"]

    async def kill(self) -> None:
        """End the process and whatever it has started, and wait until it is gone."""
        if not self.gone.done():
            try:
                os.killpg(self._pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.close()
        await self.gone
        self._process.close()


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a worker sees of our environment: nothing that could be a key, our import path, one thread for numeric libraries."""
    kept = {name: value for name, value in ours.items() if ADMITTED.fullmatch(name) and not SECRET.search(name)}
    path = os.pathsep.join(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))  # noqa: PTH100 (entries are text)
    return {**kept, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
