"""The openai backend (through the SDK) against a real local server: the contract, what goes out, hosted quirks, keys (T8)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest
from contract import CHECKS, asking
from datalchemy.backends._openai_hosted import reasons, strict
from datalchemy.backends.http import Http
from datalchemy.backends.openai import OpenAI
from datalchemy.core.backend import Request, Sampling
from datalchemy.core.endpoint import Price
from datalchemy.core.errors import BackendFatal, CallError, RecipeError, Rejected
from datalchemy.engine.modelnames import settings
from http_calls import always
from hypothesis import given
from hypothesis import strategies as st
from openai_calls import PLAIN, ask, failure, hosted_model
from pydantic import ValidationError
from raw_server import Asked, RawServer, Step, answer, chat, problem

CANARY = "sk-CANARY-0123456789"
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check) -> None:
    async with RawServer(hosted_model) as server, OpenAI(url=server.url, **PLAIN).open() as backend:
        await check(backend)


def test_the_sdk_is_loaded_when_a_model_is_opened_and_not_before() -> None:
    code = "import sys; from datalchemy.backends.openai import OpenAI; OpenAI(name='m'); print('openai' in sys.modules, 'aiohttp' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]


async def test_a_request_goes_out_once_and_whole() -> None:
    sampling = Sampling(temperature=0.5, max_tokens=9, top_k=3, extra={"guided": True})
    async with RawServer(hosted_model) as server:
        [reply] = await ask(server, asking("Hi", sampling), organization="org-1", project="proj-1", service_tier="flex")
        [asked] = server.asked
    assert (reply.text, reply.model) == ("iH 1", "m@fp_1")
    assert asked.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "seed": 1,
        "temperature": 0.5,
        "max_tokens": 9,
        "top_k": 3,
        "guided": True,
        "service_tier": "flex",
    }
    assert asked.headers["content-type"] == "application/json"
    assert (asked.headers["openai-organization"], asked.headers["openai-project"]) == ("org-1", "proj-1")
    assert "authorization" not in asked.headers


async def test_a_reasoning_model_gets_its_own_parameters() -> None:
    turns = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"})
    wanted = Sampling(temperature=0.5, top_p=0.9, presence_penalty=1, stop=("x",), max_tokens=9, reasoning_effort="low")
    request = Request(kind="chat", messages=turns, sampling=wanted)
    async with RawServer(hosted_model) as server:
        await ask(server, request, name="o4-mini")
        await ask(server, request, name="anything", reasoning_model=True)
        await ask(server, request, name="gpt-5.1", reasoning_model=False)
        async with OpenAI(url=server.url, **{**PLAIN, "name": "gpt-5"}).open() as backend:
            assert "logprobs" not in backend.capabilities
    first, second, third = (asked.body for asked in server.asked)
    assert first == {
        "model": "o4-mini",
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "seed": 1,
        "max_completion_tokens": 9,
        "reasoning_effort": "low",
    }
    assert {**second, "model": "o4-mini"} == first
    assert (third["temperature"], third["max_tokens"], third["messages"][0]["role"]) == (0.5, 9, "system")


async def test_what_a_person_spells_out_in_extra_is_sent_as_it_stands() -> None:
    extra = {"temperature": 1, "max_tokens": 4, "service_tier": "priority"}
    async with RawServer(hosted_model) as server:
        await ask(server, asking("Hi", Sampling(extra=extra)), name="o3", service_tier="flex")
    assert {name: server.asked[0].body[name] for name in extra} == extra


@pytest.mark.parametrize("name", ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini", "gpt-5.2", "openai/o3", "ft:o4-mini:us::1"])
def test_reasoning_models_are_known_by_name(name: str) -> None:
    assert reasons(name)


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "gpt-oss-20b", "o1ympus", "pro1", "qwen3-o1x", "gpt-4o-mini"])
def test_other_models_are_none(name: str) -> None:
    assert not reasons(name)


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        (PERSON, True),
        ({**PERSON, "required": []}, False),
        ({"type": "object", "properties": {}}, False),
        ({**PERSON, "properties": {"name": {"type": "object"}}}, False),
        ({**PERSON, "properties": {"name": {"anyOf": [PERSON, {"type": "null"}]}}}, True),
        ({**PERSON, "properties": {"name": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "object"}}}, False),
        ({**PERSON, "properties": {"name": {"enum": [{"type": "object"}]}}}, True),
    ],
)
async def test_a_schema_is_strict_where_the_service_can_take_it_so(schema: dict[str, Any], kept: bool) -> None:
    request = Request(kind="chat", messages=({"role": "user", "content": "Hi"},), json_schema=schema)
    async with RawServer(hosted_model) as server:
        await ask(server, request)
    sent = server.asked[0].body["response_format"]["json_schema"]
    assert (sent["schema"], sent["strict"]) == (schema, kept)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from(["type", "properties", "required", "items", "x"]), s),
    )
)
def test_any_schema_is_judged(schema: Any) -> None:
    assert strict(schema) in (True, False)


async def test_tool_calls_logprobs_and_usage_are_read() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    wire = chat(None, tool_calls=[call])
    wire["choices"][0] |= {"finish_reason": "tool_calls", "logprobs": {"content": [{"logprob": -0.5}]}}
    wire["usage"] |= {"prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 4}}
    async with RawServer(always(answer(wire))) as server:
        tools = ({"name": "add", "parameters": {}},)
        [reply] = await ask(server, Request(kind="chat", messages=({"role": "user", "content": "1+1"},), tools=tools, logprobs=True))
    assert server.asked[0].body["tools"] == [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    assert server.asked[0].body["logprobs"] is True
    assert reply.tool_calls == ({"id": "c1", "name": "add", "arguments": '{"a": 1}'},)
    assert (reply.finish_reason, reply.logprobs) == ("tool_calls", (-0.5,))
    assert (reply.usage.cached_tokens, reply.usage.reasoning_tokens) == (2, 4)


async def test_a_refusal_is_an_answer_and_no_fault() -> None:
    """As a fault it would be asked for, and paid for, eight times."""
    async with RawServer(always(answer(chat(None, refusal="I cannot help with that.")))) as server:
        [reply] = await ask(server)
    assert (reply.text, reply.finish_reason) == ("I cannot help with that.", "content_filter")


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation", "invalid_prompt"])
async def test_a_prompt_that_is_filtered_fails_its_own_record(code: str) -> None:
    error = await failure(answer(problem("The prompt was filtered.", code), 400))
    assert isinstance(error, Rejected)
    assert error.reason == "content_filter"
    assert not error.retryable


async def test_an_unknown_model_names_the_nearest() -> None:
    def handle(asked: Asked) -> Sequence[Step]:
        return hosted_model(asked) if asked.path == "/v1/models" else [answer(problem("nope", "model_not_found"), 404)]

    async with RawServer(handle) as server:
        with pytest.raises(BackendFatal, match=r"of the 2 models there, the nearest are: m-large"):
            await ask(server, name="m-larg")


async def test_only_the_named_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/elsewhere")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "standard")
    monkeypatch.setenv("MY_KEY", "mine")
    async with RawServer(hosted_model) as server:
        await ask(server)
        await ask(server, api_key_env="MY_KEY")
        async with OpenAI(name="m", url=server.url).open() as backend:
            await backend.send(asking("Hi"), seed=1)
    assert [asked.headers.get("authorization") for asked in server.asked] == [None, "Bearer mine", "Bearer standard"]
    assert not any("openai-organization" in asked.headers or "openai-project" in asked.headers for asked in server.asked)
    assert OpenAI(name="m").url == "https://api.openai.com/v1"


def test_a_missing_key_is_a_recipe_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(RecipeError, match="export OPENAI_API_KEY="):
        OpenAI(name="m").open()


@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 404, 422, 429, 500])
async def test_t8_a_server_that_echoes_the_key_gives_it_to_nobody(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)

    def echo(asked: Asked) -> Sequence[Step]:
        return [answer(problem(f"you sent {asked.headers['authorization']}"), status, f"Location: http://evil/{CANARY}\r\n")]

    async with RawServer(echo) as server:
        with pytest.raises((CallError, BackendFatal)) as caught:
            await ask(server, api_key_env="MY_KEY")
        async with OpenAI(url=server.url, name="m", api_key_env="MY_KEY").open() as backend:
            probe = await backend.probe()
    error = caught.value
    assert CANARY not in f"{error} {error!r} {getattr(error, 'raw', b'')!r} {error.__cause__}"
    assert CANARY not in str(probe)


async def test_a_key_that_is_none_is_not_taken_out_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM's clients send EMPTY."""
    monkeypatch.setenv("MY_KEY", "EMPTY")
    async with RawServer(always(answer(chat("an EMPTY cup")))) as server:
        for kind in (OpenAI, Http):
            async with kind(url=server.url, name="m", api_key_env="MY_KEY").open() as backend:
                assert (await backend.send(asking("Hi"), seed=1))[0].text == "an EMPTY cup"


async def test_a_cancelled_call_frees_its_connection_at_once() -> None:
    started = time.monotonic()
    async with RawServer(always(30.0)) as server, OpenAI(url=server.url, **PLAIN).open() as backend:
        call = asyncio.ensure_future(backend.send(asking("Hi"), seed=1))
        while not server.asked:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert time.monotonic() - started < 10


async def test_three_hundred_calls_go_out_together() -> None:
    """The SDK's own transport lets a hundred connections be, and waits with the rest."""
    together = asyncio.Event()

    def handle(asked: Asked) -> Sequence[Step]:
        if len(server.asked) == 300:
            together.set()
        return [5.0, answer(chat())]

    async with RawServer(handle) as server, OpenAI(url=server.url, **PLAIN).open() as backend:
        calls = [asyncio.ensure_future(backend.send(asking("Hi"), seed=i)) for i in range(300)]
        await asyncio.wait_for(together.wait(), 20)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="has no min_p, top_k"):
        OpenAI(name="m", sampling=Sampling(top_k=3, min_p=0.1))
    for wrong in ({"url": "http://user:pw@x/v1"}, {"api_key_env": "sk-123"}, {"name": ""}, {"batch_size": 50_001}):
        with pytest.raises(ValidationError):
            OpenAI(**{"name": "m", **wrong})
    assert OpenAI(name="m").max_in_flight == 64
    assert OpenAI(name="m", mode="batch").max_in_flight == 10_000
    assert OpenAI(name="m", mode="batch", max_in_flight=7).max_in_flight == 7


def test_the_price_of_a_batch() -> None:
    price = Price(input=2, output=8, cached=1)
    assert OpenAI(name="m", price=price).effective_price == price
    assert OpenAI(name="m", price=price, mode="batch").effective_price == Price(input=1, output=4, cached=0.5)
    assert OpenAI(name="m", mode="batch").effective_price is None


def test_it_is_named_in_one_word() -> None:
    assert settings("openai:gpt-4.1-mini") == {"use": "openai", "name": "gpt-4.1-mini"}
