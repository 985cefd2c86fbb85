"""Starts the process of `_vllm_host.py` and speaks with it: frames of JSON over its stdin and stdout, many calls at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from ..core.errors import BackendFatal, CallError, Disconnected, RecipeError, Rejected

_SCRIPT = Path(__file__).with_name("_vllm_host.py")
_LOG, _LINES = 16384, 8
_GRACE_S = 20.0
"""vLLM lets go of its GPU and its shared memory within this time, or is killed."""
_QUIET = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class Child:
    """A running process with one engine in it; `told` is what it said when it was ready."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: dict[str, Any] = {}
        self.lost = False
        """Whether its answers have ended: it is dead, or about to be."""
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = count(1)
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._log = b""
        self._reading = [asyncio.ensure_future(self._read_log()), asyncio.ensure_future(self._read())]

    @property
    def outstanding(self) -> int:
        return len(self._calls)

    async def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = await self._ready
        return told

    def write(self, body: Mapping[str, Any]) -> None:
        """Raises Rejected for what cannot be written as JSON."""
        try:
            data = orjson.dumps(body, default=_as_dict)
        except orjson.JSONEncodeError as error:
            raise Rejected(f"the request cannot be written as JSON: {error}", reason="bad_request") from error
        assert self.process.stdin is not None
        self.process.stdin.write(len(data).to_bytes(4, "big") + data)

    async def call(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer. Cancelled, it is cancelled there too. Raises Rejected, Disconnected(`backend_died`)."""
        if self.lost:
            raise self._death()
        number = next(self._numbers)
        self.write({"id": number, **body})
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[number] = future
        try:
            return await future
        except asyncio.CancelledError:
            if not self.lost:
                self.write({"cancel": number})
            raise
        finally:
            self._calls.pop(number, None)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                size = int.from_bytes(await self.process.stdout.readexactly(4), "big")
                answer: dict[str, Any] = orjson.loads(await self.process.stdout.readexactly(size))
                if "id" not in answer:
                    self._ready.set_result(answer)
                elif (future := self._calls.get(answer["id"])) is not None and not future.done():
                    future.set_result(answer)
        except (asyncio.IncompleteReadError, OSError, ValueError):
            self.lost = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), 2)
            await asyncio.wait({self._reading[0]}, timeout=1)
            self._give_up()

    def _give_up(self) -> None:
        self.lost = True
        if not self._ready.done():
            self._ready.set_result({"failed": "start", "message": "it ended while it was loading"})
        for future in self._calls.values():
            if not future.done():
                future.set_exception(self._death())

    def _death(self) -> CallError:
        return Disconnected(f"vLLM died ({self.epitaph()})", reason="backend_died")

    def epitaph(self) -> str:
        """How it ended, and the last lines of its log."""
        code = self.process.returncode
        how = "still runs" if code is None else f"killed by {_signal(-code)}" if code < 0 else f"ended with status {code}"
        lines = [line for line in self._log.decode("utf-8", "replace").splitlines() if line.strip()][-_LINES:]
        return f"{how}; its log ends: {' | '.join(lines)}" if lines else how

    async def end(self) -> None:
        """Close its stdin, at which it ends its engine and itself; after 20 s it and all that it started is killed."""
        self._give_up()
        try:
            if self.process.stdin is not None:
                self.process.stdin.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), _GRACE_S)
        finally:
            await self._end_session()
            for reading in self._reading:
                reading.cancel()

    async def _end_session(self) -> None:
        """Kill what is left of its session, whose leader it is: itself, engines that outlived it. Python's tracker of shared
        memory is given a moment: it takes away what a killed engine has left in /dev/shm."""
        with suppress(ProcessLookupError):
            for _ in range(20 if self.process.returncode is not None else 0):
                os.killpg(self.process.pid, 0)
                await asyncio.sleep(0.05)
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(4096):
            self._log = (self._log + chunk)[-_LOG:]


async def start(python: str, settings: Mapping[str, Any], *, devices: str, offline: bool, within_s: float) -> Child:
    """A process that has its engine loaded. Raises RecipeError, BackendFatal."""
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            "-P",
            str(_SCRIPT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(os.environ, devices=devices, offline=offline),
            start_new_session=True,
        )
    except OSError as error:
        raise RecipeError(f"the interpreter {python} cannot be started: {error.strerror}") from error
    child = Child(process)
    try:
        child.write(settings)
        async with asyncio.timeout(within_s):
            told = await child.ready()
        if "failed" in told:
            raise _why(told, child, str(settings["arguments"].get("model")))
        child.told = told
    except TimeoutError as error:
        await child.end()
        raise BackendFatal(f"vLLM was not ready within {within_s:.0f} s (`start_s`): {child.epitaph()}") from error
    except BaseException:
        await child.end()
        raise
    return child


def _why(told: Mapping[str, Any], child: Child, model: str) -> RecipeError | BackendFatal:
    message = str(told.get("message"))
    if told["failed"] == "missing":
        return RecipeError(f"vLLM cannot be imported ({message}): pip install 'datalchemy[vllm]'")
    if told["failed"] == "settings":
        return RecipeError(f"vLLM cannot take these settings of {model}: {message}")
    return BackendFatal(f"vLLM did not start with {model}: {message} ({child.epitaph()})")


def environment(ours: Mapping[str, str], *, devices: str, offline: bool) -> dict[str, str]:
    """Of the process: ours, with what keeps vLLM quiet (unless that is set), and the GPUs that it may see.

    Nothing of our own interpreter's path goes along: that of vLLM may be another.
    """
    env = {**_QUIET, **{name: value for name, value in ours.items() if name not in ("PYTHONPATH", "PYTHONHOME")}}
    env["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    if devices:
        env |= {"CUDA_VISIBLE_DEVICES": devices, **({"HIP_VISIBLE_DEVICES": devices} if "HIP_VISIBLE_DEVICES" in env else {})}
    if offline:
        env["HF_HUB_OFFLINE"] = "1"
    return env


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
