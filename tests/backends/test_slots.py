"""The in-flight limit: no leak and no overrun whatever happens, and it follows what a server takes (AIMD)."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random

from datalchemy.backends._slots import Slots
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run_virtual

ACTIONS = st.lists(st.tuples(st.sampled_from(["arrive", "finish", "refuse", "cancel", "shrink", "tick"]), st.integers(0, 30)), max_size=60)


@given(most=st.integers(1, 6), actions=ACTIONS)
@settings(max_examples=100, deadline=None)
def test_no_slot_is_lost_or_doubled(most: int, actions: list[tuple[str, int]]) -> None:
    async def program() -> None:
        slots = Slots(most, asyncio.get_running_loop().time)
        waiting: list[asyncio.Task[None]] = []
        holding = 0
        for action, number in actions:
            if action == "arrive":
                waiting.append(asyncio.ensure_future(slots.take()))
            elif action in ("finish", "refuse") and holding:
                holding -= 1
                slots.release()
                if action == "refuse":
                    slots.failed(slots.sent(), refused=number % 2 == 0)
                else:
                    slots.succeeded(slots.sent(), 0.1, 1)
            elif action == "cancel" and waiting:
                waiting[number % len(waiting)].cancel()
            elif action == "shrink":
                slots.restart()
            if action != "cancel":
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            holding += sum(task.done() and not task.cancelled() for task in waiting)
            waiting = [task for task in waiting if not task.done()]
            assert 1 <= slots.limit <= most
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        holding += sum(task.done() and not task.cancelled() for task in waiting)
        waiting = [task for task in waiting if not task.done()]
        assert slots.in_flight == holding <= most
        assert slots.waiting == len(waiting)
        assert not waiting or holding >= slots.limit
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (slots.in_flight, slots.waiting) == (holding, 0)

    run_virtual(program())


class Server:
    """`capacity` calls at once, 1 s each; further ones queue, or get 429 where `refuses`; `noise` of all get 429."""

    def __init__(self, capacity: int, *, refuses: bool, noise: float = 0.0) -> None:
        self.capacity, self.refuses, self.noise = capacity, refuses, noise
        self.busy, self.done, self.turned_away = 0, 0, 0
        self.line: deque[asyncio.Future[None]] = deque()
        self.rng = Random(3)
        self.slowdown = 1.0

    async def call(self) -> bool:
        if (self.refuses and self.busy >= self.capacity) or self.rng.random() < self.noise:
            await asyncio.sleep(0.01)
            self.turned_away += 1
            return False
        if self.busy >= self.capacity:
            place = asyncio.get_running_loop().create_future()
            self.line.append(place)
            await place
        else:
            self.busy += 1
        await asyncio.sleep((0.9 + 0.2 * self.rng.random()) * self.slowdown)
        self.done += 1
        if self.line:
            self.line.popleft().set_result(None)
        else:
            self.busy -= 1
        return True


async def load(server: Server, slots: Slots, workers: int, seconds: float) -> None:
    """Keep so many callers busy for so long; a refused one comes back after half a second."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds

    async def caller() -> None:
        while clock() < end:
            await slots.take()
            number, started = slots.sent(), clock()
            fine = await server.call()
            slots.release()
            if fine:
                slots.succeeded(number, clock() - started, 100)
            else:
                slots.failed(number, refused=True)
                await asyncio.sleep(0.5)

    await asyncio.gather(*(caller() for _ in range(workers)))


def test_a_server_that_refuses_is_driven_at_what_it_takes() -> None:
    async def program() -> None:
        slots, server = Slots(256, asyncio.get_running_loop().time), Server(64, refuses=True)
        await load(server, slots, 300, 20)
        assert slots.limit < 256
        done, turned_away = server.done, server.turned_away
        await load(server, slots, 300, 60)
        assert (server.done - done) / (64 * 60) > 0.9
        assert (server.turned_away - turned_away) / (server.done - done) < 0.15
        server.capacity = 256
        await load(server, slots, 300, 40)
        assert slots.limit > 200

    run_virtual(program())


def test_control_a_fixed_limit_is_turned_away_all_the_time() -> None:
    class Fixed(Slots):
        def failed(self, number: int, *, refused: bool) -> None:
            return

    async def program() -> None:
        slots, server = Fixed(256, asyncio.get_running_loop().time), Server(64, refuses=True)
        await load(server, slots, 300, 60)
        assert server.turned_away / server.done > 2

    run_virtual(program())


def test_sporadic_refusals_do_not_starve_the_server() -> None:
    async def program() -> None:
        slots, server = Slots(256, asyncio.get_running_loop().time), Server(256, refuses=False, noise=0.05)
        await load(server, slots, 300, 60)
        assert slots.limit > 200

    run_virtual(program())


def test_a_server_that_queues_is_never_throttled() -> None:
    """64 slots, 256 in flight: four times the latency of 64 in flight, and the same throughput."""

    async def program() -> None:
        slots, server = Slots(256, asyncio.get_running_loop().time), Server(64, refuses=False)
        for callers in (16, 64, 256, 300):
            await load(server, slots, callers, 20)
            assert slots.limit == 256
        assert server.done > 0.97 * 64 * 60

    run_virtual(program())


def test_a_server_that_thrashes_gets_less_but_never_below_half() -> None:
    async def program() -> None:
        slots, server = Slots(256, asyncio.get_running_loop().time), Server(256, refuses=False)
        await load(server, slots, 300, 20)
        assert slots.limit == 256
        server.slowdown = 8
        await load(server, slots, 300, 200)
        assert 128 <= slots.limit < 256
        server.slowdown = 1
        await load(server, slots, 300, 60)
        assert slots.limit == 256

    run_virtual(program())
