"""Scores and vectors are answers like any other: stored, asked once, counted, within the budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from datalchemy.backends._guard import Guard
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply, Request, Usage, Vectors
from datalchemy.core.errors import BadResponse, BudgetExhausted, Disconnected, Rejected
from datalchemy.core.record import Message, assistant, user
from datalchemy.engine.asking import Asker, BoundModel
from datalchemy.engine.budget import Budget, Purse
from datalchemy.engine.keys import Identity
from datalchemy.engine.recipe import Reuse
from datalchemy.engine.store import ResponseStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


class Rewards:
    """A server that scores a conversation by the length of its answer; refuses what it holds `poison` in."""

    capabilities = frozenset({"score", "steps", "embed"})

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.wait: asyncio.Event | None = None
        self.values: Callable[[str], float] = lambda text: float(len(text))
        self.fail: list[Exception] = []

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        texts = [str(request.messages[-1]["content"]) for request in requests]
        self.calls.append(texts)
        if self.wait is not None:
            await self.wait.wait()
        if self.fail:
            raise self.fail.pop()
        if any("poison" in text for text in texts):
            raise Rejected("400: too long")
        return [Reply(values=(self.values(text),), usage=Usage(prompt_tokens=10)) for text in texts]

    async def embed(self, texts: Sequence[str]) -> Any:
        self.calls.append(list(texts))
        return Vectors([[float(len(text)), 1.0] for text in texts], Usage(prompt_tokens=7 * len(texts) + 1))


class Fixed(Scripted):
    most: int = 64

    def most_items(self) -> int:
        return self.most


class Place:
    """A store, and models over it that share its purse."""

    def __init__(self, folder: Path, stack: AsyncExitStack, limits: Budget) -> None:
        self.folder, self.stack = folder, stack
        self.purse = Purse(limits)

    async def model(self, backend: Any, endpoint: Any = None, part: str = "reward") -> tuple[BoundModel, Asker]:
        store = await self.stack.enter_async_context(ResponseStore(self.folder))
        endpoint = endpoint or Fixed(attempts=1)
        guard = Guard(backend, endpoint, rng=Random(1))
        asker = Asker("rm", endpoint, guard, store, self.purse, reuse=Reuse(), run_started=time.time(), before={})
        return BoundModel(asker, Identity(0, part, ""), Sampler(), endpoint.sampling), asker


class Sampler(list[Any]):
    pass


@pytest.fixture
async def place(tmp_path: Path) -> Any:
    async with AsyncExitStack() as stack:
        yield Place(tmp_path / "store", stack, Budget())


def talks(*texts: str) -> list[list[Message]]:
    return [[user("q"), assistant(text)] for text in texts]


def values(replies: Sequence[Reply]) -> list[float | None]:
    return [reply.values[0] if reply.values else None for reply in replies]


async def test_what_is_missing_goes_out_in_one_call_and_is_never_paid_twice(place: Place) -> None:
    server = Rewards()
    model, asker = await place.model(server)
    assert values(await model.score(talks("a", "bb", "a"))) == [1, 2, 1]
    assert server.calls == [["a", "bb"]]
    again, later = await place.model(server, part="another")  # another part of another run: the same answers
    replies = await again.score(talks("bb", "ccc", "a"))
    assert values(replies) == [2, 3, 1]
    assert server.calls[1:] == [["ccc"]]
    assert [reply.reused for reply in replies] == [True, False, True]
    assert all(reply.key for reply in replies)
    assert (asker.spending.calls, asker.spending.prompt_tokens, asker.spending.reused) == (2, 20, 0)
    assert (later.spending.calls, later.spending.prompt_tokens, later.spending.reused) == (1, 10, 2)
    assert place.purse.tokens == 30


async def test_another_model_prompt_or_kind_is_another_answer(place: Place) -> None:
    server = Rewards()
    model, _ = await place.model(server)
    other, _ = await place.model(server, Fixed(identity="other"))
    await model.score(talks("a"))
    await other.score(talks("a"))
    await model.score([[user("another"), assistant("a")]])
    await model.score(talks("a"), step_tag="!")
    assert server.calls == [["a"]] * 4


async def test_vectors_are_stored_and_their_usage_is_shared_out(place: Place) -> None:
    server = Rewards()
    model, asker = await place.model(server)
    assert await model.embed(["a", "bb", "a"]) == [(1.0, 1.0), (2.0, 1.0), (1.0, 1.0)]
    again, _ = await place.model(server)
    assert await again.embed(["bb", ""]) == [(2.0, 1.0), (0.0, 1.0)]
    assert server.calls == [["a", "bb"], [""]]
    assert asker.spending.prompt_tokens == 15
    assert await model.embed([]) == []


async def test_an_endpoint_whose_answers_are_not_worth_storing_is_asked_as_it_is(place: Place) -> None:
    class Near(Fixed):
        stored = False

    server = Rewards()
    model, asker = await place.model(server, Near())
    await model.embed(["a"] * 3)
    await model.embed(["a"])
    assert server.calls == [["a"] * 3, ["a"]]
    small, _ = await place.model(server, Near(most=2))
    assert await small.embed(["a", "bb", "ccc"]) == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
    assert server.calls[2:] == [["a", "bb"], ["ccc"]]
    assert asker.store.stats()["responses"] == 0


async def test_calls_hold_as_many_as_the_endpoint_takes(place: Place) -> None:
    server = Rewards()
    model, _ = await place.model(server, Fixed(most=2))
    assert values(await model.score(talks("a", "bb", "ccc", "dddd", "eeeee"))) == [1, 2, 3, 4, 5]
    assert sorted(map(len, server.calls)) == [1, 2, 2]


async def test_two_who_ask_for_the_same_at_once_are_answered_by_one_call(place: Place) -> None:
    server = Rewards()
    server.wait = asyncio.Event()
    model, _ = await place.model(server)
    first = asyncio.ensure_future(model.score(talks("a", "bb")))
    await asyncio.sleep(0.01)
    second = asyncio.ensure_future(model.score(talks("bb", "ccc")))
    await asyncio.sleep(0.01)
    server.wait.set()
    assert [values(await first), values(await second)] == [[1, 2], [2, 3]]
    assert server.calls == [["a", "bb"], ["ccc"]]


async def test_who_waits_for_a_call_that_is_cancelled_asks_himself(place: Place) -> None:
    server = Rewards()
    server.wait = asyncio.Event()
    model, _ = await place.model(server)
    first = asyncio.ensure_future(model.score(talks("a")))
    await asyncio.sleep(0.01)
    second = asyncio.ensure_future(model.score(talks("a")))
    await asyncio.sleep(0.01)
    first.cancel()
    server.wait.set()
    assert values(await second) == [1]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_conversation_that_the_server_refuses_takes_no_other_with_it(place: Place) -> None:
    server = Rewards()
    model, asker = await place.model(server)
    good, bad, also = await model.score(talks("a", "poison", "ccc"))
    assert (good.values, bad.values, also.values) == ((1,), (), (3,))
    assert bad.text == "400: too long"
    await asyncio.sleep(0.1)
    assert asker.store.stats()["responses"] == 2  # a refusal is not an answer
    with pytest.raises(Rejected):
        await (await place.model(Refusing()))[0].embed(["a"])


class Refusing(Rewards):
    async def embed(self, texts: Sequence[str]) -> Any:
        raise Rejected("no")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_a_score_that_is_no_number_is_a_bad_response_and_not_stored(place: Place, value: float) -> None:
    server = Rewards()
    server.values = lambda text: value
    model, asker = await place.model(server)
    with pytest.raises(BadResponse, match="bad_number"):
        await model.score(talks("a"))
    assert asker.store.stats()["responses"] == 0


async def test_a_server_that_gives_too_few_is_not_believed(place: Place) -> None:
    class Short(Rewards):
        async def score(self, requests: Sequence[Request]) -> list[Reply]:
            return (await super().score(requests))[1:]

    model, _ = await place.model(Short())
    with pytest.raises(BadResponse, match="wrong_n"):
        await model.score(talks("a", "b"))


async def test_an_error_is_raised_and_the_next_one_asks_again(place: Place) -> None:
    server = Rewards()
    server.fail = [Disconnected("gone")]
    model, asker = await place.model(server)
    with pytest.raises(Disconnected):
        await model.score(talks("a"))
    assert not asker.flights
    assert values(await model.score(talks("a"))) == [1]


async def test_a_budget_binds_scores_too(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        place = Place(tmp_path, stack, Budget(tokens=60))
        model, _ = await place.model(Rewards())
        await model.score(talks("a"))
        assert place.purse.tokens == 10
        with pytest.raises(BudgetExhausted):
            await model.score(talks("b" * 100))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.text(max_size=2).filter(lambda text: text.isascii()), max_size=6), max_size=6), most=st.integers(1, 4))
async def test_however_they_come_each_is_asked_once(tmp_path_factory: Any, batches: list[list[str]], most: int) -> None:
    async with AsyncExitStack() as stack:
        place = Place(tmp_path_factory.mktemp("many"), stack, Budget())
        server = Rewards()
        model, asker = await place.model(server, Fixed(most=most))
        got = await asyncio.gather(*(model.score(talks(*batch)) for batch in batches))
        assert [values(replies) for replies in got] == [[float(len(text)) for text in batch] for batch in batches]
        asked = [text for call in server.calls for text in call]
        assert sorted(asked) == sorted({text for batch in batches for text in batch})
        assert asker.spending.calls == len(asked)
        assert place.purse.tokens == 10 * len(asked)
        assert not asker.flights
