"""The connection behind `use: litellm`: requests go through LiteLLM, answers come back in the OpenAI shape and are read as such.

LiteLLM is told to do nothing by itself: no price table from the network, no `.env` of the working folder, no retries, no
callbacks, no banner on stdout. Its clients belong to the process and are closed with it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self

import orjson

from ..core.backend import Capability, Probe, Reply, Request, Vector
from ..core.errors import BackendFatal, CallError, DeadlineExceeded, RecipeError
from ._address import secret_in
from ._litellm_errors import mapped
from ._litellm_map import entry
from ._openai_more import read_embeddings
from ._openai_shape import bad, chat_body, read_chat

if TYPE_CHECKING:
    from .litellm import LiteLLM

MALICIOUS = ("1.82.7", "1.82.8")
"""Releases of March 2026 that were not LiteLLM's own: they sent credentials away."""
_ASKED: Mapping[Capability, str] = {
    "n": "n",
    "seed": "seed",
    "logprobs": "logprobs",
    "tools": "tools",
    "json_schema": "response_format",
}
"""Capabilities by the parameter that a provider must know for them."""
_ARGUMENTS = frozenset(
    [
        "temperature",
        "top_p",
        "top_k",
        "n",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "seed",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "logprobs",
        "top_logprobs",
        "reasoning_effort",
        "thinking",
        "verbosity",
        "service_tier",
        "modalities",
        "user",
    ]
)
"""What goes to LiteLLM by name. All else goes into the body: its other arguments name addresses, keys and callbacks, and a
recipe's `sampling.extra` is not to reach them."""


class LiteLLMBackend:
    """One model of one provider."""

    def __init__(self, endpoint: LiteLLM, key: str) -> None:
        self.capabilities = endpoint.capabilities
        self._endpoint, self._name = endpoint, endpoint.name
        standard = "" if endpoint.url else os.environ.get(f"{endpoint.name.partition('/')[0].upper()}_API_KEY", "")
        self._secret = secret_in(key or standard)
        self._to = {
            "model": self._name,
            **({"api_base": endpoint.url, "api_key": key or "none"} if endpoint.url else {"api_key": key} if key else {}),
            "num_retries": 0,
            "max_retries": 0,
        }
        self._sdk: Any

    async def __aenter__(self) -> Self:
        self._sdk = sdk = await asyncio.to_thread(loaded)
        limits = self._endpoint.deadlines
        self._to["timeout"] = import_module("httpx").Timeout(limits.first_byte_s, connect=limits.connect_s)
        try:
            model, provider, *_ = sdk.get_llm_provider(self._name, api_base=self._endpoint.url)
        except sdk.exceptions.BadRequestError as error:
            raise BackendFatal(f"LiteLLM {sdk_version()} knows no provider {self._name.partition('/')[0]!r} (of {self._name!r})") from error
        taken = set(sdk.get_supported_openai_params(model=model, custom_llm_provider=provider) or _ASKED.values())
        lacking = {capability for capability, parameter in _ASKED.items() if parameter not in taken}
        row = entry(self._name)
        if row and not row.get("supports_response_schema"):
            lacking.add("json_schema")
        self.capabilities -= lacking
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        if request.kind != "chat":
            raise BackendFatal(f"LiteLLM gives no {request.kind}: `litellm` lacks that capability")
        body = chat_body(request, self._name, seed=seed if "seed" in self.capabilities else None, n=n)
        named = {name: value for name, value in body.items() if name in _ARGUMENTS}
        rest = {name: value for name, value in body.items() if name not in _ARGUMENTS and name not in ("model", "messages")}
        if rest:
            named["extra_body"] = rest
        messages = [_plain(message) for message in request.messages]
        return read_chat(
            await self._ask(self._sdk.acompletion, messages=messages, drop_params=self._endpoint.drop_params, **_plain(named)), n
        )

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        if not texts:
            return []
        return read_embeddings(
            await self._ask(self._sdk.aembedding, input=list(texts), encoding_format="float", drop_params=True), len(texts)
        )

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal(f"{self._name} cannot score conversations: `litellm` lacks the capability `score`")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        raise BackendFatal(f"{self._name} gives no token ids: `litellm` lacks the capability `template`")

    async def probe(self) -> Probe:
        """From LiteLLM's table: there is no question that is free with every provider."""
        row = entry(self._name)
        context = row.get("max_input_tokens") or row.get("max_tokens")
        return Probe(
            reachable=True,
            detail="not asked: with LiteLLM every question is a call",
            models=(self._name,),
            context=context if type(context) is int else None,
            server=f"litellm {sdk_version()}",
        )

    async def _ask(self, function: Callable[..., Awaitable[Any]], **given: Any) -> bytes:
        """One call; its answer as the JSON that LiteLLM made of it. Raises CallError, BackendFatal."""
        limits = self._endpoint.deadlines
        try:
            async with asyncio.timeout(limits.total_s) as total:
                answer = await function(**self._to, **given)
        except Exception as error:  # whatever a provider's code in LiteLLM stumbles over, it raises as it is
            ours: CallError | BackendFatal
            if total.expired():
                ours = DeadlineExceeded(f"not done within {limits.total_s:g} s", reason="total_deadline")
            else:
                ours = mapped(error, limits, name=self._name, key_name=self._endpoint.api_key_env or "")
            self._scrub(ours)
            raise ours from (None if self._secret else error)  # foreign errors quote what the server echoed
        try:
            body = orjson.dumps(answer.model_dump(warnings=False), option=orjson.OPT_NON_STR_KEYS)
        except (orjson.JSONEncodeError, ValueError) as error:
            raise bad("bad_text", f"the answer cannot be written down: {error}") from error
        return self._clean(body)

    def _clean(self, body: bytes) -> bytes:
        return body.replace(self._secret.encode(), b"***") if self._secret else body

    def _scrub(self, error: CallError | BackendFatal) -> None:
        if self._secret:
            error.args = tuple(arg.replace(self._secret, "***") if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, CallError):
            error.raw = self._clean(error.raw)


def sdk_version() -> str:
    """Of the installed LiteLLM. Raises RecipeError where there is none, or a malicious one."""
    try:
        found = version("litellm")
    except PackageNotFoundError as error:
        raise RecipeError("`use: litellm` needs LiteLLM: pip install 'datalchemy[litellm]'") from error
    if found in MALICIOUS:
        raise RecipeError(f"litellm {found} steals credentials: take this machine's for known to others, and install another release")
    return found


def loaded() -> Any:
    """LiteLLM, kept quiet. Raises RecipeError."""
    sdk_version()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # in its other mode it reads the working folder's `.env` into this process
    sdk: Any = import_module("litellm")
    sdk.suppress_debug_info = True
    return sdk


def _plain(value: Any) -> Any:
    """Mappings as dicts: providers' code looks for nothing else, and changes what it is given."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
