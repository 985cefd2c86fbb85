"""The wire shape: bodies as servers want them; any bytes in, replies or BadResponse out (P8), nothing else."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from datalchemy.backends._openai_more import read_embeddings, read_prompt_logprobs, read_tokens
from datalchemy.backends._openai_shape import RAW_CAP, chat_body, completion_body, read_chat, read_completion
from datalchemy.backends._status import complaint, retry_after, status_error
from datalchemy.core.backend import Reply, Request, Sampling
from datalchemy.core.errors import BackendFatal, BadResponse, CallError
from hypothesis import given, settings
from hypothesis import strategies as st

CHAT = {
    "model": "m",
    "system_fingerprint": "fp1",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "four",
                "reasoning_content": "two and two",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":2}'}}],
            },
            "logprobs": {"content": [{"token": "four", "logprob": -0.25}]},
            "token_ids": [5],
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 3},
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
COMPLETION = {"model": "m", "choices": [{"index": 0, "text": "four", "logprobs": {"token_logprobs": [-0.5]}, "finish_reason": "length"}]}
PROMPT = {"choices": [{"text": "x", "prompt_logprobs": [None, {"8": {"logprob": -1.5, "rank": 3}, "4": {"logprob": -0.1, "rank": 1}}]}]}
EMBEDDINGS = {"data": [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]}
READERS: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "chat": (CHAT, read_chat),
    "completion": (COMPLETION, read_completion),
    "prompt_logprobs": (PROMPT, lambda body: read_prompt_logprobs(body, (7, 8))),
    "embeddings": (EMBEDDINGS, lambda body: read_embeddings(body, 2)),
    "tokens": ({"tokens": [1, 2]}, read_tokens),
}


def test_a_chat_is_read_whole() -> None:
    [reply] = read_chat(orjson.dumps(CHAT))
    assert (reply.text, reply.reasoning, reply.model, reply.finish_reason) == ("four", "two and two", "m@fp1", "tool_calls")
    assert reply.tool_calls == ({"id": "c1", "name": "add", "arguments": '{"a":2}'},)
    assert (reply.logprobs, reply.token_ids) == ((-0.25,), (5,))
    assert reply.usage.model_dump() == {"prompt_tokens": 7, "completion_tokens": 5, "reasoning_tokens": 3, "cached_tokens": 4}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_alone_is_an_answer(field: str) -> None:
    [reply] = read_chat(orjson.dumps({"choices": [{"message": {"content": None, field: "hm"}, "finish_reason": "length"}]}))
    assert (reply.text, reply.reasoning) == ("", "hm")


def test_raw_think_tags_stay_in_the_text() -> None:
    text = "<think>\nhm\n</think>\nfour"
    assert read_chat(orjson.dumps({"choices": [{"message": {"content": text}}]}))[0].text == text


def test_other_spellings() -> None:
    parts = {"content": [{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}]}
    call = {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}
    choices = [{"index": 1, "message": call}, {"index": 0, "message": parts, "finish_reason": "something_new"}]
    first, second = read_chat(orjson.dumps({"choices": choices}), 2)
    assert (first.text, first.finish_reason) == ("four", "other")
    assert second.tool_calls == ({"id": "", "name": "f", "arguments": '{"a":1}'},)


def test_samples_share_the_usage_without_losing_a_token() -> None:
    answer = {
        "choices": [{"index": i, "message": {"content": "x"}} for i in range(3)],
        "usage": {"prompt_tokens": 10, "completion_tokens": 8},
    }
    usages = [reply.usage for reply in read_chat(orjson.dumps(answer), 3)]
    assert sum(usage.prompt_tokens for usage in usages) == 10
    assert [usage.completion_tokens for usage in usages] == [4, 2, 2]


def test_a_completion_and_prompt_logprobs() -> None:
    assert read_completion(orjson.dumps(COMPLETION))[0].logprobs == (-0.5,)
    assert read_prompt_logprobs(orjson.dumps(PROMPT), (7, 8)).logprobs == (None, -1.5)
    assert read_prompt_logprobs(orjson.dumps(PROMPT), (7, 4)).logprobs == (None, -0.1)
    assert read_prompt_logprobs(orjson.dumps(PROMPT), "text").logprobs == (None, -1.5)
    for ids, reason in (((7, 9), "bad_number"), ((7, 8, 9), "bad_shape")):
        with pytest.raises(BadResponse) as caught:
            read_prompt_logprobs(orjson.dumps(PROMPT), ids)
        assert caught.value.reason == reason
    with pytest.raises(BadResponse, match="cannot give them"):
        read_prompt_logprobs(orjson.dumps(COMPLETION), (7, 8))


def test_embeddings_come_in_the_order_asked() -> None:
    assert read_embeddings(orjson.dumps(EMBEDDINGS), 2) == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(BadResponse, match="wrong_n"):
        read_embeddings(orjson.dumps(EMBEDDINGS), 3)


# ---------------------------------------------------------------------------------------------------- P8, by search

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, inner in items for deeper in places(inner, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other
    return changed


def only_typed(reader: Callable[[bytes], Any], body: bytes) -> None:
    """The promise: a value, or a BadResponse with a reason and capped raw bytes."""
    try:
        got = reader(body)
    except BadResponse as error:
        assert error.reason != BadResponse.reason
        assert error.raw == body[:RAW_CAP]
    else:
        for reply in got if isinstance(got, list) else [got]:
            if isinstance(reply, Reply):
                reply.model_dump_json().encode()
                assert all(value is None or math.isfinite(value) for value in reply.logprobs)


@pytest.mark.parametrize("name", READERS)
@given(body=st.binary(max_size=200))
@settings(max_examples=60)
def test_p8_any_bytes(name: str, body: bytes) -> None:
    only_typed(READERS[name][1], body)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data(), other=ANY)
@settings(max_examples=80)
def test_p8_any_field_replaced_by_anything(name: str, data: st.DataObject, other: Any) -> None:
    whole, reader = READERS[name]
    path = data.draw(st.sampled_from(places(whole)))
    only_typed(reader, orjson.dumps(put(whole, path, other)))


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=60)
def test_p8_any_cut_and_any_flipped_byte(name: str, data: st.DataObject) -> None:
    whole, reader = READERS[name]
    body = bytearray(orjson.dumps(whole))
    at = data.draw(st.integers(0, len(body) - 1))
    only_typed(reader, bytes(body[:at]))
    body[at] = data.draw(st.integers(0, 255))
    only_typed(reader, bytes(body))


def test_p8_control_a_careless_reader_is_caught() -> None:
    def careless(body: bytes) -> str:
        return str(orjson.loads(body)["choices"][0]["message"]["content"])

    only_typed(careless, orjson.dumps(CHAT))
    for body in (b"{}", b"<html>", orjson.dumps({"choices": []})):
        with pytest.raises((KeyError, IndexError, ValueError)):
            only_typed(careless, body)


def test_p8_deep_arguments_of_a_tool_call() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    body = b'{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":' + str(deep).encode() + b"}}]}}]}"
    only_typed(read_chat, body)


@given(body=st.binary(max_size=200), status=st.integers(300, 599), header=st.text(max_size=12))
def test_any_error_answer_is_one_of_ours(body: bytes, status: int, header: str) -> None:
    error = status_error(status, {"Retry-After": header}, body, key_name="K")
    assert isinstance(error, CallError | BackendFatal)
    assert str(error).isprintable() or not all(char.isprintable() for char in str(error))
    assert "\n" not in str(error) and "\x1b" not in str(error)


@given(value=ANY)
def test_any_complaint_is_read(value: Any) -> None:
    message, _ = complaint(orjson.dumps({"error": value}))
    assert len(message) <= 500


def test_retry_after() -> None:
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    for value, seconds in (("5", 5), ("0.5", 0.5), ("Fri, 20 Nov 2026 12:01:00 GMT", 60), ("Fri, 20 Nov 2026 11:00:00 GMT", 0)):
        assert retry_after({"Retry-After": value}, now) == seconds
    for value in ("nan", "inf", "-3", "tomorrow", "", "Fri, 99 Nov 2026 12:01:00 GMT"):
        assert retry_after({"Retry-After": value}, now) is None


# ---------------------------------------------------------------------------------------------------- bodies


def body_of(sampling: Sampling, **fields: Any) -> dict[str, Any]:
    request = Request(kind="chat", messages=({"role": "user", "content": "Hi"},), sampling=sampling, **fields)
    return orjson.loads(orjson.dumps(chat_body(request, "m", seed=None)))


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert body_of(Sampling()) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert body_of(Sampling(temperature=None, stop=(), max_tokens="auto")) == body_of(Sampling())


def test_every_sampling_field_is_spelled_as_servers_spell_it() -> None:
    given_ = Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=20,
        min_p=0.1,
        max_tokens=64,
        stop=("a", "b"),
        stop_token_ids=(1, 2),
        presence_penalty=0.1,
        frequency_penalty=0.2,
        repetition_penalty=1.1,
        reasoning_effort="low",
        extra={"top_a": 1},
    )
    sent = body_of(given_)
    assert set(Sampling.model_fields) - {"extra"} | {"top_a", "model", "messages"} == set(sent)
    assert sent["stop"] == ["a", "b"] and sent["stop_token_ids"] == [1, 2]


def test_schema_tools_logprobs_n_and_seed() -> None:
    schema = {"type": "object"}
    request = Request(kind="chat", json_schema=schema, tools=({"name": "f", "parameters": {}},), logprobs=True)
    sent = chat_body(request, "m", seed=2**40 + 5, n=4)
    assert sent["response_format"]["json_schema"]["schema"] == schema
    assert sent["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert (sent["logprobs"], sent["n"], sent["seed"]) == (True, 4, 5)


def test_special_tokens_are_added_once() -> None:
    def flag(prompt: str | tuple[int, ...]) -> Any:
        return completion_body(Request(kind="complete", prompt=prompt), "m", seed=1).get("add_special_tokens", "not sent")

    assert flag((1, 2)) == flag("Once upon a time") == "not sent"
    assert flag("<|begin_of_text|>Once") is flag("<s>[INST] x") is flag("<bos>x") is False


def test_prompt_logprobs_ask_for_one_token() -> None:
    sent = completion_body(Request(kind="prompt_logprobs", prompt=(1, 2), sampling=Sampling(max_tokens=900)), "m", seed=None)
    assert (sent["max_tokens"], sent["prompt_logprobs"]) == (1, 0)


@given(seed=st.integers(0, 2**64))
def test_seeds_fit_31_bits(seed: int) -> None:
    assert 0 <= chat_body(Request(kind="chat"), "m", seed=seed)["seed"] < 2**31
