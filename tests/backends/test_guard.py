"""The guard in virtual time: retries (P6), the breaker (P9), limits; every delay is exact and hours cost milliseconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from contract import asking
from datalchemy.backends._guard import Guard
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply, Request, Sampling, Usage
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
from virtual_time import run_virtual

Answer = Callable[["Fake", str], Awaitable[str]]


class Fake:
    """A server in virtual time: `answer(fake, prompt)` is what a call does; `sent` says when each prompt arrived."""

    capabilities = frozenset({"chat"})

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: dict[str, list[float]] = {}
        self.open = self.most_open = 0

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        prompt = str(request.messages[-1]["content"])
        self.sent.setdefault(prompt, []).append(asyncio.get_running_loop().time())
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return [Reply(text=await self.answer(self, prompt), usage=Usage(prompt_tokens=10, completion_tokens=90))]
        finally:
            self.open -= 1

    @property
    def times(self) -> list[float]:
        return sorted(time for times in self.sent.values() for time in times)


def guarded(
    answer: Answer, *, events: list[Any] | None = None, kind: type[Guard] = Guard, seed: int = 1, **settings: Any
) -> tuple[Fake, Guard]:
    """A fake and its guard on the running loop's clock."""
    fake = Fake(answer)
    clock = asyncio.get_running_loop().time
    report = None if events is None else (lambda what, details: events.append((round(clock(), 3), what, dict(details))))
    return fake, kind(fake, Scripted(**settings), rng=Random(seed), clock=clock, sleep=asyncio.sleep, on_event=report)  # type: ignore[arg-type]


async def told(guard: Guard, prompt: str = "Hi") -> str:
    return (await guard.send(asking(prompt, Sampling()), seed=1))[0].text


async def outcomes(guard: Guard, count: int) -> Counter[str]:
    """How `count` different calls at once ended."""
    ended = await asyncio.gather(*(told(guard, f"p{i}") for i in range(count)), return_exceptions=True)
    return Counter(type(end).__name__ if isinstance(end, BaseException) else "ok" for end in ended)


def failing(error: Callable[[], Exception], times: int = 10**9) -> Answer:
    """Fails each prompt's first `times` attempts."""

    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.01)
        if len(fake.sent[prompt]) <= times:
            raise error()
        return prompt

    return answer


RETRIED = [
    lambda: RateLimited("429"),
    lambda: ServerFault("500"),
    lambda: Disconnected("reset"),
    lambda: DeadlineExceeded("late", reason="first_byte_deadline"),
    lambda: BadResponse("cut", reason="cut_body"),
]
NOT_RETRIED = [lambda: Rejected("400: bad"), lambda: BackendFatal("401"), lambda: BadResponse("hopeless", retryable=False)]


# ---------------------------------------------------------------------------------------------------- P6


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


# ---------------------------------------------------------------------------------------------------- P9


def dead(error: Callable[[], Exception], start: float = 0, end: float = float("inf")) -> Answer:
    """A server that is down between two moments."""

    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.05)
        if start <= asyncio.get_running_loop().time() < end:
            raise error()
        return prompt

    return answer


DOWN = [
    lambda: Disconnected("refused", reason="connect_failed"),
    lambda: Disconnected("reset"),
    lambda: ServerFault("502"),
    lambda: DeadlineExceeded("no connection", reason="connect_deadline"),
]


@pytest.mark.parametrize("error", DOWN, ids=lambda e: str(e()))
def test_p9_a_dead_backend_stops_spending_and_then_stops_the_run(error: Callable[[], Exception]) -> None:
    async def program() -> None:
        events: list[Any] = []
        fake, guard = guarded(dead(error), events=events, max_in_flight=64, patience_s=120)
        assert await outcomes(guard, 500) == {"BackendFatal": 500}
        [(paused_at, what, details)] = events
        assert what == "paused" and details["reason"] == error().reason  # type: ignore[attr-defined]
        probes = [time for time in fake.times if time > paused_at]
        stragglers = [time for time in probes if time < paused_at + 0.9]
        assert len(probes) - len(stragglers) == 8
        assert len(fake.times) < 500 * 4
        assert paused_at + 119 < asyncio.get_running_loop().time() < paused_at + 125
        with pytest.raises(BackendFatal, match=r"down for 12\d s: .*; start it and run the same command again, nothing is lost"):
            await told(guard, "later")

    run_virtual(program())


def test_p9_probes_go_one_at_a_time_with_growing_pauses() -> None:
    async def program() -> None:
        events: list[Any] = []
        fake, guard = guarded(dead(DOWN[0]), events=events, max_in_flight=16, patience_s=100)
        await outcomes(guard, 100)
        probes = [time for time in fake.times if time > events[0][0] + 0.9]
        pauses = [later - sooner for sooner, later in zip([events[0][0], *probes], probes, strict=False)]
        assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 16, 30, 30, 9]

    run_virtual(program())


@pytest.mark.parametrize("error", DOWN, ids=lambda e: str(e()))
def test_p9_everything_goes_on_when_it_comes_back_and_no_attempt_was_lost(error: Callable[[], Exception]) -> None:
    async def program() -> None:
        events: list[Any] = []
        fake, guard = guarded(dead(error, 1, 200), events=events, max_in_flight=32, attempts=8)
        assert await outcomes(guard, 2000) == {"ok": 2000}
        assert [what for _, what, _ in events] == ["paused", "resumed"]
        assert events[1][2]["probes"] <= 12
        back = events[1][0]
        assert len([time for time in fake.times if back <= time < back + 0.04]) <= 8
        assert guard.limit == 32

    run_virtual(program())


def test_p9_control_without_a_breaker_the_same_outage_spends_every_attempt() -> None:
    async def program() -> None:
        fake, guard = guarded(dead(DOWN[1], 1, 200), max_in_flight=32, attempts=8)
        guard._breaker.failed = lambda *a, **k: False  # type: ignore[method-assign]
        ended = await outcomes(guard, 2000)
        assert ended["Disconnected"] > 500
        assert len([time for time in fake.times if 10 < time < 200]) > 500

    run_virtual(program())


@pytest.mark.parametrize("error", [DOWN[1], DOWN[2]], ids=lambda e: str(e()))
def test_p9_poison_prompts_never_open_the_breaker(error: Callable[[], Exception]) -> None:
    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.05)
        if prompt.endswith("7") and len(prompt) > 3:
            raise error()
        return prompt

    async def program() -> None:
        events: list[Any] = []
        _, guard = guarded(answer, events=events, max_in_flight=64)
        ended = await outcomes(guard, 1000)
        assert ended == {"ok": 910, type(error()).__name__: 90}
        assert events == []

    run_virtual(program())


def test_p9_a_few_poison_prompts_at_the_end_are_not_an_outage() -> None:
    async def program() -> None:
        events: list[Any] = []
        _, guard = guarded(dead(DOWN[1]), events=events)
        assert await outcomes(guard, 5) == {"Disconnected": 5}
        assert events == []

    run_virtual(program())


def test_p9_a_single_call_waits_for_a_server_that_restarts() -> None:
    async def program() -> None:
        fake, guard = guarded(dead(DOWN[0], 0, 150), max_in_flight=1, attempts=3)
        assert await told(guard) == "Hi"
        assert len(fake.times) < 14

    run_virtual(program())


def test_p9_a_cancelled_probe_hands_over() -> None:
    async def program() -> None:
        _, guard = guarded(dead(DOWN[0], 0, 20), max_in_flight=4, attempts=3)
        calls = [asyncio.ensure_future(told(guard, f"p{i}")) for i in range(12)]
        for call in calls[:11]:
            await asyncio.sleep(1.5)
            call.cancel()
        assert await calls[11] == "p11"
        await asyncio.gather(*calls, return_exceptions=True)
        assert (guard.in_flight, guard.waiting, guard.sleeping) == (0, 0, 0)

    run_virtual(program())


def test_p9_a_wrong_key_met_by_the_probe_ends_the_pause_for_all() -> None:
    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.01)
        if asyncio.get_running_loop().time() < 5:
            raise Disconnected("refused", reason="connect_failed")
        raise BackendFatal("401")

    async def program() -> None:
        _, guard = guarded(answer)
        assert await outcomes(guard, 30) == {"BackendFatal": 30}

    run_virtual(program())


# ---------------------------------------------------------------------------------------------------- limits


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
            assert len(await guard.score([("a", "b")])) == 1
            assert await guard.tokenize("a") == [97]
            assert (await guard.probe()).reachable
            assert guard.attempts == 3

    run_virtual(program())
