"""`use: pool` over real connections: identity, settings, the contract, and runs in which endpoints die."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

import pytest
from contract import CHECKS, asking
from datalchemy.backends._balance import Balance
from datalchemy.backends._guard import Guard
from datalchemy.backends.http import Http
from datalchemy.backends.pool import Pool
from datalchemy.core.errors import BackendFatal, RecipeError
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from pydantic import ValidationError

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
from stub import Stub


def http(stub: Stub, **more: object) -> dict[str, object]:
    return {"use": "http", "url": stub.url, "name": "stub", **more}


def scripted(**more: object) -> dict[str, object]:
    return {"use": "scripted", "mode": "echo", **more}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check) -> None:
    async with Pool(endpoints=[scripted(), scripted(weight=2)]).open() as backend:
        await check(backend)


def test_one_identity_for_all() -> None:
    one, two = {"use": "http", "url": "http://a/v1", "name": "m"}, {"use": "http", "url": "http://b/v1", "name": "m"}
    other = {"use": "http", "url": "http://c/v1", "name": "m-fp8"}
    assert Pool(endpoints=[one, two]).stored_as == Http(url="http://elsewhere/v1", name="m").stored_as == "m"
    with pytest.raises(ValidationError, match=r"different models \(m, m-fp8\).*`identity`"):
        Pool(endpoints=[one, other])
    assert Pool(endpoints=[one, other], identity="m").stored_as == "m"


def test_settings_and_what_they_refuse() -> None:
    one = {"use": "http", "url": "http://a/v1", "name": "m"}
    pool = Pool(endpoints=[{**one, "weight": 3, "max_in_flight": 100}, one])
    assert pool.max_in_flight == 164
    assert Pool(endpoints=[one], max_in_flight=7).max_in_flight == 7
    dumped = pool.model_dump(mode="json")
    assert (dumped["endpoints"][0]["use"], dumped["endpoints"][0]["weight"]) == ("http", 3)
    assert Pool(endpoints=dumped["endpoints"]) == Pool(endpoints=pool.endpoints), "what is dumped can be read again"
    assert "http://a/v1" in str(dumped)
    for wrong, words in (
        ([], "at least 1"),
        ([{**one, "weight": 0}], "greater than 0"),
        ([{**one, "attempts": 3}], "beside `endpoints`"),
        ([{**one, "price": {"input": 1, "output": 1}}], "beside `endpoints`"),
        ([{"use": "http", "url": "http://a/v1"}], "`name`"),
        ([{"use": "pool", "endpoints": [one]}], "cannot hold a pool"),
        ([{"use": "htp", "url": "http://a/v1"}], "did you mean 'http'"),
        ([{**one, "wieght": 1}], "wieght"),
    ):
        with pytest.raises((ValidationError, RecipeError), match=words):
            Pool(endpoints=wrong)


def test_it_can_what_all_of_them_can() -> None:
    both = Pool(endpoints=[{"use": "openai", "name": "m"}, {"use": "http", "url": "http://b/v1", "name": "m"}])
    assert "chat" in both.able()
    assert "prompt_logprobs" not in both.able()
    assert "prompt_logprobs" in Pool(endpoints=[{"use": "http", "url": "http://b/v1", "name": "m"}]).able()
    magpie = {"generate": {"use": "magpie", "model": "teacher"}, "target": 1}
    with pytest.raises(RecipeError, match=r"magpie needs .* of the model 'teacher', which the backend 'pool' cannot give"):
        Recipe.build({**magpie, "models": {"teacher": both}})


def test_it_costs_what_its_dearest_endpoint_takes() -> None:
    direct = {"use": "openai", "name": "m", "url": "http://a/v1"}
    batch = {"use": "openai", "name": "m", "url": "http://b/v1", "mode": "batch"}
    price = {"input": 2.0, "output": 8.0}
    both, batches, free = (
        Pool(endpoints=ends, **more) for ends, more in (([batch, direct], {"price": price}), ([batch], {"price": price}), ([direct], {}))
    )
    assert both.effective_price is not None
    assert (both.effective_price.input, both.effective_price.output) == (2.0, 8.0)
    assert batches.effective_price is not None
    assert (batches.effective_price.input, batches.effective_price.output) == (1.0, 4.0)
    assert free.effective_price is None


async def test_one_that_is_not_there_yet_is_no_error() -> None:
    async with Stub() as stub:
        gone = {"use": "http", "url": "http://127.0.0.1:9/v1", "name": "stub"}
        async with Pool(endpoints=[gone, http(stub)]).open() as backend:
            assert (await backend.send(asking("a"), seed=1))[0].text
            probe = await backend.probe()
            assert probe.reachable
            assert "http://127.0.0.1:9/v1: no" in probe.detail
            assert f"{stub.url}: yes" in probe.detail


async def test_a_missing_key_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    async with Stub() as stub:
        with pytest.raises(RecipeError, match="A_KEY"):
            async with Pool(endpoints=[http(stub), http(stub, api_key_env="A_KEY")]).open():
                pass
        assert stub.stats()["requests"] == 0


def recipe(tmp_path: Path, teacher: object, count: int = 120) -> Recipe:
    seeds = {"inline": [{"prompt": f"How much is {i} plus {i + 1}?"} for i in range(count)]}
    return Recipe.build(
        {
            "models": {"teacher": teacher},
            "seeds": seeds,
            "generate": {"use": "answer", "model": "teacher"},
            "output": {"dir": str(tmp_path)},
        }
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    return tmp_path


async def test_a_model_that_moves_keeps_its_stored_answers(home: Path) -> None:
    async with Stub() as first, Stub() as second:
        await asyncio.to_thread(run, recipe(home / "a", http(first)))
        assert (first.stats()["requests"], second.stats()["requests"]) == (120, 0)
        await asyncio.to_thread(run, recipe(home / "b", {"use": "pool", "endpoints": [http(second), http(first)]}))
        assert (first.stats()["requests"], second.stats()["requests"]) == (120, 0), "paid for again"
        await asyncio.to_thread(run, recipe(home / "c", {"use": "pool", "identity": "stub@2", "endpoints": [http(second), http(first)]}))
        assert first.stats()["requests"] + second.stats()["requests"] == 240, "the control: another identity is another model"
        assert second.stats()["requests"] == pytest.approx(60, abs=15)


async def test_an_endpoint_dies_in_the_middle_of_a_run(home: Path) -> None:
    async with Stub(slots=4, ttft=0.01, per_token=0.0001) as left:
        dying = Stub(slots=4, ttft=0.01, per_token=0.0001)
        await dying.__aenter__()
        pool = {"use": "pool", "endpoints": [http(left), http(dying)], "attempts": 2, "max_in_flight": 32}
        running = asyncio.ensure_future(asyncio.to_thread(run, recipe(home / "out", pool, 600)))
        while dying.stats()["answers"] < 40:
            await asyncio.sleep(0.005)
        await dying.__aexit__(None, None, None)
        result = await running
        assert (result.status, result.accepted) == ("complete", 600), result
        assert result.counts.failed == 0
        answered = left.stats()["answers"] + dying.stats()["answers"]
        assert answered == 600
        assert left.stats()["repeats"] == 0


async def test_per_endpoint_limits_over_real_connections_and_one_that_says_429() -> None:
    async with (
        Stub(slots=3, ttft=0.005, per_token=0) as narrow,
        Stub(faults="429=1.0", retry_after=0.2) as busy,
        Stub(slots=50, ttft=0.02, per_token=0) as wide,
    ):
        endpoints = [http(narrow, max_in_flight=3), http(busy, max_in_flight=8), http(wide, max_in_flight=10)]
        pool = Pool(endpoints=endpoints, attempts=3)
        async with pool.open() as backend:
            guard = Guard(backend, pool, rng=Random(1))
            replies = await asyncio.gather(*(guard.send(asking(f"p{i}"), seed=1) for i in range(400)))
        assert len(replies) == 400
        assert (narrow.stats()["peak_open"], wide.stats()["peak_open"]) == (3, 10)
        assert busy.stats()["peak_open"] <= 8
        assert busy.stats()["answers"] == 0
        assert busy.stats()["requests"] < 100
        assert guard.attempts == 400


async def test_a_wrong_key_at_one_endpoint_is_told_and_the_others_go_on() -> None:
    async with Stub(key="secret") as locked, Stub() as stub:
        pool = Pool(endpoints=[http(locked), http(stub)])
        heard: list[tuple[str, str]] = []
        async with pool.open() as backend:
            assert isinstance(backend, Balance)
            guard = Guard(backend, pool, rng=Random(1), on_event=lambda what, details: heard.append((what, str(details))))
            await asyncio.gather(*(guard.send(asking(f"p{i}"), seed=1) for i in range(20)))
        assert [what for what, _ in heard] == ["endpoint_lost"]
        assert locked.url in heard[0][1]
        async with Pool(endpoints=[http(locked)]).open() as backend:
            with pytest.raises(BackendFatal, match="refused"):
                await backend.send(asking("a"), seed=1)
