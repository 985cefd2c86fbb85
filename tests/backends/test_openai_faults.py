"""The openai backend against a server that fails: the same faults as the http backend's, as far as they reach the SDK."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from typing import Any

import pytest
from contract import asking
from datalchemy.backends import _transport
from datalchemy.backends._openai_shape import RAW_CAP
from datalchemy.backends.openai import OpenAI
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
    ServerFault,
)
from http_calls import always
from openai_calls import PLAIN, ask, failure
from raw_server import CLOSE, Asked, RawServer, Step, answer, chat, http, problem
from test_http_faults import BAD, GOOD, HANG, HANGS, QUICK, STATUSES


@pytest.mark.parametrize(("reason", "limits", "steps"), HANGS, ids=["silent", "stops", "drips", "half-a-head"])
async def test_p7_a_hang_ends_at_its_own_deadline_and_others_go_on(reason: str, limits: dict[str, float], steps: list[Step]) -> None:
    def handle(asked: Asked) -> Sequence[Step]:
        return steps if asked.body["messages"][0]["content"] == "hang" else [answer(chat("fine"))]

    deadlines = Deadlines(**{**QUICK, **limits})
    async with RawServer(handle) as server, OpenAI(url=server.url, deadlines=deadlines, **PLAIN).open() as backend:
        hung = asyncio.ensure_future(backend.send(asking("hang"), seed=1))
        others = await asyncio.gather(*(backend.send(asking("go"), seed=i) for i in range(20)))
        assert [reply.text for [reply] in others] == ["fine"] * 20
        with pytest.raises(DeadlineExceeded) as caught:
            await asyncio.wait_for(hung, 4)
        assert caught.value.reason == reason
        assert caught.value.retryable


async def test_p7_control_without_a_deadline_the_hang_stays() -> None:
    async with RawServer(always(HANG)) as server, OpenAI(url=server.url, **PLAIN).open() as backend:
        hung = asyncio.ensure_future(backend.send(asking("hang"), seed=1))
        await asyncio.wait([hung], timeout=0.6)
        assert not hung.done()
        hung.cancel()
        await asyncio.wait([hung])


async def test_p7_connect_deadline() -> None:
    """The server takes the connection and never says a word of TLS."""
    async with RawServer(always(HANG)) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            limits = Deadlines(connect_s=0.2)
            async with OpenAI(url=server.url.replace("http:", "https:"), deadlines=limits, **PLAIN).open() as backend:
                await backend.send(asking("Hi"), seed=1)
    assert caught.value.reason == "connect_deadline"


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
    for wire in (http(200, GOOD), http(200, gzip.compress(GOOD), "Content-Encoding: gzip\r\n")):
        async with RawServer(always(wire)) as server:
            assert (await ask(server))[0].text == "hello"


async def test_p8_too_few_choices() -> None:
    async with RawServer(always(answer(chat(n=2)))) as server:
        with pytest.raises(BadResponse, match="wrong_n: 2 choices where 3"):
            await ask(server, asking("Hi", Sampling(temperature=1)), n=3)


@pytest.mark.parametrize(("status", "body", "kind"), STATUSES)
async def test_statuses(status: int, body: Any, kind: type[DatalchemyError]) -> None:
    error = await failure(answer(body, status))
    assert type(error) is kind
    if isinstance(error, CallError):
        assert error.retryable is (kind in (RateLimited, ServerFault))
        assert str(status) in str(error)


async def test_an_endless_error_page_is_cut() -> None:
    endless = b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"y" * 0x10000 + b"\r\n") * 4
    error = await failure(endless, HANG)
    assert type(error) is ServerFault
    assert len(error.raw) == RAW_CAP


async def test_nothing_is_retried_and_redirects_are_not_followed() -> None:
    async with RawServer(always(answer(problem("slow down"), 429, "Retry-After: 7\r\n"))) as server:
        with pytest.raises(RateLimited) as caught:
            await ask(server)
        assert (len(server.asked), caught.value.retry_after) == (1, 7)
    async with RawServer(always(answer(chat()))) as inner:
        error = await failure(answer({}, 307, f"Location: {inner.url}\r\n"))
        assert isinstance(error, BackendFatal)
        assert inner.url in str(error)
        assert inner.asked == []


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
