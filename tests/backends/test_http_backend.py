"""The http backend against a real local server: the contract, requests, keys (T8)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from contract import CHECKS, SHORT, asking
from datalchemy.backends.http import Http
from datalchemy.core.backend import Request, Sampling
from datalchemy.core.errors import (
    BackendFatal,
    CallError,
    RecipeError,
)
from http_calls import MODELS, always, ask
from pydantic import ValidationError
from raw_server import Asked, RawServer, Step, answer, chat, http, problem

CANARY = "sk-CANARY-0123456789"


def tiny_model(asked: Asked) -> Sequence[Step]:
    """A server with a model of bytes, in the shape of vLLM's."""
    body = asked.body
    if asked.path == "/v1/models":
        return [answer(MODELS)]
    if asked.path == "/version":
        return [answer({"version": "0.99"})]
    if asked.path == "/tokenize":
        turns = "".join(f"<{m['role']}>{m['content']}</>" for m in body.get("messages", ())) + "<assistant>" * body.get(
            "add_generation_prompt", False
        )
        return [answer({"tokens": list((body.get("prompt") or turns).encode())})]
    if asked.path == "/v1/embeddings":
        rows = [{"index": i, "embedding": [float(len(t)), float(ord(t[0]))]} for i, t in enumerate(body["input"])]
        return [answer({"data": rows[::-1]})]
    if asked.path == "/v1/chat/completions":
        made = {**chat(f"{body['messages'][-1]['content'][::-1]} {body['seed']}", body.get("n", 1))}
        made["usage"]["completion_tokens"] = min(5, body.get("max_tokens", 5)) * body.get("n", 1)
        return [answer(made)]
    choice: dict[str, Any] = {"index": 0, "text": "four", "finish_reason": "length"}
    if "prompt_logprobs" in body:
        choice["prompt_logprobs"] = [None] + [{str(t): {"logprob": -0.5}, "9": {"logprob": -9.0}} for t in body["prompt"][1:]]
    assert body["max_tokens"] + len(body["prompt"]) <= 100
    return [answer({"model": "m", "choices": [choice], "usage": {"prompt_tokens": len(body["prompt"]), "completion_tokens": 1}})]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check) -> None:
    async with RawServer(tiny_model) as server, Http(url=server.url, name="m").open() as backend:
        await check(backend)


async def test_a_request_goes_out_once_and_whole() -> None:
    async with RawServer(tiny_model) as server:
        [reply] = await ask(server, asking("Hi", Sampling(temperature=0.5, max_tokens="auto", top_k=3, extra={"guided": True})))
        [asked] = server.asked
    assert reply.text == "iH 1"
    assert asked.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "seed": 1,
        "temperature": 0.5,
        "top_k": 3,
        "guided": True,
    }
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    "request_",
    [asking("Hi"), Request(kind="complete", prompt=(1, 2), sampling=SHORT), Request(kind="prompt_logprobs", prompt=(1, 2))],
    ids=lambda request: request.kind,
)
async def test_greedy_samples_are_asked_for_once(request_: Request) -> None:
    """vLLM: 400 `n must be 1 when using greedy sampling`."""
    async with RawServer(tiny_model) as server:
        replies = await ask(server, request_, n=3)
        assert [asked.body.get("n", 1) for asked in server.asked] == [1]
        await ask(server, asking("Hi", Sampling(temperature=0.1)), n=3)
        assert server.asked[-1].body["n"] == 3
    assert len(replies) == 3
    assert [reply.usage.total > 0 for reply in replies] == [True, False, False]
    assert len({(reply.text, reply.logprobs) for reply in replies}) == 1


async def test_auto_fills_the_context_of_a_raw_completion() -> None:
    async with RawServer(tiny_model) as server:
        for prompt in ((1, 2, 3), "abc"):
            await ask(server, Request(kind="complete", prompt=prompt, sampling=Sampling(max_tokens="auto")))
            assert server.asked[-1].body["max_tokens"] == 97
        await ask(server, Request(kind="complete", prompt=(1, 2, 3), sampling=Sampling(max_tokens="auto")), context_length=50)
        assert server.asked[-1].body["max_tokens"] == 47


async def test_the_only_model_is_found_by_itself() -> None:
    async with RawServer(tiny_model) as server:
        endpoint = Http(url=server.url)
        with pytest.raises(RecipeError, match="write its `name`"):
            endpoint.who()
        async with endpoint.open() as backend:
            assert endpoint.who() == endpoint.stored_as == "m"
            await backend.send(asking("Hi"), seed=1)
        assert server.asked[-1].body["model"] == "m"


async def test_two_models_need_a_name() -> None:
    async with RawServer(always(answer({"data": [{"id": "a"}, {"id": "b"}]}))) as server:
        with pytest.raises(BackendFatal, match="serves 2 models; write one of them as `name`: a, b"):
            async with Http(url=server.url).open():
                pass


async def test_llama_cpp_is_asked_in_its_own_way() -> None:
    def llama(asked: Asked) -> Sequence[Step]:
        if asked.path == "/props":
            return [answer({"default_generation_settings": {"n_ctx": 512}, "chat_template": "{{ x }}", "build_info": "b1"})]
        if asked.path == "/apply-template":
            return [answer({"prompt": "<user>" + asked.body["messages"][0]["content"]})]
        if asked.path == "/tokenize":
            return [answer({"tokens": [1] * asked.body["add_special"] + list(asked.body["content"].encode())})]
        return [answer({"data": [{"id": "m", "owned_by": "llamacpp"}]})]

    async with RawServer(llama) as server, Http(url=server.url, name="m").open() as backend:
        probe = await backend.probe()
        assert (probe.server, probe.context, probe.chat_template, probe.detail) == ("llama.cpp", 512, "{{ x }}", "b1")
        assert await backend.tokenize("ab") == [97, 98]
        assert await backend.tokenize([{"role": "user", "content": "ab"}]) == [1, *b"<user>ab"]


async def test_probe_never_raises() -> None:
    async with RawServer(always(http(500, b""))) as server, Http(url=server.url, name="m").open() as backend:
        assert not (await backend.probe()).reachable
    async with Http(url=server.url, name="m").open() as backend:
        probe = await backend.probe()
    assert not probe.reachable
    assert "cannot connect" in probe.detail


async def test_only_the_named_variable_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("MY_KEY", "mine")
    async with RawServer(tiny_model) as server:
        await ask(server)
        await ask(server, api_key_env="MY_KEY")
    assert [asked.headers.get("authorization") for asked in server.asked] == [None, "Bearer mine"]


def test_a_missing_key_is_a_recipe_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(RecipeError, match="export NO_SUCH_KEY="):
        Http(url="http://x/v1", name="m", api_key_env="NO_SUCH_KEY").open()
    monkeypatch.setenv("NO_SUCH_KEY", "a\r\nX-Evil: 1")
    with pytest.raises(RecipeError, match="holds characters"):
        Http(url="http://x/v1", name="m", api_key_env="NO_SUCH_KEY").open()


@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 404, 422, 429, 500])
async def test_t8_a_server_that_echoes_the_key_gives_it_to_nobody(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)

    def echo(asked: Asked) -> Sequence[Step]:
        seen = asked.headers["authorization"]
        assert CANARY in seen
        return [answer(problem(f"you sent {seen}"), status, f"Location: http://evil/{seen}\r\n")]

    async with RawServer(echo) as server:
        with pytest.raises((CallError, BackendFatal)) as caught:
            await ask(server, api_key_env="MY_KEY")
        async with Http(url=server.url, name="m", api_key_env="MY_KEY").open() as backend:
            probe = await backend.probe()
            with pytest.raises((CallError, BackendFatal)) as tokenizing:
                await backend.tokenize("x")
    for error in (caught.value, tokenizing.value):
        assert CANARY not in f"{error} {error!r} {getattr(error, 'raw', b'')!r} {error.__cause__}"
    assert CANARY not in str(probe)
    assert CANARY not in str(Http(url=server.url, name="m", api_key_env="MY_KEY").redacted())


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://x/v1", "http://", "http://user:pw@x/v1", "http://x/v1?key=1", "http://x/v1#m", "http://x:99999/v1"]
)
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Http(url=url)


async def test_a_cancelled_call_frees_its_connection_at_once() -> None:
    started = time.monotonic()
    async with RawServer(always(30.0)) as server, Http(url=server.url, name="m").open() as backend:
        call = asyncio.ensure_future(backend.send(asking("Hi"), seed=1))
        while not server.asked:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert time.monotonic() - started < 10
