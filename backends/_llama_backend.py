"""The connection behind `use: embedded`: a process with llama.cpp, started again when it dies, spoken to like any HTTP server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self

import orjson
from yarl import URL

from ..core.backend import Capability, Probe, Reply, Request, Sampling, Vector
from ..core.endpoint import Endpoint
from ..core.errors import BackendFatal, BadResponse, CallError, Disconnected, Rejected
from ._http_backend import HttpBackend
from ._llama_child import Child, start
from ._openai_shape import parse
from ._status import status_error
from ._transport import Transport

_RESTARTS, _WITHIN_S = 3, 60.0


@dataclass(frozen=True, slots=True)
class _Served:
    """One life of the process, and the sessions with it: the API, and the pages that only llama.cpp has."""

    child: Child
    http: HttpBackend
    aside: Transport
    pieces: dict[int, str]
    """Texts of the token ids that calls stop at."""


class LlamaBackend:
    """A Backend. Calls in flight when the process dies raise Disconnected(`backend_died`); the next call starts it again.

    After 3 restarts within a minute a further death is BackendFatal, with the last lines of the log.
    """

    def __init__(self, endpoint: Endpoint, settings: Mapping[str, Any]) -> None:
        self.capabilities: frozenset[Capability] = endpoint.capabilities
        self._endpoint, self._settings = endpoint, settings
        self._served: _Served | None = None
        self._past: list[_Served] = []
        """Dead ones, whose sessions calls may still hold."""
        self._starting = asyncio.Lock()
        self._restarts: deque[float] = deque(maxlen=_RESTARTS)

    async def __aenter__(self) -> Self:
        self._served = served = await self._start()
        try:
            if not await _knows_tools(served):
                self.capabilities -= {"tools"}
        except BaseException:
            await _end(served)
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        served, self._served = self._served, None
        for past in self._past:
            await _end(past)
        if served is not None:
            await _end(served)

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        if request.kind == "prompt_logprobs":
            raise Rejected("llama.cpp's server gives no log-probabilities of a prompt: use `http` with vLLM", reason="unsupported")
        if request.tools and "tools" not in self.capabilities:
            raise Rejected("this model's chat template knows no tools: take another model or leave `tools` out", reason="unsupported")
        served = await self._alive()
        try:
            stops = await _pieces(served, request.sampling.stop_token_ids)
            if stops and request.kind == "chat":
                request = await _rendered(served, request)
            fitted = _fit(request, stops)
            seeds = [None if seed is None else seed + i for i in range(n)]
            replies = [reply for each in seeds for reply in await served.http.send(fitted, seed=each)]
        except CallError as error:
            raise await _told(error, served) from error
        return [reply.model_copy(update={"model": self._settings["alias"]}) for reply in replies]

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        raise BackendFatal("`embedded` lacks the capability `embed`: name another model for embeddings")

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal("`embedded` lacks the capability `score`: name another model for scores")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        served = await self._alive()
        try:
            return await served.http.tokenize(messages, add_generation_prompt=add_generation_prompt)
        except CallError as error:
            raise await _told(error, served) from error

    async def probe(self) -> Probe:
        try:
            told = await (await self._alive()).http.probe()
            return told.model_copy(update={"template_from": "GGUF header"}) if told.chat_template else told
        except (CallError, BackendFatal) as error:
            return Probe(reachable=False, detail=str(error), server="llama.cpp")

    async def _start(self) -> _Served:
        child = await start(self._settings)
        http = HttpBackend(self._endpoint, url=f"{child.url}/v1", name=self._settings["alias"], key=child.key, key_name="")
        aside = Transport(self._endpoint.deadlines, {"Authorization": f"Bearer {child.key}"})
        return _Served(child, await http.__aenter__(), aside, {})

    async def _alive(self) -> _Served:
        """The living process, started again where it died. Raises BackendFatal where it dies too often or does not start."""
        async with self._starting:
            served = self._served
            if served is None:
                raise BackendFatal("the embedded model is closed: use it inside `async with endpoint.open()`")
            if not served.child.dead:
                return served
            now = monotonic()
            if len(self._restarts) == _RESTARTS and now - self._restarts[0] < _WITHIN_S:
                raise BackendFatal(f"llama.cpp died {_RESTARTS + 1} times within a minute; the last time: {served.child.epitaph()}")
            self._restarts.append(now)
            self._served = fresh = await self._start()
            self._past.append(served)
            return fresh


def _fit(request: Request, stops: Sequence[str]) -> Request:
    """The request in llama.cpp's own spellings; `stops` are the texts of its stop ids."""
    sampling = request.sampling
    extra: dict[str, Any] = {}
    if sampling.repetition_penalty is not None:
        extra["repeat_penalty"] = sampling.repetition_penalty
    if request.logprobs and request.kind == "chat":
        extra["top_logprobs"] = 1
    if stops:
        extra |= {"stop": [*sampling.stop, *stops], "preserved_tokens": list(stops)}
    if not extra:
        return request
    return request.model_copy(update={"sampling": Sampling(extra={**extra, **sampling.extra}).over(sampling)})


async def _rendered(served: _Served, request: Request) -> Request:
    """A chat as raw completion of its token ids: llama.cpp's chat stops at no special token but its own.

    Raises Rejected for a chat with tools, whose calls would not be read.
    """
    if request.tools:
        raise Rejected("llama.cpp cannot stop at token ids in a chat with tools: leave `stop_token_ids` out", reason="unsupported")
    ids = await served.http.tokenize(request.messages)
    return request.model_copy(update={"kind": "complete", "prompt": tuple(ids), "messages": ()})


async def _pieces(served: _Served, ids: Sequence[int]) -> list[str]:
    """The texts of tokens. Raises CallError."""
    for token in ids:
        if token not in served.pieces:
            body = await _aside(served, "POST", "/detokenize", {"tokens": [token]})
            served.pieces[token] = str(body.get("content") or "")
    return [piece for token in ids if (piece := served.pieces[token])]


async def _knows_tools(served: _Served) -> bool:
    caps = (await _aside(served, "GET", "/props")).get("chat_template_caps")
    return not isinstance(caps, dict) or caps.get("supports_tools") is not False


async def _aside(served: _Served, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A page of llama.cpp's own. Raises CallError, BackendFatal."""
    answer = await served.aside.ask(method, URL(served.child.url + path), None if body is None else orjson.dumps(body))
    if answer.status >= 300:
        raise status_error(answer.status, answer.headers, answer.body, key_name="")
    return parse(answer.body)


async def _told(error: CallError, served: _Served) -> CallError:
    """The error a caller should see: of a dead process that it died, of a prompt beyond the context that it is too long."""
    if isinstance(error, Rejected) and b"exceed_context_size" in error.raw:
        return Rejected(f"the prompt is longer than a slot: {error}; raise `context`", reason="context_length", raw=error.raw)
    if isinstance(error, Disconnected | BadResponse) and await served.child.died(1.0):
        return Disconnected(f"llama.cpp died ({served.child.epitaph()})", reason="backend_died", raw=error.raw)
    return error


async def _end(served: _Served) -> None:
    """Close the sessions and end the process, whatever happens meanwhile."""
    try:
        await served.http.__aexit__()
        await served.aside.close()
    finally:
        await served.child.end()
