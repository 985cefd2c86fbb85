"""The shipped double: deterministic, honest about its faults, and held to the contract of every backend."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

import pytest
from contract import CHECKS, asking
from datalchemy.backends._guard import Guard
from datalchemy.backends._scripted_backend import key
from datalchemy.backends.scripted import Rule, Scripted
from datalchemy.core.backend import Reply, Request, Sampling
from datalchemy.core.endpoint import Endpoint
from datalchemy.core.errors import BackendFatal, CallError, RateLimited, RecipeError, Rejected
from datalchemy.core.plug import build
from pydantic import ValidationError


async def said(endpoint: Scripted, text: str, seed: int | None = 1) -> str:
    async with endpoint.open() as backend:
        return (await backend.send(asking(text, Sampling()), seed=seed))[0].text


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check) -> None:
    async with Scripted(mode="think").open() as backend:
        await check(backend)


async def test_rules_answer_before_the_file_and_the_mode(tmp_path: Path) -> None:
    lines = tmp_path / "script.jsonl"
    lines.write_text(json.dumps({"prompt": "two?", "reply": "from the file"}) + "\n")
    endpoint = Scripted(script=(Rule(match="one", reply="from a rule"),), file=str(lines), mode="upper")
    assert [await said(endpoint, text) for text in ("one?", "two?", "three?")] == ["from a rule", "from the file", "THREE?"]


async def test_a_script_without_a_mode_rejects_what_it_does_not_know() -> None:
    with pytest.raises(Rejected, match="no answer to 'three"):
        await said(Scripted(script=(Rule(match="one", reply="1"),)), "three?")


async def test_a_rule_makes_a_poison_prompt() -> None:
    endpoint = Scripted(script=(Rule(match="poison", fault="server_fault"),), mode="echo")
    assert await said(endpoint, "fine") == "fine"
    with pytest.raises(CallError, match="server_fault"):
        await said(endpoint, "poison")


async def test_modes() -> None:
    assert await said(Scripted(), "Hi") == "Hi"
    assert await said(Scripted(mode="upper"), "Hi") == "HI"
    assert await said(Scripted(mode="digest"), "Hi", 1) != await said(Scripted(mode="digest"), "Hi", 2)
    thought = await said(Scripted(mode="think"), "Hi")
    assert thought.startswith("<think>\n")
    assert "</think>" in thought and "\\boxed{" in thought


async def test_a_python_function_answers_and_stays_out_of_dumps() -> None:
    async def slowly(request: Request, seed: int | None) -> Reply:
        await asyncio.sleep(0)
        return Reply(text=f"{seed}", model="mine")

    endpoint = Scripted(name="mine", function=slowly)
    assert await said(endpoint, "Hi", 5) == "5"
    assert "function" not in endpoint.redacted()
    assert await said(Scripted(function=lambda request, seed: "plain"), "Hi") == "plain"


async def test_samples_differ_by_seed() -> None:
    async with Scripted(mode="digest").open() as backend:
        first, second = await backend.send(asking("Hi", Sampling()), seed=1, n=2)
        assert first.text != second.text


async def test_faults_are_drawn_for_each_attempt_and_replay_exactly() -> None:
    async def fates() -> list[str]:
        endpoint = Scripted(faults={"rate_limited": 0.3, "bad_json": 0.2}, fault_seed=11)
        seen = []
        async with endpoint.open() as backend:
            for _ in range(400):
                try:
                    await backend.send(asking("Hi"), seed=1)
                    seen.append("ok")
                except CallError as error:
                    seen.append(error.reason)
        return seen

    seen = await fates()
    assert seen == await fates()
    assert 0.22 < seen.count("rate_limited") / 400 < 0.38
    assert 0.13 < seen.count("bad_json") / 400 < 0.27


async def test_calls_are_counted_by_key_over_connections() -> None:
    endpoint = Scripted(faults={"disconnected": 0.5}, fault_seed=3)
    async with endpoint.open() as backend:
        guard = Guard(backend, endpoint, rng=Random(1), sleep=lambda s: asyncio.sleep(0))
        await guard.send(asking("Hi"), seed=1)
    async with endpoint.open() as backend:
        with pytest.raises(CallError):
            for _ in range(50):
                await backend.send(asking("other"), seed=1)
    mark = key(asking("Hi"), 1)
    assert endpoint.calls[mark] == 1 <= endpoint.attempts_by_key[mark]


async def test_a_fatal_fault_ends_the_run() -> None:
    with pytest.raises(BackendFatal):
        await said(Scripted(faults={"fatal": 1}), "Hi")
    with pytest.raises(RateLimited):
        await said(Scripted(faults={"rate_limited": 1}), "Hi")


async def test_can_narrows_what_it_claims() -> None:
    async with Scripted(can=("chat",)).open() as backend:
        assert backend.capabilities == {"chat"}


def test_bad_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no fault named 'rate_limit'; did you mean 'rate_limited'"):
        Scripted(faults={"rate_limit": 0.1})
    with pytest.raises(ValidationError, match="together at most 1"):
        Scripted(faults={"rate_limited": 0.6, "bad_json": 0.6})
    with pytest.raises(RecipeError, match="one object with `prompt` and `reply`"):
        Scripted(file=str(tmp_path / "missing.jsonl")).who()


def test_another_script_is_another_model() -> None:
    one, other = Scripted(script=(Rule(match="a", reply="b"),)), Scripted(script=(Rule(match="a", reply="c"),))
    assert one.who() != other.who() != Scripted().who()
    assert one.who() == Scripted(script=(Rule(match="a", reply="b"),), latency_s=1, faults={"bad_json": 0.1}).who()


def test_a_recipe_names_it() -> None:
    endpoint = build("backends", (Endpoint,), {"use": "scripted", "mode": "upper"})
    assert isinstance(endpoint, Scripted)
    assert endpoint.redacted()["use"] == "scripted"
