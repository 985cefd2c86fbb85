"""The connection behind `use: http`: requests out, replies and typed errors in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import orjson
from yarl import URL

from ..core.backend import Probe, Reply, Request, Usage, Vector
from ..core.endpoint import Endpoint
from ..core.errors import BackendFatal, CallError, Rejected
from ._address import secret_in
from ._openai_more import read_embeddings, read_prompt_logprobs, read_tokens
from ._openai_shape import bad, chat_body, completion_body, parse, read_chat, read_completion
from ._status import status_error, unknown_model
from ._transport import Transport

_API = ("/chat/completions", "/completions", "/embeddings", "/models")
_ROOT = ("/tokenize", "/apply-template", "/version", "/props")
"""Beside the API, not below it."""


class HttpBackend:
    """One session with one server; `name` is the model asked for (`only_model` fills it in where it is empty)."""

    def __init__(self, endpoint: Endpoint, *, url: str, name: str, key: str, key_name: str) -> None:
        self.capabilities = endpoint.capabilities
        self._endpoint = endpoint
        self._url, self._name, self._key, self._key_name = url, name, key, key_name
        self._secret = secret_in(key)
        root = url.removesuffix("/v1")
        self._urls = {path: URL(url + path) for path in _API} | {path: URL(root + path) for path in _ROOT}
        self._found: Probe | None = None
        self._transport: Transport

    async def __aenter__(self) -> Self:
        self._transport = Transport(self._endpoint.deadlines, {"Authorization": f"Bearer {self._key}"} if self._key else {})
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._transport.close()

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        if n > 1 and (request.kind == "prompt_logprobs" or request.sampling.temperature == 0):
            return await self._alike(request, seed, n)
        if request.kind == "chat":
            return read_chat(await self._post("/chat/completions", chat_body(request, self._name, seed=seed, n=n)), n)
        if request.kind == "prompt_logprobs":
            body = await self._post("/completions", completion_body(request, self._name, seed=seed))
            return [read_prompt_logprobs(body, request.prompt)]
        room = await self._room(request)
        return read_completion(await self._post("/completions", completion_body(request, self._name, seed=seed, n=n, room=room)), n)

    async def _alike(self, request: Request, seed: int | None, n: int) -> list[Reply]:
        """Greedy samples do not differ, and vLLM refuses to draw more than one: it is asked for once, and paid for once."""
        [reply] = await self.send(request, seed=seed)
        return [reply, *[reply.model_copy(update={"usage": Usage()})] * (n - 1)]

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        if not texts:
            return []
        body = {"model": self._name, "input": list(texts), "encoding_format": "float"}
        return read_embeddings(await self._post("/embeddings", body), len(texts))

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal(f"{self._url} cannot score conversations: `http` lacks the capability `score` (`reward_server` has it)")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        """Through vLLM's /tokenize, or llama.cpp's /apply-template and /tokenize (which puts back the BOS that the former strips)."""
        if (await self._known()).server == "llama.cpp":
            return await self._tokenize_llama(messages, add_generation_prompt)
        body: dict[str, Any] = {"model": self._name, "add_special_tokens": False}
        if isinstance(messages, str):
            body["prompt"] = messages
        else:
            body |= {"messages": list(messages), "add_generation_prompt": add_generation_prompt}
        return read_tokens(await self._post("/tokenize", body))

    async def _tokenize_llama(self, messages: Sequence[Mapping[str, Any]] | str, add_generation_prompt: bool) -> list[int]:
        text: Any = messages
        if not isinstance(messages, str):
            asked = {"messages": list(messages), "add_generation_prompt": add_generation_prompt}
            text = parse(await self._post("/apply-template", asked)).get("prompt")
            if not isinstance(text, str):
                raise bad("bad_shape", "/apply-template gave no prompt")
        body = {"content": text, "add_special": not isinstance(messages, str), "parse_special": True}
        return read_tokens(await self._post("/tokenize", body))

    async def probe(self) -> Probe:
        try:
            return await self._look()
        except (CallError, BackendFatal) as error:
            return Probe(reachable=isinstance(error, BackendFatal | Rejected), detail=str(error))

    async def only_model(self) -> str:
        """The one model that the server offers, asked for from now on. Raises BackendFatal."""
        try:
            names = (await self._look()).models
        except CallError as error:
            raise BackendFatal(f"{self._url} cannot tell which model it serves: {error}; start it, or write the model's `name`") from error
        if len(names) != 1:
            raise BackendFatal(f"{self._url} serves {len(names)} models; write one of them as `name`: {', '.join(names[:20])}")
        self._name = names[0]
        return self._name

    async def _known(self) -> Probe:
        """What the server told about itself, asked for once. Raises CallError, BackendFatal."""
        return self._found or await self._look()

    async def _look(self) -> Probe:
        """GET /models, then llama.cpp's /props or vLLM's /version. Raises CallError, BackendFatal."""
        try:
            rows, missing = await self._models(), ""
        except Rejected as error:
            rows, missing = [], str(error)
        mine = next((row for row in rows if row["id"] == self._name), rows[0] if len(rows) == 1 else {})
        told: dict[str, Any] = {"context": mine.get("max_model_len"), "server": str(mine.get("owned_by") or "")}
        if told["server"] == "llamacpp":
            props = await self._aside("/props")
            settings = props.get("default_generation_settings")
            told = {
                "context": settings.get("n_ctx") if isinstance(settings, dict) else None,
                "chat_template": str(props.get("chat_template") or ""),
                "server": "llama.cpp",
                "detail": str(props.get("build_info") or ""),
            }
        else:
            told["detail"] = missing or str((await self._aside("/version")).get("version") or "")
        if told.get("chat_template"):
            told["template_from"] = "server"
        if type(told["context"]) is not int:
            told["context"] = None
        self._found = Probe(reachable=True, models=tuple(str(row["id"]) for row in rows), **told)
        return self._found

    async def _models(self) -> list[dict[str, Any]]:
        body = await self._ask("GET", "/models")
        rows = parse(body).get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise bad("bad_shape", "/models gave no list of models", body)
        return rows

    async def _aside(self, path: str) -> dict[str, Any]:
        """A page that only some servers have: empty where this one has none."""
        try:
            return parse(await self._ask("GET", path))
        except (CallError, BackendFatal):
            return {}

    async def _room(self, request: Request) -> int | None:
        """What `max_tokens: auto` means for a raw completion: the context less the prompt; None where no server tells a context."""
        if request.sampling.max_tokens != "auto":
            return None
        context = self._endpoint.context_length or (await self._known()).context
        if context is None:
            return None
        prompt = await self.tokenize(request.prompt) if isinstance(request.prompt, str) else request.prompt
        return max(1, context - len(prompt))

    async def _post(self, path: str, body: Mapping[str, Any]) -> bytes:
        try:
            data = orjson.dumps(body, default=_as_dict)
        except orjson.JSONEncodeError as error:
            raise Rejected(f"the request cannot be written as JSON: {error}", reason="bad_request") from error
        return await self._ask("POST", path, data)

    async def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """The body of a 2xx answer. Raises CallError or BackendFatal. Whatever a server echoes, the key is taken out here."""
        try:
            status, headers, body = await self._transport.ask(method, self._urls[path], data)
            if self._secret:
                body = body.replace(self._secret.encode(), b"***")
            if 200 <= status < 300:
                return body
            if path != "/models" and unknown_model(status, body, self._name):
                raise await self._unknown(path, status)
            raise status_error(status, headers, body, key_name=self._key_name)
        except (CallError, BackendFatal) as error:
            self._scrub(error)
            raise

    async def _unknown(self, path: str, status: int) -> BackendFatal:
        try:
            there = ", ".join(str(row["id"]) for row in (await self._models())[:20])
        except (CallError, BackendFatal) as error:
            there = f"(the list cannot be read: {error})"
        return BackendFatal(f"{self._urls[path]} answers {status} for the model {self._name!r}; the models there are: {there}")

    def _scrub(self, error: CallError | BackendFatal) -> None:
        if not self._secret:
            return
        error.args = tuple(arg.replace(self._secret, "***") if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, CallError):
            error.raw = error.raw.replace(self._secret.encode(), b"***")


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
