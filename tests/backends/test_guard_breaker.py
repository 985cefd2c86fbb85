"""A dead backend stops spending (P9), in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.errors import (
    BackendFatal,
    DeadlineExceeded,
    Disconnected,
    ServerFault,
)
from fake_server import Answer, Fake, guarded, outcomes, told
from virtual_time import run_virtual


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
        assert await outcomes(guard, 1200) == {"ok": 1200}
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
        ended = await outcomes(guard, 700)
        assert ended["Disconnected"] > 50
        assert len([time for time in fake.times if 10 < time < 200]) > 100

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
