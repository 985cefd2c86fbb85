"""The litellm backend inside an environment that has LiteLLM, against a local server: contract, faults, keys (T8), no network at start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from contract import CHECKS, asking
from datalchemy.backends.litellm import LiteLLM
from datalchemy.core.backend import Reply, Request, Sampling
from datalchemy.core.endpoint import Deadlines
from datalchemy.core.errors import (
    BackendFatal,
    BadResponse,
    CallError,
    DatalchemyError,
    DeadlineExceeded,
    Disconnected,
    RateLimited,
    RecipeError,
    Rejected,
)
from http_calls import always
from openai_calls import hosted_model
from pydantic import ValidationError
from raw_server import CLOSE, Asked, RawServer, Step, answer, chat, http, problem
from test_http_faults import BAD, STATUSES

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("litellm_python")]
CANARY = "sk-CANARY-0123456789"
UNCAPPED = {"announced too large", "too large, chunked", "gzip bomb"}
"""LiteLLM reads bodies of any length."""
LENIENT = {"NaN", "infinity"}
"""What LiteLLM's own JSON reader takes, in a field that nobody reads."""


async def ask(server: RawServer, request: Request | None = None, *, n: int = 1, **settings: Any) -> list[Reply]:
    async with LiteLLM(**{"name": "openai/m", "url": server.url, **settings}).open() as backend:
        return await backend.send(request or asking("Hi"), seed=1, n=n)


async def failure(*steps: Step, **settings: Any) -> DatalchemyError:
    async with RawServer(always(*steps)) as server:
        with pytest.raises(DatalchemyError) as caught:
            await ask(server, **settings)
        assert len(server.asked) <= 1, "LiteLLM must not try again"
        return caught.value


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check) -> None:
    async with RawServer(hosted_model) as server, LiteLLM(name="openai/m", url=server.url).open() as backend:
        await check(backend)


@pytest.mark.parametrize(("status", "body", "kind"), [row for row in STATUSES if row[0] != 302])
async def test_statuses(status: int, body: Any, kind: type[DatalchemyError]) -> None:
    assert type(await failure(answer(body, status))) is kind


@pytest.mark.parametrize("name", sorted(set(BAD) - UNCAPPED - LENIENT))
async def test_p8_a_bad_body_is_a_typed_failure(name: str) -> None:
    error = await failure(BAD[name][1], CLOSE)
    assert isinstance(error, BadResponse), error
    assert error.retryable


async def test_p8_control_a_good_body_passes_the_same_road() -> None:
    async with RawServer(always(answer(chat("hello", reasoning_content="hm")))) as server:
        [reply] = await ask(server)
    assert (reply.text, reply.reasoning, reply.usage.completion_tokens) == ("hello", "hm", 5)


async def test_connections_and_deadlines() -> None:
    late = await failure(5.0, deadlines=Deadlines(first_byte_s=0.3))
    assert (type(late), getattr(late, "reason", "")) == (DeadlineExceeded, "first_byte_deadline")
    half = [http(200, b'{"choi', length=900), *[step for _ in range(60) for step in (0.05, b" ")]]
    total = await failure(*half, deadlines=Deadlines(total_s=0.4))
    assert (type(total), getattr(total, "reason", "")) == (DeadlineExceeded, "total_deadline")
    assert type(await failure(CLOSE)) is Disconnected
    async with RawServer(always(CLOSE)) as server:
        pass
    with pytest.raises(Disconnected) as caught:
        await ask(server)
    assert caught.value.reason == "connect_failed"


@pytest.mark.parametrize(("code", "reason"), [("content_filter", "content_filter"), ("context_length_exceeded", "context_length")])
async def test_what_a_provider_refuses_fails_its_own_record(code: str, reason: str) -> None:
    message = "This model's maximum context length is 100 tokens" if "context" in code else "filtered"
    error = await failure(answer(problem(message, code), 400))
    assert isinstance(error, Rejected)
    assert error.reason == reason


async def test_retry_after_is_read() -> None:
    error = await failure(answer(problem("slow"), 429, "Retry-After: 7\r\n"))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7


async def test_extra_reaches_the_body_and_nothing_else() -> None:
    """As arguments of LiteLLM they would send the key to another address, or make the answer up."""
    hostile = {"api_base": "http://127.0.0.1:9", "mock_response": "made up", "model": "gemini/x", "min_p": 0.1}
    tools = ({"name": "add", "parameters": {}},)
    request = Request(kind="chat", messages=asking("Hi").messages, sampling=Sampling(extra=hostile), tools=tools)
    async with RawServer(hosted_model) as server:
        assert (await ask(server, request))[0].text.startswith("iH")
    body = server.asked[0].body
    assert (body["model"], body["api_base"], body["min_p"], body["seed"]) == ("m", "http://127.0.0.1:9", 0.1, 1)
    assert body["tools"][0]["function"]["name"] == "add"


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
async def test_t8_a_server_that_echoes_the_key_gives_it_to_nobody(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)

    def echo(asked: Asked) -> Sequence[Step]:
        return [answer(problem(f"you sent {asked.headers['authorization']}"), status)]

    async with RawServer(echo) as server:
        with pytest.raises((CallError, BackendFatal)) as caught:
            await ask(server, api_key_env="MY_KEY")
    error = caught.value
    assert CANARY not in f"{error} {error!r} {getattr(error, 'raw', b'')!r} {error.__cause__}"


async def test_another_address_gets_no_key_that_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    async with RawServer(hosted_model) as server:
        await ask(server)
    assert CANARY not in str(server.asked[0].headers)


async def test_capabilities_are_the_providers() -> None:
    async with LiteLLM(name="anthropic/claude-sonnet-4-5").open() as backend:
        assert not backend.capabilities & {"seed", "n", "logprobs"}
        assert {"chat", "tools", "json_schema"} <= backend.capabilities
        assert (await backend.probe()).context == 200_000
    with pytest.raises(BackendFatal, match="knows no provider 'nope'"):
        async with LiteLLM(name="nope/x").open():
            pass


def test_prices_come_from_the_table_that_is_there() -> None:
    priced = LiteLLM(name="openai/gpt-4.1-mini", price_from_litellm=True).price
    assert priced is not None
    assert (priced.input, priced.output) == (0.4, 1.6)
    assert LiteLLM(name="openai/gpt-4.1-mini").price is None
    with pytest.raises(ValidationError, match="write `price` yourself"):
        LiteLLM(name="groq/gpt-4.1-mini", price_from_litellm=True)


def test_a_malicious_release_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from datalchemy.backends import _litellm_backend

    monkeypatch.setattr(_litellm_backend, "version", lambda name: "1.82.8")
    with pytest.raises(RecipeError, match="steals credentials"):
        _litellm_backend.loaded()


def test_opening_touches_no_network_and_reads_no_dotenv(tmp_path) -> None:
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    code = """
import asyncio, os, socket, sys
from datalchemy.backends.litellm import LiteLLM
endpoint = LiteLLM(name="anthropic/claude-sonnet-4-5")
assert "litellm" not in sys.modules
tried = []
socket.socket.connect = socket.socket.connect_ex = lambda self, address: tried.append(address)
socket.getaddrinfo = lambda *a, **k: tried.append(a)
async def go():
    async with endpoint.open() as backend:
        await backend.probe()
asyncio.run(go())
assert "litellm" in sys.modules
print(tried, os.environ.get("FROM_DOTENV"))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ.copy())
    assert said.stdout.split() == ["[]", "None"], said.stderr
