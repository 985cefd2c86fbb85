"""The connection behind `use: vllm_server`: servers that are started, watched, started again, and balanced over."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.backend import Probe, Reply, Request, Vector
from ..core.errors import BackendFatal, CallError, Disconnected
from . import _vllm_command
from ._balance import Balance
from ._http_backend import HttpBackend
from ._lane import Lane
from ._vllm_life import Life, start
from ._weights import template_in

if TYPE_CHECKING:
    from .vllm_server import VllmServer

_WITHIN_S = 1800.0
_LONGEST_PAUSE_S = 60.0


@asynccontextmanager
async def servers(settings: VllmServer, python: str) -> AsyncGenerator[Balance]:
    """All servers, answering. Raises BackendFatal where one of them does not come up; none is left behind."""
    folder = settings.logs.expanduser().absolute() if settings.logs else Path(tempfile.mkdtemp(prefix="datalchemy-vllm-"))
    folder.mkdir(parents=True, exist_ok=True)
    own = [Server(settings, python, index, folder) for index in range(settings.count)]
    lanes = [Lane(f"server {server.index}", server, clock=time.monotonic, max_in_flight=settings.max_in_flight) for server in own]
    balance = Balance(lanes, settings.able(), patience_s=settings.patience_s)
    watches: list[asyncio.Task[None]] = []
    try:
        await _all_up(own)
        watches = [asyncio.create_task(server.watch(balance, lane)) for server, lane in zip(own, lanes, strict=True)]
        async with balance:
            yield balance
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        await asyncio.gather(*(server.end() for server in own), return_exceptions=True)
        if settings.logs is None and watches and not any(server.deaths for server in own):
            shutil.rmtree(folder, ignore_errors=True)


async def _all_up(own: Sequence[Server]) -> None:
    """Together; where one fails the others are not waited for."""
    starts = [asyncio.create_task(server.start()) for server in own]
    try:
        await asyncio.gather(*starts)
    finally:
        for one in starts:
            one.cancel()
        await asyncio.gather(*starts, return_exceptions=True)


class Server:
    """One of them: a Backend as long as it lives, and again when it was started again."""

    def __init__(self, settings: VllmServer, python: str, index: int, folder: Path) -> None:
        self.capabilities = settings.able()
        self.index = index
        self.deaths: deque[float] = deque(maxlen=settings.restarts + 1)
        self.life: Life | None = None
        self._settings, self._python = settings, python
        short = re.sub(r"[^\w.-]+", "-", Path(settings.path).name)[:60] or "model"
        self._log = folder / f"{short}-{os.getpid()}-{index}.log"
        self._http: HttpBackend | None = None

    async def start(self) -> None:
        """Raises BackendFatal. An earlier life must have ended."""
        await self._close()
        port, key = free_port(), secrets.token_urlsafe(32)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
        argv = _vllm_command.command(self._settings, self._python, port)
        self.life = await start(argv, _vllm_command.environment(self._settings, self.index, key, cores), port=port, key=key, log=self._log)
        try:
            await self.life.healthy(self._settings.start_s)
        except BaseException:
            await self.life.end()
            raise
        name = self._settings.stored_as
        http = HttpBackend(self._settings, url=f"http://127.0.0.1:{port}/v1", name=name, key=key, key_name="")
        self._http = await http.__aenter__()

    async def watch(self, balance: Balance, lane: Lane) -> None:
        """Starts it again whenever it ends, after 1, 2, 4 ... 60 s; after too many deaths its lane is lost."""
        while True:
            if self.life is not None and not self.life.dead:
                await asyncio.wait({self.life.ended})
            why = f"vLLM died: {self.life.epitaph() if self.life is not None else 'it never was'}"
            balance.down(lane, why)
            await self._close()
            self.deaths.append(time.monotonic())
            if len(self.deaths) > self._settings.restarts and self.deaths[-1] - self.deaths[0] < _WITHIN_S:
                balance.lose(lane, f"{len(self.deaths)} times within half an hour; the last time {why}")
                return
            await asyncio.sleep(min(_LONGEST_PAUSE_S, 2.0 ** (len(self.deaths) - 1)))
            try:
                await self.start()
            except BackendFatal:
                continue  # it counts as another death
            balance.up(lane)

    async def end(self) -> None:
        try:
            await self._close()
        finally:
            if self.life is not None:
                await self.life.end()

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        try:
            return await self._there().send(request, seed=seed, n=n)
        except CallError as error:
            raise await self._told(error) from error

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        try:
            return await self._there().embed(texts)
        except CallError as error:
            raise await self._told(error) from error

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal("`vllm_server` lacks the capability `score`: `reward_server` and `vllm` have it")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        try:
            return await self._there().tokenize(messages, add_generation_prompt=add_generation_prompt)
        except CallError as error:
            raise await self._told(error) from error

    async def probe(self) -> Probe:
        try:
            told = await self._there().probe()
        except CallError as error:
            return Probe(reachable=False, detail=str(error), server="vllm")
        folder = self._settings.folder()
        template = template_in(folder) if folder is not None and self._settings.chat_template is None else ""
        return told.model_copy(update={"chat_template": template, "template_from": "tokenizer files"}) if template else told

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.end()

    def _there(self) -> HttpBackend:
        if self._http is None or self.life is None or self.life.dead:
            raise Disconnected("this vLLM server died and is started again", reason="connect_failed")
        return self._http

    async def _told(self, error: CallError) -> CallError:
        """Of a dead server that it died: its answers break off in any way, and it may take a moment to be gone."""
        if self.life is None or not error.retryable or self._http is None:
            return error
        if isinstance(error, Disconnected):
            await asyncio.wait({self.life.ended}, timeout=0.3)
        return Disconnected(f"vLLM died ({self.life.epitaph()})", reason="backend_died") if self.life.dead else error

    async def _close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.__aexit__()


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])
