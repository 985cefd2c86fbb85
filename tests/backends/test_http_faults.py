"""The http backend against a server that fails: deadlines (P7), bad bodies (P8), statuses."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from contract import asking
from datalchemy.backends import _transport
from datalchemy.backends._openai_shape import RAW_CAP
from datalchemy.backends.http import Http
from datalchemy.core.backend import Sampling
from datalchemy.core.endpoint import Deadlines
from datalchemy.core.errors import (
    BackendFatal,
    BadResponse,
    CallError,
    DatalchemyError,
    DeadlineExceeded,
    Disconnected,
    RateLimited,
    Rejected,
    ServerFault,
)
from http_calls import MODELS, always, ask, failure
from raw_server import CLOSE, Asked, RawServer, Step, answer, chat, http, problem

HANG = 30.0
QUICK = {"connect_s": 5, "first_byte_s": 5, "idle_s": 5, "total_s": 5}
HALF = http(200, b'{"choi', length=900)
DRIP = [HALF, *[step for _ in range(60) for step in (0.05, b" ")]]
HANGS = [
    ("first_byte_deadline", {"first_byte_s": 0.15}, [HANG]),
    ("idle_deadline", {"idle_s": 0.15}, [HALF, HANG]),
    ("total_deadline", {"total_s": 0.4, "idle_s": 0.2}, DRIP),
    ("first_byte_deadline", {"first_byte_s": 0.15}, [b"HTTP/1.1 200 OK\r\nContent-", HANG]),
]


@pytest.mark.parametrize(("reason", "limits", "steps"), HANGS, ids=["silent", "stops", "drips", "half-a-head"])
async def test_p7_a_hang_ends_at_its_own_deadline_and_others_go_on(reason: str, limits: dict[str, float], steps: list[Step]) -> None:
    def handle(asked: Asked) -> Sequence[Step]:
        return steps if asked.body["messages"][0]["content"] == "hang" else [answer(chat("fine"))]

    async with RawServer(handle) as server, Http(url=server.url, name="m", deadlines=Deadlines(**{**QUICK, **limits})).open() as backend:
        hung = asyncio.ensure_future(backend.send(asking("hang"), seed=1))
        others = await asyncio.gather(*(backend.send(asking("go"), seed=i) for i in range(20)))
        assert [reply.text for [reply] in others] == ["fine"] * 20
        with pytest.raises(DeadlineExceeded) as caught:
            await asyncio.wait_for(hung, 4)
        assert caught.value.reason == reason
        assert caught.value.retryable


async def test_p7_control_without_a_deadline_the_hang_stays() -> None:
    async with RawServer(always(HANG)) as server, Http(url=server.url, name="m").open() as backend:
        hung = asyncio.ensure_future(backend.send(asking("hang"), seed=1))
        await asyncio.wait([hung], timeout=0.6)
        assert not hung.done()
        hung.cancel()
        await asyncio.wait([hung])


async def test_p7_connect_deadline() -> None:
    """The server takes the connection and never says a word of TLS."""
    async with RawServer(always(HANG)) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            async with Http(url=server.url.replace("http:", "https:"), name="m", deadlines=Deadlines(connect_s=0.2)).open() as backend:
                await backend.send(asking("Hi"), seed=1)
    assert caught.value.reason == "connect_deadline"


async def test_a_slow_answer_within_its_deadlines_arrives() -> None:
    body = answer(chat("slow but fine"))
    async with RawServer(always(0.2, body[:40], 0.2, body[40:90], 0.2, body[90:])) as server:
        [reply] = await ask(server, deadlines=Deadlines(first_byte_s=1, idle_s=0.5))
    assert reply.text == "slow but fine"


GOOD = json.dumps(chat()).encode()
BAD: dict[str, tuple[str, bytes]] = {
    "truncated": ("bad_json", http(200, GOOD[:40])),
    "empty body": ("bad_json", http(200, b"")),
    "html": ("not_json", http(200, b"<html><body>portal</body></html>", "Content-Type: text/html\r\n")),
    "event stream": ("not_json", http(200, b'data: {"choices":[]}\n\ndata: {"choices":[]}\n\n')),
    "no choices": ("no_choices", answer({"choices": []})),
    "choices missing": ("no_choices", answer({"id": "x"})),
    "choices of another kind": ("no_choices", answer({"choices": "three"})),
    "too many": ("wrong_n", answer(chat(n=2))),
    "null content": ("null_content", answer(chat(None))),
    "number as content": ("bad_shape", answer(chat(7))),  # type: ignore[arg-type]
    "message missing": ("bad_shape", answer({"choices": [{"index": 0}]})),
    "a list": ("bad_shape", answer([1])),
    "an error with 200": ("error_body", answer(problem("overloaded"))),
    "NaN": ("bad_number", http(200, GOOD[:-1] + b', "score": NaN}')),
    "infinity": ("bad_number", http(200, GOOD[:-1] + b', "score": 1e999}')),
    "logprob of another kind": ("bad_number", answer({"choices": [{**chat()["choices"][0], "logprobs": {"content": [{"logprob": "x"}]}}]})),
    "lone surrogate": ("bad_text", http(200, GOOD.replace(b"hello", b"\\ud800"))),
    "latin-1": ("bad_text", http(200, GOOD.replace(b"hello", b"\xe4\xf6"))),
    "100k deep": ("bad_json", http(200, b"[" * 100_000)),
    "cut": ("cut_body", http(200, GOOD[:40], length=len(GOOD))),
    "cut chunked": ("cut_body", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}   \r\n"),
    "not gzip": ("cut_body", http(200, b"this is no gzip", "Content-Encoding: gzip\r\n")),
    "not http": ("bad_http", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "announced too large": ("too_large", http(200, b"x" * 3_000_000)),
    "too large, chunked": (
        "too_large",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"40000\r\n" + b"y" * 0x40000 + b"\r\n") * 8,
    ),
    "gzip bomb": ("too_large", http(200, gzip.compress(b"z" * 50_000_000), "Content-Encoding: gzip\r\n")),
}


@pytest.mark.parametrize("name", BAD)
async def test_p8_a_bad_body_is_a_typed_failure_with_its_raw_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "BODY_CAP", 1_000_000)
    reason, wire = BAD[name]
    error = await failure(wire, CLOSE)
    assert isinstance(error, BadResponse), error
    assert error.reason == reason
    assert error.retryable
    assert len(error.raw) <= RAW_CAP
    assert error.raw or name in ("empty body", "not gzip", "not http")


async def test_p8_control_a_good_body_passes_the_same_road() -> None:
    async with RawServer(always(http(200, GOOD))) as server:
        assert (await ask(server))[0].text == "hello"
    async with RawServer(always(http(200, gzip.compress(GOOD), "Content-Encoding: gzip\r\n"))) as server:
        assert (await ask(server))[0].text == "hello"


async def test_p8_too_few_choices() -> None:
    async with RawServer(always(answer(chat(n=2)))) as server:
        with pytest.raises(BadResponse, match="wrong_n: 2 choices where 3"):
            await ask(server, asking("Hi", Sampling(temperature=1)), n=3)


async def test_p8_a_body_cut_by_length_is_an_answer() -> None:
    wire = chat("half an ans")
    wire["choices"][0]["finish_reason"] = "length"
    async with RawServer(always(answer(wire))) as server:
        assert (await ask(server))[0].finish_reason == "length"


STATUSES = [
    (400, problem("bad temperature"), Rejected),
    (413, problem("too long"), Rejected),
    (422, {"detail": "field required"}, Rejected),
    (418, problem("teapot"), Rejected),
    (401, problem("no key"), BackendFatal),
    (403, problem("no"), BackendFatal),
    (402, problem("pay"), BackendFatal),
    (404, problem("The model `m` does not exist."), BackendFatal),
    (400, problem("The model `m` does not exist.", "model_not_found"), BackendFatal),
    (400, problem("model m not found"), BackendFatal),
    (400, problem("prompt too long: 'a model ... this m that does not exist in the list of things'"), Rejected),
    (429, problem("slow down"), RateLimited),
    (429, problem("You exceeded your quota", "insufficient_quota"), BackendFatal),
    (408, problem("late"), ServerFault),
    (409, problem("busy"), ServerFault),
    (425, problem("early"), ServerFault),
    (500, problem("oops"), ServerFault),
    (502, "no json", ServerFault),
    (503, problem("loading"), ServerFault),
    (529, problem("overloaded"), ServerFault),
    (302, {}, BackendFatal),
]


@pytest.mark.parametrize(("status", "body", "kind"), STATUSES)
async def test_statuses(status: int, body: Any, kind: type[DatalchemyError]) -> None:
    error = await failure(answer(body, status))
    assert type(error) is kind
    if isinstance(error, CallError):
        assert error.retryable is (kind in (RateLimited, ServerFault))
        assert str(status) in str(error)


async def test_an_unknown_model_lists_those_there_are() -> None:
    def handle(asked: Asked) -> Sequence[Step]:
        return [answer(MODELS)] if asked.path == "/v1/models" else [answer(problem("nope"), 404)]

    async with RawServer(handle) as server:
        with pytest.raises(BackendFatal, match=r"the models there are: m$"):
            await ask(server, name="mm")


async def test_redirects_are_not_followed() -> None:
    async with RawServer(always(answer(chat()))) as inner:
        error = await failure(answer({}, 307, f"Location: {inner.url}\r\n"))
        assert isinstance(error, BackendFatal)
        assert inner.url in str(error)
        assert inner.asked == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [("Retry-After: 7\r\n", 7), ("retry-after-ms: 250\r\nRetry-After: 9\r\n", 0.25), ("Retry-After: soon\r\n", None), ("", None)],
)
async def test_retry_after_is_read(headers: str, seconds: float | None) -> None:
    for status in (429, 503):
        error = await failure(answer(problem("later"), status, headers))
        assert isinstance(error, CallError)
        assert error.retry_after == seconds


async def test_a_dropped_connection_is_disconnected() -> None:
    assert type(await failure(CLOSE)) is Disconnected
    async with RawServer(always(CLOSE)) as server:
        pass
    with pytest.raises(Disconnected) as caught:
        await ask(server)
    assert caught.value.reason == "connect_failed"


async def test_control_characters_never_reach_a_message() -> None:
    error = await failure(answer(problem("\x1b]0;owned\x07 line\nbreak" + "x" * 5000), 400))
    assert str(error).isprintable()
    assert len(str(error)) < 600
