"""Many small things asked of one model together: vectors of texts, scores of conversations.

Each is stored under its own key like any reply. What the store holds costs nothing, what somebody else is asking for right
now is waited for, and the rest goes out in as few calls as the endpoint takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from ..core.backend import Reply, Request, Usage, Vector, Vectors
from ..core.errors import BadResponse, Rejected
from .budget import dollars, most_prompt_tokens
from .keys import store_key

if TYPE_CHECKING:
    from .asking import Asker

Send = Callable[[list[Request]], Awaitable[list[Reply]]]
"""One call to the server: a reply a request, in order. Raises CallError, BackendFatal."""
Flights = dict[bytes, asyncio.Future[Reply]]

SLICE = 8
"""Vectors read from the store, or written, before others get a turn on the event loop: one of 1,536 numbers takes half a millisecond."""


async def embed(asker: Asker, texts: Sequence[str]) -> Sequence[Vector]:
    """One vector a text."""
    if not texts:
        return []
    if not asker.endpoint.stored:
        most = max(1, asker.endpoint.most_items())
        parts = [texts[at : at + most] for at in range(0, len(texts), most)]
        asker.sends += len(parts)
        return [vector for part in await asyncio.gather(*map(asker.guard.embed, parts)) for vector in part]

    async def send(requests: list[Request]) -> list[Reply]:
        vectors = await asker.guard.embed([str(request.prompt) for request in requests])
        usages = _shared_out(vectors.usage if isinstance(vectors, Vectors) else Usage(), len(requests))
        return [Reply(values=tuple(map(float, vector)), usage=usage) for vector, usage in zip(vectors, usages, strict=True)]

    replies = await ask_many(asker, [Request(kind="embed", prompt=text) for text in texts], send)
    for reply in replies:
        if not reply.values:
            raise Rejected(reply.text)
    return [reply.values for reply in replies]


async def score(asker: Asker, requests: Sequence[Request]) -> list[Reply]:
    """One reply a request; of one that the server refuses, without `values`."""
    return await ask_many(asker, requests, asker.guard.score)


async def ask_many(asker: Asker, requests: Sequence[Request], send: Send) -> list[Reply]:
    """One reply a request, each paid for at most once, ever. Raises CallError, BackendFatal or BudgetExhausted."""
    keys = [store_key(asker.store.tenant, asker.identity, request, b"") for request in requests]
    wanted = dict(zip(keys, requests, strict=True))
    found: dict[bytes, Reply] = {}
    while left := [key for key in wanted if key not in found]:
        mine: Flights = {}
        theirs: Flights = {}
        try:
            await _look(asker, left, found, mine, theirs)
            await _pay_all(asker, mine, wanted, send)
        finally:
            _land(asker, mine)
        found |= {key: flight.result() for key, flight in mine.items()}
        for key, flight in theirs.items():
            try:
                found[key] = await asyncio.shield(flight)
            except asyncio.CancelledError:
                if not flight.cancelled():
                    raise  # ourselves are cancelled; else the other one is, and we ask
    asker.spending.reused += sum(found[key].reused for key in wanted)
    return [found[key] for key in keys]


async def _look(asker: Asker, left: Sequence[bytes], found: dict[bytes, Reply], mine: Flights, theirs: Flights) -> None:
    """Who brings what: the store, somebody else's call, or our own. No await between a look-up and the claim on what is missing."""
    loop = asyncio.get_running_loop()
    for number, key in enumerate(left):
        if number and number % SLICE == 0:
            await asyncio.sleep(0)
        if (flight := asker.flights.get(key)) is not None:
            theirs[key] = flight
        elif (reply := asker.stored(key)) is not None:
            found[key] = reply.model_copy(update={"model": reply.model or asker.identity, "key": key.hex(), "reused": True})
        else:
            mine[key] = asker.flights[key] = loop.create_future()


async def _pay_all(asker: Asker, mine: Flights, wanted: dict[bytes, Request], send: Send) -> None:
    """All of ours, in calls of as many as the endpoint takes; each flight has its reply afterwards."""
    keys, most = list(mine), max(1, asker.endpoint.most_items())
    calls = [
        asyncio.ensure_future(_pay(asker, {key: wanted[key] for key in keys[at : at + most]}, mine, send))
        for at in range(0, len(keys), most)
    ]
    try:
        for call in calls:
            await call
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def _pay(asker: Asker, wanted: dict[bytes, Request], mine: Flights, send: Send) -> None:
    """One call. Where the server refuses it, one a request, so that a single bad one does not take the others with it."""
    try:
        replies = await _call(asker, list(wanted.values()), send)
    except Rejected as error:
        if len(wanted) > 1:
            await asyncio.gather(*(_pay(asker, {key: request}, mine, send) for key, request in wanted.items()))
        else:
            (key,) = wanted
            mine[key].set_result(Reply(text=str(error), finish_reason="other", model=asker.identity))
        return
    await _put(asker, list(zip(wanted, replies, strict=True)))
    for key, reply in zip(wanted, replies, strict=True):
        mine[key].set_result(reply.model_copy(update={"model": reply.model or asker.identity, "key": key.hex()}))


async def _put(asker: Asker, pairs: list[tuple[bytes, Reply]]) -> None:
    """Returns when all of them are durable."""
    writing: list[asyncio.Task[None]] = []
    try:
        for at in range(0, len(pairs), SLICE):
            writing += [asyncio.create_task(asker.store.put(key, asker.identity, reply)) for key, reply in pairs[at : at + SLICE]]
            await asyncio.sleep(0)
    finally:
        await asyncio.gather(*writing)


async def _call(asker: Asker, requests: list[Request], send: Send) -> list[Reply]:
    """Within the budget, counted, and checked."""
    most = sum(map(most_prompt_tokens, requests)) if asker.purse.binds else 0
    cost = dollars(Usage(prompt_tokens=most), asker.endpoint.effective_price)
    await asker.purse.reserve(most, cost)
    asker.sends += 1
    usage, paid = Usage(), 0.0
    try:
        replies = await send(requests)
        usage = sum((reply.usage for reply in replies), Usage())
        paid = dollars(usage, asker.endpoint.effective_price)
    finally:
        asker.purse.settle(most, cost, usage, paid)
    asker.spending.calls += len(replies)
    asker.spending.prompt_tokens += usage.prompt_tokens
    asker.spending.completion_tokens += usage.completion_tokens
    asker.spending.dollars += paid
    if len(replies) != len(requests):
        raise BadResponse(f"wrong_n: {len(replies)} results for {len(requests)} items", reason="wrong_n")
    if not all(reply.values and all(map(isfinite, reply.values)) for reply in replies):
        raise BadResponse("bad_number: a score or a vector must be finite numbers", reason="bad_number")
    return replies


def _land(asker: Asker, mine: Flights) -> None:
    """Nobody waits for a flight that will not come: those without a reply are cancelled, and whoever waits asks himself."""
    for key, flight in mine.items():
        del asker.flights[key]
        if not flight.done():
            flight.cancel()


def _shared_out(usage: Usage, n: int) -> list[Usage]:
    """One an item, adding up to the whole."""
    each, rest = divmod(usage.prompt_tokens, n)
    return [Usage(prompt_tokens=each + (number < rest)) for number in range(n)]
