"""The connection behind `use: openai`: the same requests and readers, whether they go out as calls or in batches."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import orjson

from ..core.backend import Probe, Reply, Request, Vector
from ..core.errors import BackendFatal, CallError, Rejected
from ._openai_hosted import hosted
from ._openai_more import read_embeddings
from ._openai_sdk import Sdk, UnknownModel
from ._openai_shape import bad, chat_body, completion_body, parse, read_chat, read_completion

if TYPE_CHECKING:
    from ._batches import Batches
    from .openai import OpenAI

_PATHS = {"chat": "/chat/completions", "complete": "/completions", "embed": "/embeddings"}


class OpenAIBackend:
    """One client of one model."""

    def __init__(self, endpoint: OpenAI, key: str) -> None:
        self._endpoint, self._name = endpoint, endpoint.name
        self.capabilities = endpoint.able()
        payers = endpoint.organization, endpoint.project
        self._sdk = Sdk(endpoint.url, key, endpoint.api_key_env or "", endpoint.deadlines, *payers)
        self._batches: Batches | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._sdk)
            if self._endpoint.mode == "batch":
                from ._batches import Batches

                self._batches = await stack.enter_async_context(Batches(self._endpoint, self._sdk))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        if request.kind not in ("chat", "complete"):
            raise BackendFatal(f"{self._endpoint.url} cannot give {request.kind}: `openai` lacks that capability")
        write = chat_body if request.kind == "chat" else completion_body
        endpoint = self._endpoint
        body = hosted(
            write(request, self._name, seed=seed, n=n),
            request,
            official=endpoint.official,
            reasoning=endpoint.reasoning,
            service_tier=endpoint.service_tier,
        )
        read = read_chat if request.kind == "chat" else read_completion
        return read(await self._post(_PATHS[request.kind], body, seed), n)

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        if not texts:
            return []
        body = {"model": self._name, "input": list(texts), "encoding_format": "float"}
        return read_embeddings(await self._post(_PATHS["embed"], body, None, len(texts)), len(texts))

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal(f"{self._endpoint.url} cannot score conversations: `openai` lacks the capability `score`")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        raise BackendFatal(f"{self._endpoint.url} gives no token ids: `openai` lacks the capability `template`")

    async def probe(self) -> Probe:
        try:
            names = await self._names()
        except (CallError, BackendFatal) as error:
            return Probe(reachable=isinstance(error, BackendFatal | Rejected), detail=str(error))
        detail = "" if self._name in names else f"{self._name} is not in its list of models"
        return Probe(reachable=True, models=tuple(names), detail=detail, server="openai" if self._endpoint.official else "")

    async def _post(self, path: str, body: Mapping[str, Any], seed: int | None, weight: int = 1) -> bytes:
        try:
            data = orjson.dumps(body, default=_as_dict)
        except orjson.JSONEncodeError as error:
            raise Rejected(f"the request cannot be written as JSON: {error}", reason="bad_request") from error
        try:
            if self._batches is not None:
                return await self._batches.ask(path, data, seed, weight)
            return await self._sdk.post(path, data, self._name)
        except UnknownModel as error:
            raise BackendFatal(f"{error}; {await self._near()}") from error

    async def _names(self) -> list[str]:
        body = await self._sdk.get("/models")
        rows = parse(body).get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
            raise bad("bad_shape", "/models gave no list of models", body)
        return [row["id"] for row in rows]

    async def _near(self) -> str:
        try:
            names = await self._names()
        except (CallError, BackendFatal) as error:
            return f"(the list of models cannot be read: {error})"
        near = difflib.get_close_matches(self._name, names, n=8, cutoff=0.3) or names[:8]
        return f"of the {len(names)} models there, the nearest are: {', '.join(near)}"


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
