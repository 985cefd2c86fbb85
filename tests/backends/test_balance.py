"""Several endpoints behind one guard, in virtual time: shares, limits, failover, rests, endings."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest
from contract import asking
from datalchemy.backends._balance import Balance
from datalchemy.backends._guard import Guard
from datalchemy.backends._lane import Lane
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Sampling
from datalchemy.core.errors import BackendFatal, BadResponse, Disconnected, RateLimited, Rejected, ServerFault
from fake_server import Answer, Fake, failing, told
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run_virtual


def refusing() -> Exception:
    return Disconnected("refused", reason="connect_failed")


def answering(seconds: float = 1.0) -> Answer:
    async def answer(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(seconds)
        return prompt

    return answer


def until(end: float, then: Answer, before: Answer) -> Answer:
    """One way up to a moment, another way after it."""

    async def answer(fake: Fake, prompt: str) -> str:
        return await (before if asyncio.get_running_loop().time() < end else then)(fake, prompt)

    return answer


class Several:
    """Fakes, one a place, behind a Balance behind a Guard."""

    def __init__(self, *answers: Answer, lanes: Any = (), **settings: Any) -> None:
        clock = asyncio.get_running_loop().time
        self.fakes = [Fake(answer) for answer in answers]
        own = list(lanes) or [{}] * len(answers)
        made = [Lane(f"e{i}", fake, clock=clock, **own[i]) for i, fake in enumerate(self.fakes)]  # type: ignore[arg-type]
        endpoint = Scripted(**{"max_in_flight": sum(lane.slots.most for lane in made), **settings})
        self.balance = Balance(made, frozenset({"chat"}), patience_s=endpoint.patience_s, clock=clock, sleep=asyncio.sleep)
        self.events: list[tuple[float, str, str]] = []
        self.guard = Guard(
            self.balance, endpoint, rng=Random(1), clock=clock, sleep=asyncio.sleep,
            on_event=lambda what, details: self.events.append((round(clock(), 3), what, details.get("endpoint", ""))),
        )  # fmt: skip

    async def ask(self, count: int, at_once: int = 10**6) -> Counter[str]:
        places = asyncio.Semaphore(at_once)

        async def one(i: int) -> str:
            async with places:
                return await told(self.guard, f"p{i}")

        ended = await asyncio.gather(*(one(i) for i in range(count)), return_exceptions=True)
        return Counter(type(end).__name__ if isinstance(end, BaseException) else "ok" for end in ended)

    @property
    def shares(self) -> list[int]:
        return [len(fake.times) for fake in self.fakes]


def program(main: Any) -> Any:
    def test(*arguments: Any) -> None:
        run_virtual(main(*arguments))

    test.__name__ = main.__name__
    return test


@program
async def test_one_at_a_time_is_shared_out_by_weight() -> None:
    pool = Several(*[answering()] * 3, lanes=[{"weight": 3}, {"weight": 2}, {"weight": 1}])
    assert await pool.ask(600, at_once=1) == {"ok": 600}
    assert pool.shares == [300, 200, 100]


@program
async def test_many_at_a_time_are_shared_out_by_weight() -> None:
    pool = Several(*[answering()] * 2, lanes=[{"weight": 3}, {"weight": 1}])
    assert await pool.ask(800, at_once=40) == {"ok": 800}
    assert pool.shares[0] == pytest.approx(600, rel=0.05)
    assert [fake.most_open for fake in pool.fakes] == [30, 10]


@program
async def test_who_answers_faster_gets_more() -> None:
    pool = Several(answering(1), answering(4))
    assert await pool.ask(500, at_once=20) == {"ok": 500}
    assert pool.shares[0] == pytest.approx(400, rel=0.05)


@program
async def test_the_limits_of_each_endpoint_hold() -> None:
    pool = Several(*[answering()] * 2, lanes=[{"max_in_flight": 3}, {"max_in_flight": 10, "rpm": 60}])
    assert await pool.ask(400) == {"ok": 400}
    assert pool.fakes[0].most_open == 3
    times = pool.fakes[1].times
    assert max(sum(start <= time < start + 60 for time in times) for start in times) <= 61
    assert sum(pool.shares) == 400
    assert asyncio.get_running_loop().time() == pytest.approx(400 / (3 + 1), rel=0.15), "both are driven at what they take"


@program
async def test_tokens_a_minute_hold_for_each_endpoint() -> None:
    pool = Several(*[answering()] * 2, lanes=[{"tpm": 6000}, {}], max_in_flight=8)
    assert await pool.ask(300) == {"ok": 300}
    times = pool.fakes[0].times
    assert max(sum(start <= time < start + 60 for time in times) for start in times) <= 61, "of 100 tokens each"
    assert pool.shares[1] > pool.shares[0] > 5


@program
async def test_a_dead_endpoint_costs_no_attempt_and_no_time() -> None:
    pool = Several(failing(refusing), answering(), attempts=1)
    assert await pool.ask(200, at_once=20) == {"ok": 200}
    assert pool.guard.attempts == 200
    assert asyncio.get_running_loop().time() == pytest.approx(10, abs=1)
    assert pool.shares[0] < 30, "after the first refusals it is only tried now and then"
    assert pool.events[0] == (0.01, "endpoint_down", "e0")


@program
async def test_control_without_a_second_endpoint_the_attempt_is_lost() -> None:
    pool = Several(failing(lambda: ServerFault("500")), attempts=1)
    assert await pool.ask(4) == {"ServerFault": 4}


@pytest.mark.parametrize("error", [lambda: ServerFault("500"), lambda: BadResponse("html"), lambda: RateLimited("429"), refusing])
def test_an_endpoint_that_fails_fast_does_not_swallow_the_calls(error: Any) -> None:
    async def main() -> None:
        pool = Several(failing(error), answering(), attempts=1)
        assert await pool.ask(300, at_once=30) == {"ok": 300}
        assert pool.shares[1] == 300
        assert pool.guard.attempts == 300

    run_virtual(main())


@program
async def test_an_endpoint_that_comes_back_is_found_and_used() -> None:
    pool = Several(until(50, answering(), failing(refusing)), answering())
    assert await pool.ask(3000, at_once=20) == {"ok": 3000}
    assert [event[1:] for event in pool.events] == [("endpoint_down", "e0"), ("endpoint_up", "e0")]
    assert 50 <= pool.events[1][0] <= 85, "tried after 1, 2, 4 ... 30 s"
    late = [time for time in pool.fakes[0].times if time > 90]
    assert len(late) > 100


@program
async def test_all_down_waits_like_a_single_server_and_loses_no_call() -> None:
    pool = Several(until(100, answering(), failing(refusing)), until(140, answering(), failing(refusing)), attempts=4)
    assert await pool.ask(100, at_once=20) == {"ok": 100}
    assert "paused" in [event[1] for event in pool.events]
    assert "resumed" in [event[1] for event in pool.events]
    assert sum(time < 100 for fake in pool.fakes for time in fake.times) < 150


@program
async def test_all_down_for_good_ends_when_patience_does() -> None:
    pool = Several(failing(refusing), failing(refusing), patience_s=60)
    assert await pool.ask(10) == {"BackendFatal": 10}
    assert asyncio.get_running_loop().time() == pytest.approx(60, abs=5)


@program
async def test_retry_after_is_kept_to_where_it_was_said() -> None:
    asked: list[float] = []

    async def limited(fake: Fake, prompt: str) -> str:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) <= 1:
            raise RateLimited("429", retry_after=30)
        await asyncio.sleep(1)
        return prompt

    pool = Several(limited, answering())
    assert await pool.ask(400, at_once=10) == {"ok": 400}
    assert asked[0] == 0
    assert asked[1] >= 30
    assert asked[1] < 32
    assert pool.guard.attempts == 400, "the others were asked instead"


@program
async def test_a_rest_of_hours_ends_the_run_only_where_nobody_else_is_there() -> None:
    hours = failing(lambda: RateLimited("429", retry_after=7200))
    assert await Several(hours, answering()).ask(100, at_once=20) == {"ok": 100}
    pool = Several(hours, hours)
    with pytest.raises(BackendFatal, match="asks to come back"):
        await told(pool.guard)


@program
async def test_no_endpoint_rests_while_calls_wait_for_it_to_end() -> None:
    async def once(fake: Fake, prompt: str) -> str:
        if len(fake.times) == 1:
            raise RateLimited("429", retry_after=20)
        return prompt

    pool = Several(once, lanes=[{"max_in_flight": 4}], max_in_flight=8)
    assert await pool.ask(12) == {"ok": 12}
    assert asyncio.get_running_loop().time() < 25


@program
async def test_a_refused_key_ends_that_endpoint_and_the_last_one_the_run() -> None:
    def refused() -> Exception:
        return BackendFatal("the server refused the key in $A_KEY")

    pool = Several(failing(refused), answering())
    assert await pool.ask(50, at_once=5) == {"ok": 50}
    assert ("endpoint_lost", "e0") in [event[1:] for event in pool.events]
    assert pool.shares[0] <= 5
    both = Several(failing(refused), failing(refused))
    with pytest.raises(BackendFatal, match=r"no endpoint .* is left: e0: .*A_KEY.*; e1: .*A_KEY"):
        await told(both.guard)


@program
async def test_what_is_refused_as_it_stands_is_not_carried_on() -> None:
    pool = Several(*[failing(lambda: Rejected("400"))] * 2)
    assert await pool.ask(10, at_once=1) == {"Rejected": 10}
    assert sum(pool.shares) == 10
    assert not pool.events


@program
async def test_an_endpoint_that_dies_under_its_calls_hands_them_on() -> None:
    async def dying(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(max(0.0, min(1.0, 5.5 - asyncio.get_running_loop().time())))
        if asyncio.get_running_loop().time() >= 5.5:
            raise Disconnected("reset") if fake.times[-1] < 5.5 else refusing()
        return prompt

    pool = Several(dying, answering(), attempts=1)
    assert await pool.ask(400, at_once=40) == {"ok": 400}
    assert pool.guard.attempts == 400


@program
async def test_those_in_line_go_elsewhere_when_what_they_wait_for_dies() -> None:
    async def dying(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(3)
        raise refusing()

    pool = Several(dying, answering(5), lanes=[{"max_in_flight": 1}, {"max_in_flight": 1}], max_in_flight=6)
    assert await pool.ask(6) == {"ok": 6}


@program
async def test_poison_prompts_do_not_take_the_endpoints_away() -> None:
    async def poisoned(fake: Fake, prompt: str) -> str:
        await asyncio.sleep(0.1)
        if prompt in ("p3", "p40"):
            raise ServerFault("500")
        return prompt

    pool = Several(poisoned, poisoned, attempts=3)
    assert await pool.ask(200, at_once=16) == {"ok": 198, "ServerFault": 2}


@program
async def test_a_cancelled_call_gives_everything_back() -> None:
    pool = Several(answering(10), lanes=[{"max_in_flight": 2}], max_in_flight=8)
    calls = [asyncio.ensure_future(told(pool.guard, f"p{i}")) for i in range(6)]
    await asyncio.sleep(1)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert pool.balance.lanes[0].slots.in_flight == 0
    assert await pool.ask(4) == {"ok": 4}


@settings(max_examples=60, deadline=None)
@given(
    fates=st.lists(
        st.lists(st.sampled_from(["ok", "refused", "500", "429", "html", "slow"]), min_size=1, max_size=12), min_size=1, max_size=4
    ),
    limits=st.lists(st.integers(1, 6), min_size=4, max_size=4),
    cancelled=st.sets(st.integers(0, 39), max_size=10),
)
def test_whatever_happens_slots_add_up_and_every_call_ends(fates: list[list[str]], limits: list[int], cancelled: set[int]) -> None:
    """Every endpoint goes through its fates and then answers: so every call that nobody cancels is answered in the end."""

    def fated(left: list[str]) -> Answer:
        async def answer(fake: Fake, prompt: str) -> str:
            fate = left.pop() if left else "ok"
            await asyncio.sleep(7 if fate == "slow" else 0.5)
            if error := {
                "refused": refusing,
                "500": lambda: ServerFault("x"),
                "429": lambda: RateLimited("x", retry_after=3),
                "html": lambda: BadResponse("x"),
            }.get(fate):
                raise error()
            return prompt

        return answer

    async def main() -> None:
        pool = Several(
            *(fated(list(own)) for own in fates), lanes=[{"max_in_flight": limit} for limit in limits[: len(fates)]], attempts=50
        )
        calls = [asyncio.ensure_future(pool.guard.send(asking(f"p{i}", Sampling()), seed=1)) for i in range(40)]
        await asyncio.sleep(0.7)
        for i in cancelled:
            calls[i].cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(not isinstance(end, BaseException) or i in cancelled for i, end in enumerate(ended)), ended
        for lane, fake in zip(pool.balance.lanes, pool.fakes, strict=True):
            assert lane.slots.in_flight == 0 == fake.open
            assert fake.most_open <= lane.slots.most

    run_virtual(main())
