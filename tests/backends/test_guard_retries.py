"""Retries in virtual time (P6): every delay is exact and hours cost milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from datalchemy.backends._guard import Guard
from datalchemy.backends.scripted import Scripted
from datalchemy.core.errors import (
    BackendFatal,
    BadResponse,
    CallError,
    DeadlineExceeded,
    Disconnected,
    RateLimited,
    Rejected,
    ServerFault,
)
from fake_server import Fake, failing, guarded, outcomes, told
from virtual_time import run_virtual

RETRIED = [
    lambda: RateLimited("429"),
    lambda: ServerFault("500"),
    lambda: Disconnected("reset"),
    lambda: DeadlineExceeded("late", reason="first_byte_deadline"),
    lambda: BadResponse("cut", reason="cut_body"),
]
NOT_RETRIED = [lambda: Rejected("400: bad"), lambda: BackendFatal("401"), lambda: BadResponse("hopeless", retryable=False)]


@pytest.mark.parametrize("error", RETRIED, ids=lambda e: type(e()).__name__)
@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("bad", [1, 4, 99])
def test_p6_tries_are_bounded_and_spaced_with_full_jitter(error: Callable[[], Exception], attempts: int, bad: int) -> None:
    async def program() -> None:
        fake, guard = guarded(failing(error, bad), attempts=attempts)
        if bad < attempts:
            assert await told(guard) == "Hi"
        else:
            with pytest.raises(type(error())):
                await told(guard)
        gaps = [later - sooner - 0.01 for sooner, later in zip(fake.times, fake.times[1:], strict=False)]
        assert len(fake.times) == guard.attempts == min(bad + 1, attempts)
        assert all(0 <= gap <= min(30, 0.5 * 2**at) + 1e-6 for at, gap in enumerate(gaps))
        assert guard.faults.total() == min(bad, attempts)
        assert (guard.in_flight, guard.waiting, guard.sleeping) == (0, 0, 0)

    run_virtual(program())


def test_p6_delays_grow_spread_and_stay_below_the_cap() -> None:
    async def gaps(seed: int) -> list[float]:
        fake, guard = guarded(failing(lambda: BadResponse("cut")), attempts=12, seed=seed)
        with pytest.raises(BadResponse):
            await told(guard)
        return [later - sooner for sooner, later in zip(fake.times, fake.times[1:], strict=False)]

    async def program() -> list[list[float]]:
        return [await gaps(seed) for seed in range(60)]

    runs = run_virtual(program())
    means = [sum(column) / len(column) for column in zip(*runs, strict=True)]
    assert 0.15 < means[0] < 0.35
    assert 6 < means[5] < 10.5
    assert 11 < means[-1] < 19
    assert max(max(run) for run in runs) <= 30.1
    assert len({round(run[0], 6) for run in runs}) > 50


@pytest.mark.parametrize("error", NOT_RETRIED, ids=lambda e: str(e()))
def test_p6_no_retry_where_asking_again_cannot_help(error: Callable[[], Exception]) -> None:
    async def program() -> None:
        fake, guard = guarded(failing(error))
        with pytest.raises(type(error())):
            await told(guard)
        assert len(fake.times) == 1

    run_virtual(program())


@pytest.mark.parametrize("kind", [RateLimited, ServerFault])
def test_p6_retry_after_is_the_least_wait(kind: type[CallError]) -> None:
    async def program() -> None:
        fake, guard = guarded(failing(lambda: kind("later", retry_after=40), 3))
        await told(guard)
        gaps = [later - sooner for sooner, later in zip(fake.times, fake.times[1:], strict=False)]
        assert len(gaps) == 3
        assert all(gap >= 40 for gap in gaps)
        assert len(set(gaps)) == 3

    run_virtual(program())


def test_p6_a_retry_after_beyond_patience_stops_the_run() -> None:
    async def program() -> None:
        fake, guard = guarded(failing(lambda: RateLimited("daily quota", retry_after=86400)), patience_s=300)
        with pytest.raises(BackendFatal, match="come back in 86400 s"):
            await told(guard)
        assert len(fake.times) == 1

    run_virtual(program())


class HoldsItsSlot(Guard):
    """The control: a guard that sleeps before a retry without giving its slot back."""

    async def _rest(self, seconds: float) -> None:
        self._slots.force()
        try:
            await super()._rest(seconds)
        finally:
            self._slots.release()


async def _poisoned(fake: Fake, prompt: str) -> str:
    await asyncio.sleep(0.01)
    if prompt in ("p0", "p1", "p2", "p3"):
        raise BadResponse("poison", retry_after=20)
    return prompt


def others_done_at(kind: type[Guard]) -> float:
    """When the last of 40 healthy calls was sent, beside 4 that fail, over 4 slots."""

    async def program() -> float:
        fake, guard = guarded(_poisoned, max_in_flight=4, kind=kind)
        ended = await outcomes(guard, 44)
        assert ended == {"ok": 40, "BadResponse": 4}
        return max(times[-1] for prompt, times in fake.sent.items() if prompt not in ("p0", "p1", "p2", "p3"))

    return run_virtual(program())


def test_p6_slots_are_released_while_asleep() -> None:
    assert others_done_at(Guard) < 1


def test_p6_control_a_guard_that_holds_its_slot_is_caught() -> None:
    assert others_done_at(HoldsItsSlot) > 10


def test_p6_a_cancelled_sleeper_leaves_at_once_and_leaks_nothing() -> None:
    async def program() -> None:
        _, guard = guarded(failing(lambda: RateLimited("429", retry_after=100)), max_in_flight=2)
        calls = [asyncio.ensure_future(told(guard, f"p{i}")) for i in range(6)]
        await asyncio.sleep(1)
        assert (guard.in_flight, guard.sleeping) == (0, 6)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert asyncio.get_running_loop().time() == 1
        assert (guard.in_flight, guard.waiting, guard.sleeping) == (0, 0, 0)

    run_virtual(program())


def test_p6_healing_faults_cost_exactly_one_request_each() -> None:
    async def program() -> None:
        endpoint = Scripted(faults={"rate_limited": 0.05, "server_fault": 0.03, "disconnected": 0.03, "bad_json": 0.02}, latency_s=0.05)
        clock = asyncio.get_running_loop().time
        async with endpoint.open() as backend:
            guard = Guard(backend, endpoint, rng=Random(5), clock=clock)
            assert await outcomes(guard, 1000) == {"ok": 1000}
        assert guard.attempts == 1000 + guard.faults.total() == endpoint.attempts_by_key.total()
        assert clock() < 30

    run_virtual(program())
