"""One life of a vLLM server: its process, until it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp
import orjson

from ..core.errors import BackendFatal

_KEEPER = Path(__file__).with_name("_vllm_keeper.py")
_GRACE_S = 5.0
_TAIL = 64 * 1024
_LINES = 6
_CAUSE = re.compile(r"\b[A-Za-z_.]*(?:Error|Exception|Killed)\b")


class Life:
    """Started with `start`; `ended` is done when the server has ended and nothing of it is left."""

    def __init__(self, keeper: asyncio.subprocess.Process, port: int, key: str, log: Path) -> None:
        self.port, self.key, self.log = port, key, log
        self.pid = 0
        self._keeper = keeper
        self._status: int | None = None
        self._from = log.stat().st_size if log.exists() else 0
        self.ended = asyncio.ensure_future(self._follow())

    @property
    def dead(self) -> bool:
        return self.ended.done()

    async def started(self) -> None:
        while not self.pid and not self.dead:
            await asyncio.wait({self.ended}, timeout=0.02)

    async def healthy(self, within_s: float) -> None:
        """Until it answers. Raises BackendFatal, with the end of its log, where it ends first or takes longer."""
        deadline = asyncio.get_running_loop().time() + within_s
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            while not self.dead:
                with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                    async with session.get(f"http://127.0.0.1:{self.port}/health") as response:
                        if response.status == 200 and not self.dead:
                            return
                if asyncio.get_running_loop().time() > deadline:
                    raise BackendFatal(f"vLLM did not answer within {within_s:g} s (start_s); {self.epitaph()}")
                await asyncio.wait({self.ended}, timeout=0.25)
        raise BackendFatal(f"vLLM did not start: {self.epitaph()}")

    def epitaph(self) -> str:
        """How it ended, the first error in its log and the last lines."""
        how = "it still runs" if not self.dead else _how(self._status)
        lines = [line.strip() for line in self._tail().splitlines() if line.strip()]
        cause = next((line for line in lines if _CAUSE.search(line)), "")
        last = lines[-_LINES:]
        said = [cause[-300:], *(line[-300:] for line in last)] if cause and cause not in last else [line[-300:] for line in last]
        return f"{how}; {self.log} ends: {' | '.join(said)}" if said else f"{how}; its log {self.log} is empty"

    async def end(self) -> None:
        """Closes the keeper's stdin, at which it ends the server: with SIGTERM, after 5 s with SIGKILL."""
        try:
            if self._keeper.stdin is not None:
                self._keeper.stdin.close()
            await asyncio.wait({self.ended}, timeout=_GRACE_S + 5)
        finally:
            if not self.dead:
                self._kill()
                await asyncio.wait({self.ended}, timeout=5)

    async def _follow(self) -> None:
        assert self._keeper.stdout is not None
        with suppress(ValueError, ConnectionError):
            while line := await self._keeper.stdout.readline():
                told = orjson.loads(line)
                self.pid = told.get("pid", self.pid)
                self._status = told.get("status", self._status)
        if self._status is None:
            self._kill()  # the keeper itself was killed, and its server may live on
        await self._keeper.wait()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._keeper.kill()
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _tail(self) -> str:
        """The end of what this life wrote."""
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self._from, self.log.stat().st_size - _TAIL))
            return file.read().decode("utf-8", "replace").replace(self.key, "***")
        return ""


async def start(argv: Sequence[str], env: Mapping[str, str], *, port: int, key: str, log: Path) -> Life:
    """The process of a server, which need not answer yet."""
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-E", str(_KEEPER),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    life = Life(keeper, port, key, log)
    try:
        told = {"argv": list(argv), "env": dict(env), "cwd": str(log.parent), "log": str(log), "parent": os.getpid(), "grace_s": _GRACE_S}
        assert keeper.stdin is not None
        with suppress(ConnectionError):
            keeper.stdin.write(orjson.dumps(told) + b"\n")
            await keeper.stdin.drain()
        await life.started()
    except BaseException:
        await life.end()
        raise
    return life


def _how(status: int | None) -> str:
    if status is None:
        return "its keeper was killed"
    if status >= 0:
        return f"it ended with status {status}"
    try:
        return f"it was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was killed by signal {-status}"
