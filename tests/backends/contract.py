"""What every backend owes, whatever stands behind it; each check takes an open backend and skips what it does not claim."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from datalchemy.core.backend import Backend, Request, Sampling
from datalchemy.core.errors import BackendFatal, CallError

SHORT = Sampling(max_tokens=12, temperature=0)


def asking(text: str, sampling: Sampling = SHORT) -> Request:
    return Request(kind="chat", messages=({"role": "user", "content": text},), sampling=sampling)


def scoring(prompt: str, answer: str) -> Request:
    return Request(kind="score", messages=({"role": "user", "content": prompt}, {"role": "assistant", "content": answer}))


async def gives_exactly_n_replies(backend: Backend) -> None:
    for n in (1, 3) if "n" in backend.capabilities else (1,):
        replies = await backend.send(asking("Say something."), seed=7, n=n)
        assert len(replies) == n
        assert all(reply.model for reply in replies)
        assert sum(reply.usage.completion_tokens for reply in replies) > 0


async def keeps_to_max_tokens(backend: Backend) -> None:
    [reply] = await backend.send(asking("Count to a hundred, please, and write every number as a word.", Sampling(max_tokens=5)), seed=1)
    assert reply.usage.completion_tokens <= 5
    assert reply.finish_reason in ("length", "stop")


async def answers_alone_as_in_company(backend: Backend) -> None:
    requests = [asking(f"What is {i} plus {i}?") for i in range(8)]
    together = await asyncio.gather(*(backend.send(request, seed=3) for request in requests))
    for request, [reply] in zip(requests, together, strict=True):
        assert (await backend.send(request, seed=3))[0].text == reply.text


async def takes_any_text(backend: Backend) -> None:
    for text in ("", "\0", "line\u2028separator", "🜁 ä 中文", "</s><|im_end|>", "\x1b[31m"):
        assert await backend.send(asking(text), seed=1)


async def types_what_no_server_can_take(backend: Backend) -> None:
    try:
        await backend.send(asking("lone \ud800 surrogate"), seed=1)
    except CallError as error:
        assert error.reason


async def continues_token_ids(backend: Backend) -> None:
    if not {"token_ids", "template"} <= backend.capabilities:
        return
    ids = tuple(await backend.tokenize("Two and two"))
    assert ids
    [reply] = await backend.send(Request(kind="complete", prompt=ids, sampling=SHORT), seed=1)
    assert reply.usage.completion_tokens <= 12
    [auto] = await backend.send(Request(kind="complete", prompt=ids, sampling=Sampling(max_tokens="auto")), seed=1)
    assert auto.finish_reason in ("stop", "length")


async def scores_prompt_tokens(backend: Backend) -> None:
    if not {"prompt_logprobs", "template"} <= backend.capabilities:
        return
    ids = tuple(await backend.tokenize("Two and two is four."))
    [reply] = await backend.send(Request(kind="prompt_logprobs", prompt=ids), seed=None)
    assert len(reply.logprobs) == len(ids)
    assert reply.logprobs[0] is None
    assert all(value is not None and math.isfinite(value) and value <= 0 for value in reply.logprobs[1:])


async def embeds_in_order(backend: Backend) -> None:
    if "embed" not in backend.capabilities:
        return
    texts = ["one", "two", "one"]
    vectors = await backend.embed(texts)
    assert len(vectors) == 3
    assert len({len(vector) for vector in vectors}) == 1
    assert vectors[0] == vectors[2] != vectors[1]
    assert await backend.embed([]) == []


async def renders_its_template(backend: Backend) -> None:
    if "template" not in backend.capabilities:
        return
    turns = [{"role": "user", "content": "hello"}]
    closed = await backend.tokenize(turns, add_generation_prompt=False)
    opened = await backend.tokenize(turns)
    assert opened[: len(closed)] == closed
    assert len(opened) > len(closed) > len(await backend.tokenize("hello"))


async def tells_what_it_is(backend: Backend) -> None:
    probe = await backend.probe()
    assert probe.reachable
    assert probe.models


async def survives_a_cancelled_call(backend: Backend) -> None:
    call = asyncio.ensure_future(backend.send(asking("never mind"), seed=1))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert await backend.send(asking("still there?"), seed=1)


async def refuses_what_it_cannot_do(backend: Backend) -> None:
    if "score" in backend.capabilities:
        first, second = await backend.score([scoring("a", "b"), scoring("a", "c")])
        assert len(first.values) == len(second.values) == 1
        return
    try:
        await backend.score([scoring("a", "b")])
    except (CallError, BackendFatal):
        return
    raise AssertionError("score must fail where it is not a capability")


CHECKS: tuple[Callable[[Backend], Awaitable[None]], ...] = (
    gives_exactly_n_replies,
    keeps_to_max_tokens,
    answers_alone_as_in_company,
    takes_any_text,
    types_what_no_server_can_take,
    continues_token_ids,
    scores_prompt_tokens,
    embeds_in_order,
    renders_its_template,
    tells_what_it_is,
    survives_a_cancelled_call,
    refuses_what_it_cannot_do,
)
