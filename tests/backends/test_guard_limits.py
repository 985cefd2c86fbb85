"""In-flight limit and rates through the guard, in virtual time."""

from __future__ import annotations

import asyncio
from random import Random

from contract import scoring
from datalchemy.backends._guard import Guard
from datalchemy.backends.scripted import Scripted
from datalchemy.core.errors import (
    BadResponse,
)
from fake_server import Fake, failing, guarded, outcomes, told
from virtual_time import run_virtual


def test_no_more_than_max_in_flight_and_first_come_first_served() -> None:
    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(1)
        return prompt

    async def program() -> None:
        fake, guard = guarded(answer, max_in_flight=5)
        assert await outcomes(guard, 23) == {"ok": 23}
        assert fake.most_open == 5
        assert list(fake.sent) == [f"p{i}" for i in range(23)]
        assert asyncio.get_running_loop().time() == 5

    run_virtual(program())


def test_slack_is_reported_when_slots_fall_free() -> None:
    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(1)
        return prompt

    async def program() -> None:
        _, guard = guarded(answer, max_in_flight=8)
        seen: list[tuple[int, int]] = []
        guard.on_slack = lambda: seen.append((guard.in_flight, guard.waiting))
        await outcomes(guard, 20)
        assert seen
        assert all(waiting <= 1 for _, waiting in seen)
        assert seen[-1] == (0, 0)

    run_virtual(program())


def test_requests_a_minute_hold_with_retries_counted() -> None:
    async def program() -> None:
        fake, guard = guarded(failing(lambda: BadResponse("cut"), 1), rpm=90)
        assert await outcomes(guard, 150) == {"ok": 150}
        assert len(fake.times) == 300
        most = max(sum(start <= time < start + 60 for time in fake.times) for start in fake.times)
        assert 85 <= most <= 91
        assert asyncio.get_running_loop().time() < 300 / 90 * 60 + 35

    run_virtual(program())


def test_tokens_a_minute_are_settled_by_usage() -> None:
    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.1)
        return prompt

    async def program() -> None:
        _, guard = guarded(answer, tpm=6000, max_in_flight=4)
        for i in range(300):
            await told(guard, f"p{i}")
        minutes = asyncio.get_running_loop().time() / 60
        assert 0.93 < 300 * 100 / minutes / 6000 < 1.04

    run_virtual(program())


def test_tokens_a_minute_also_bound_the_first_minute() -> None:
    async def answer(fake: Fake, prompt: str) -> str:
        return prompt

    async def program() -> None:
        fake, guard = guarded(answer, tpm=6000)
        calls = [asyncio.ensure_future(told(guard, f"p{i}")) for i in range(500)]
        await asyncio.sleep(60)
        assert 100 * len(fake.times) <= 6000 + 1000
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    run_virtual(program())


def test_other_calls_are_guarded_too() -> None:
    async def program() -> None:
        endpoint = Scripted()
        async with endpoint.open() as backend:
            guard = Guard(backend, endpoint, rng=Random(1))
            assert len(await guard.embed(["a", "b"])) == 2
            assert len(await guard.score([scoring("a", "b")])) == 1
            assert await guard.tokenize("a") == [97]
            assert (await guard.probe()).reachable
            assert guard.attempts == 3

    run_virtual(program())
