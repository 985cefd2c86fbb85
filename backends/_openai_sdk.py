"""OpenAI's SDK (2.x on httpx, 3.x on httpx2) over its aiohttp transport: bytes out, bytes in, every foreign error mapped to ours.

The SDK brings addresses, headers and authentication. What it would do besides is left to the engine: it retries nothing,
follows no redirects, takes no proxies and no further settings from the environment, and answers are read as bytes, because
its own reading takes what no server should send (NaN, missing choices) for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, Self, TypeVar

import aiohttp

from ..core.endpoint import Deadlines
from ..core.errors import BackendFatal, CallError, DeadlineExceeded, Rejected
from . import _transport
from ._address import secret_in
from ._openai_shape import RAW_CAP, bad
from ._status import complaint, status_error, unknown_model
from ._transport import connection_error

E = TypeVar("E", bound=BaseException)

_FILTERED = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
"""Codes of 400s that say: the prompt itself was found objectionable."""
_AGENT = "datalchemy"


class Status(Exception):
    """An answer that is no 2xx."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status, self.headers, self.body = status, headers, body


class UnknownModel(BackendFatal):
    """The service says that it has no such model."""


class _Come:
    """What has come of an answer so far."""

    __slots__ = ("head", "pieces")

    def __init__(self) -> None:
        self.head = False
        self.pieces: list[bytes] = []

    @property
    def body(self) -> bytes:
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


class Sdk:
    """One client of one account."""

    def __init__(self, url: str, key: str, key_name: str, deadlines: Deadlines, organization: str | None, project: str | None) -> None:
        self._url, self._key, self._key_name = url, key, key_name
        self._secret = secret_in(key)
        self._limits = deadlines
        self._payers = organization, project
        self._stack = AsyncExitStack()
        self._client: Any
        self._foreign: tuple[type[Exception], ...]

    async def __aenter__(self) -> Self:
        import openai

        httpx: Any = import_module("httpx" if openai.__version__.startswith("2.") else "httpx2")
        limits = self._limits
        http = openai.DefaultAioHttpClient(
            timeout=httpx.Timeout(limits.first_byte_s, connect=limits.connect_s, pool=limits.connect_s),
            limits=httpx.Limits(max_connections=0, keepalive_expiry=60),  # 0: as many as there are calls; None would be aiohttp's 100
            follow_redirects=False,
            trust_env=False,
            event_hooks={"request": [] if self._key else [_without_key], "response": [_refuse]},
        )
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._url,
            max_retries=0,
            timeout=httpx.Timeout(limits.first_byte_s, connect=limits.connect_s, pool=limits.connect_s),
            http_client=http,
            default_headers={"User-Agent": _AGENT},
        )
        self._client.organization, self._client.project = self._payers
        self._foreign = (Status, openai.OpenAIError, httpx.HTTPError, aiohttp.ClientError, TimeoutError, ConnectionError)
        self._as_is = {"cast_to": httpx.Response, "stream": True, "stream_cls": openai.AsyncStream[object]}
        await self._stack.enter_async_context(self._client)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def post(self, path: str, content: bytes, model: str = "") -> bytes:
        """The body of a 2xx answer. Raises CallError or BackendFatal (UnknownModel where `model` is given and not there)."""
        return await self._whole(lambda: self._client.post(path, content=content, **self._as_is), model)

    async def get(self, path: str, **query: str | int) -> bytes:
        return await self._whole(lambda: self._client.get(path, options={"params": query}, **self._as_is))

    async def upload(self, name: str, content: bytes) -> bytes:
        """A file for the Batch API."""
        form = {"files": [("file", (name, content, "application/jsonl"))], "options": {"headers": {"Content-Type": "multipart/form-data"}}}
        return await self._whole(lambda: self._client.post("/files", body={"purpose": "batch"}, **form, **self._as_is))

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """The lines of a file of any length, as they come; a line is capped like a whole answer."""
        rest = b""
        async with self._typed() as come:
            response = await self._client.get(path, **self._as_is)
            come.head = True
            try:
                async for chunk in self._chunks(response):
                    come.pieces = [chunk[:RAW_CAP]]
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield self._clean(line)
                    if len(rest) > _transport.BODY_CAP:
                        raise bad("too_large", f"a line passed {_transport.BODY_CAP} bytes", rest[:RAW_CAP])
            finally:
                await response.aclose()
        if rest.strip():
            yield self._clean(rest)

    async def _whole(self, asked: Callable[[], Awaitable[Any]], model: str = "") -> bytes:
        async with self._typed(model) as come, asyncio.timeout(self._limits.total_s):
            response = await asked()
            come.head = True
            try:
                size = 0
                async for chunk in self._chunks(response):
                    come.pieces.append(chunk)
                    size += len(chunk)
                    if size > _transport.BODY_CAP:
                        raise bad("too_large", f"the body passed {_transport.BODY_CAP} bytes and was cut", come.body)
            finally:
                await response.aclose()
        return self._clean(come.body)

    async def _chunks(self, response: Any) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed; the first byte is here with the head, so now the idle deadline counts."""
        chunks = response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s) as idle:
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                if not idle.expired():
                    raise
                raise DeadlineExceeded(f"no further byte within {self._limits.idle_s:g} s", reason="idle_deadline") from error
            if chunk is None:
                return
            yield chunk

    @asynccontextmanager
    async def _typed(self, model: str = "") -> AsyncGenerator[_Come]:
        """Foreign errors become ours; what had come of the answer goes with them."""
        come = _Come()
        try:
            yield come
        except (CallError, BackendFatal) as error:
            if isinstance(error, CallError):
                error.raw = error.raw or come.body[:RAW_CAP]
            self._scrub(error)
            raise
        except self._foreign as error:
            refused = _within(error, Status)
            mapped = self._mapped(error, come) if refused is None else self._refused(refused, model)
            self._scrub(mapped)
            raise mapped from (error if refused is None else None)

    def _mapped(self, error: BaseException, come: _Come) -> CallError | BackendFatal:
        if root := _within(error, aiohttp.ClientError, TimeoutError, ConnectionError):
            return connection_error(root, self._limits, answered=come.head, raw=come.body)
        return bad("cut_body", f"the body cannot be read: {type(error).__name__}: {error}", come.body)

    def _refused(self, answer: Status, model: str) -> CallError | BackendFatal:
        if model and unknown_model(answer.status, answer.body, model):
            return UnknownModel(f"{self._url} answers {answer.status} for the model {model!r}: {complaint(answer.body)[0]}")
        return refusal(answer.status, answer.headers, answer.body, self._key_name)

    def _clean(self, body: bytes) -> bytes:
        """Whatever a server echoes, the key is taken out here."""
        return body.replace(self._secret.encode(), b"***") if self._secret else body

    def _scrub(self, error: CallError | BackendFatal) -> None:
        if self._secret:
            error.args = tuple(arg.replace(self._secret, "***") if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, CallError):
            error.raw = self._clean(error.raw)


def refusal(status: int, headers: Mapping[str, str], body: bytes, key_name: str) -> CallError | BackendFatal:
    """The error that an answer with this status stands for, of a call or within a batch."""
    message, codes = complaint(body)
    if codes & _FILTERED:
        return Rejected(f"{status}: {message}", reason="content_filter", raw=body[:RAW_CAP])
    return status_error(status, headers, body, key_name=key_name)


async def _without_key(request: Any) -> None:
    """The SDK must be given a key."""
    request.headers.pop("Authorization", None)


async def _refuse(response: Any) -> None:
    """Called by the SDK's client for each answer, before its body is read: of an error at most RAW_CAP bytes are."""
    if response.status_code < 300:
        return
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= RAW_CAP:
            break
    raise Status(response.status_code, response.headers, body[:RAW_CAP])


def _within(error: BaseException | None, *kinds: type[E]) -> E | None:
    """The first of these kinds in a chain of causes: the SDK wraps what its transport has wrapped before."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error
