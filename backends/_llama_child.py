"""Starts the process of `_llama_process.py` and watches over it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from ..core.errors import BackendFatal

_SCRIPT = Path(__file__).with_name("_llama_process.py")
_LOG = 8192
"""Bytes of the log that are kept."""
_LINES = 6
_GRACE_S = 3.0


class Child:
    """A running process: `url` (http://127.0.0.1:PORT), `key`, and the end of its log."""

    def __init__(self, process: asyncio.subprocess.Process, key: str) -> None:
        self.url, self.key = "", key
        self.process = process
        self._log = b""
        self._reading = asyncio.ensure_future(self._read_log())

    @property
    def dead(self) -> bool:
        return self.process.returncode is not None

    async def died(self, within_s: float) -> bool:
        """Whether it is dead, or dies within that time; its log is read to the end then."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), within_s)
            await asyncio.wait({self._reading}, timeout=1)
        return self.dead

    def epitaph(self) -> str:
        """How it ended, and the last lines of its log."""
        code = self.process.returncode
        how = "still runs" if code is None else f"killed by {_signal(-code)}" if code < 0 else f"ended with status {code}"
        lines = self._log.decode("utf-8", "replace").replace(self.key, "***").splitlines()[-_LINES:]
        return f"{how}; its log ends: {' | '.join(lines)}" if lines else how

    async def end(self) -> None:
        """Close its stdin, at which it exits; kill it where it does not within 3 s."""
        try:
            if self.process.stdin is not None:
                self.process.stdin.close()
            await self.died(_GRACE_S)
        finally:
            if not self.dead:
                with suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
            self._reading.cancel()

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(4096):
            self._log = (self._log + chunk)[-_LOG:]


async def start(settings: Mapping[str, Any]) -> Child:
    """A process that listens, with its model loaded. Raises BackendFatal with the end of its log where it does not come up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(_SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    child = Child(process, secrets.token_urlsafe(32))
    try:
        child.url = await _url(child, {**settings, "key": child.key, "parent": os.getpid()})
    except BaseException:
        await child.end()
        raise
    return child


async def _url(child: Child, settings: Mapping[str, Any]) -> str:
    stdin, stdout = child.process.stdin, child.process.stdout
    assert stdin is not None and stdout is not None
    with suppress(ConnectionError):
        stdin.write(orjson.dumps(settings) + b"\n")
        await stdin.drain()
    if line := await stdout.readline():
        return str(orjson.loads(line)["url"])
    await child.died(_GRACE_S)
    hint = (
        "pip install datalchemy"
        if child.process.returncode == 3
        else "check that the file is whole, and lower `slots` or `context` if memory is short"
    )
    raise BackendFatal(f"llama.cpp did not start with {settings['path']} ({child.epitaph()}): {hint}")


def _environment() -> dict[str, str]:
    """Ours, less what llama.cpp would read as options.

    Waiting threads sleep at once (`OMP_WAIT_POLICY`): spinning ones take the cores away from those they wait for.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
    return {"OMP_WAIT_POLICY": "passive", **kept, "GGML_NO_BACKTRACE": "1"}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
