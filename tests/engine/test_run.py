"""Exactly N, the same data, nothing paid twice, nothing lost: runs against the scripted backend."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.backend import Reply, Request, Usage
from datalchemy.core.errors import DatalchemyError, RecipeError, ResumeError
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import arun, run
from datalchemy.engine.snapshot import Counts, Snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("home")


def balanced(counts: Counts) -> bool:
    return counts.accepted + counts.refused + counts.failed + counts.pending == counts.started and min(counts.model_dump().values()) >= 0


def test_the_plainest_job_gives_one_response_to_each_seed(kit: Any) -> None:
    result = kit.run(kit.recipe(seeds=20))
    assert result.status == "complete"
    assert result.exit_code == 0
    assert [row["messages"][0]["content"] for row in kit.dataset()] == [f"question {i}" for i in range(20)]
    assert len({row["id"] for row in kit.dataset()}) == 20


@pytest.mark.parametrize("target", [1, 7, 19, 20])
def test_exactly_n(kit: Any, target: int) -> None:
    result = kit.run(kit.recipe(seeds=20, target=target))
    assert (result.status, result.accepted) == ("complete", target)
    assert len(kit.dataset()) == target


def test_seeds_exhausted_is_not_done(kit: Any) -> None:
    result = kit.run(kit.recipe(seeds=20, target=21))
    assert (result.status, result.exit_code, result.accepted) == ("seeds_exhausted", 3, 20)
    assert len(kit.dataset()) == 20


def half_answers(request: Request, seed: int | None) -> str:
    """A long answer for every other question, decided by the question alone."""
    text = str(request.messages[-1]["content"])
    return "long enough" if random.Random(text).random() < 0.5 else "short"


async def _shuffled(request: Request, seed: int | None) -> str:
    await asyncio.sleep(random.random() * 0.01)  # unseeded on purpose: arrival order must not matter
    return half_answers(request, seed)


async def _scattered(request: Request, seed: int | None) -> str:
    await asyncio.sleep(random.random() * 0.2)  # wider than a commit and a busy machine's pauses, which would line answers up
    return half_answers(request, seed)


LONG_ENOUGH = {"use": "length", "answer": {"min_chars": 8}}


def test_same_recipe_same_data_at_any_concurrency(kit: Any, tmp_path: Path, fresh_home: Any) -> None:
    """P5: ids, order and content do not depend on concurrency or on the order of arrival."""
    seen = []
    for concurrency in (1, 8, 64):
        fresh_home()
        out = tmp_path / f"out{concurrency}"
        recipe = kit.recipe(
            seeds=200,
            out=out,
            target=60,
            filters=[LONG_ENOUGH, "exact"],
            teacher={"function": _shuffled, "max_in_flight": concurrency},
            generate=[{"use": "answer", "model": "teacher", "samples": 2}],
        )
        result = kit.run(recipe)
        seen.append([(row["id"], row["messages"]) for row in kit.dataset(out)])
        assert balanced(result.counts)
    assert seen[0] == seen[1] == seen[2]


def test_arrival_order_is_caught_by_the_same_check(kit: Any, tmp_path: Path, fresh_home: Any) -> None:
    """Control of the test above: with `order: arrival` the data does depend on timing."""
    seen = set()
    for attempt in range(4):
        fresh_home()
        out = tmp_path / f"out{attempt}"
        recipe = kit.recipe(
            seeds=300,
            out=out,
            target=80,
            filters=[LONG_ENOUGH],
            teacher={"function": _scattered, "max_in_flight": 64},
            output={"dir": str(out), "order": "arrival"},
        )
        assert kit.run(recipe).accepted == 80
        seen.add(tuple(row["id"] for row in kit.dataset(out)))
    assert len(seen) > 1


def test_a_second_run_pays_nothing(kit: Any, tmp_path: Path) -> None:
    """Never pay twice, across runs: another OUT, another filter, a higher target."""
    first = kit.recipe(seeds=30, target=10)
    kit.run(first)
    paid = sum(kit.calls(first).values())
    other = kit.recipe(seeds=30, target=10, out=tmp_path / "other", filters=["exact"])
    result = kit.run(other)
    assert sum(kit.calls(other).values()) == 0
    assert result.spent.reused == paid
    more = kit.recipe(seeds=30, target=25)
    result = kit.run(more)
    assert result.accepted == 25
    assert sum(kit.calls(more).values()) == 25 - paid


def test_equal_seeds_are_told_apart(kit: Any) -> None:
    recipe = kit.recipe()
    recipe = Recipe.build({**recipe.model_dump(mode="json"), "seeds": {"inline": ["same", "same", "same"]}})
    kit.run(recipe)
    rows = kit.dataset()
    assert len({row["id"] for row in rows}) == 3
    assert len({row["messages"][-1]["content"] for row in rows}) == 3, "equal seeds must be sampled with different call seeds"


def test_equal_calls_of_one_process_are_asked_once(kit: Any) -> None:
    """Two strategies' worth of the same call in flight at once share one answer."""
    asked: Counter[str] = Counter()

    async def slow(request: Request, seed: int | None) -> str:
        asked[str(request.messages[-1]["content"])] += 1
        await asyncio.sleep(0.05)
        return "answer"

    async def both() -> None:
        from datalchemy.backends._guard import Guard
        from datalchemy.backends.scripted import Scripted
        from datalchemy.engine.asking import Asker
        from datalchemy.engine.budget import Budget, Purse
        from datalchemy.engine.recipe import Reuse
        from datalchemy.engine.store import ResponseStore

        endpoint = Scripted(function=slow)
        async with ResponseStore() as store, endpoint.open() as backend:
            guard = Guard(backend, endpoint, rng=random.Random(1))
            asker = Asker("t", endpoint, guard, store, Purse(Budget()), reuse=Reuse(), run_started=0, before={})
            request = Request(kind="chat", messages=({"role": "user", "content": "q"},))
            replies = await asyncio.gather(*[asker.ask(request, b"12345678") for _ in range(5)])
            assert {reply.key for reply in replies} == {replies[0].key}

    asyncio.run(both())
    assert asked == {"q": 1}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.fixed_dictionaries({"server_fault": st.floats(0, 0.2), "bad_json": st.floats(0, 0.2), "rejected": st.floats(0, 0.2)}),
    fault_seed=st.integers(0, 10**6),
    target=st.one_of(st.none(), st.integers(1, 40)),
    stages=st.integers(1, 2),
    samples=st.integers(1, 3),
    concurrency=st.sampled_from([1, 4, 32]),
)
def test_nothing_disappears(
    kit: Any,
    fresh_home: Any,
    tmp_path: Path,
    faults: dict[str, float],
    fault_seed: int,
    target: int | None,
    stages: int,
    samples: int,
    concurrency: int,
) -> None:
    """accepted + refused + failed + pending = started, in every snapshot and at the end, under faults."""
    fresh_home()
    out = tmp_path / f"out{random.random()}"
    generate = [{"use": "answer", "model": "teacher", "samples": samples}, {"use": "answer", "model": "teacher", "source": "response"}][
        :stages
    ]
    recipe = kit.recipe(
        seeds=25,
        out=out,
        target=target,
        generate=generate,
        filters=[LONG_ENOUGH, "exact"],
        teacher={"faults": faults, "fault_seed": fault_seed, "attempts": 2, "max_in_flight": concurrency, "function": half_answers},
    )
    seen: list[Snapshot] = []
    result = kit.run(recipe, watch=seen.append)
    for snapshot in seen:
        assert all(balanced(counts) for counts in snapshot.stages.values())
    for counts in result.stages.values():
        assert balanced(counts)
        assert counts.pending == 0
    rows = kit.rows(out=out)
    by_stage = Counter((row.stage, row.status) for row in rows)
    for number, counts in enumerate(result.stages.values()):
        assert [by_stage[number, status] for status in ("accepted", "refused", "failed")] == [
            counts.accepted,
            counts.refused,
            counts.failed,
        ]
    assert all(row.reason for row in rows if row.status != "accepted"), "every refusal and failure says why"
    assert len({row.path for row in rows}) == len(rows)


def test_a_poisoned_prompt_fails_alone(kit: Any) -> None:
    result = kit.run(kit.recipe(seeds=50, teacher={"script": [{"match": "question 13", "fault": "rejected"}], "mode": "digest"}))
    assert (result.status, result.exit_code, result.accepted) == ("complete", 0, 49)
    (failed,) = kit.rows("failed")
    assert failed.reason == "rejected"
    assert b"scripted fault" in failed.note


def test_a_fatal_backend_stops_the_run_and_marks_nothing_failed(kit: Any) -> None:
    result = kit.run(
        kit.recipe(seeds=50, teacher={"script": [{"match": "question 13", "fault": "fatal"}], "mode": "digest", "max_in_flight": 4})
    )
    assert (result.status, result.exit_code) == ("backend", 5)
    assert result.counts.failed == 0
    assert kit.rows("failed") == []
    healed = kit.run(kit.recipe(seeds=50, teacher={"mode": "digest"}))
    assert healed.accepted == 50


def test_two_stages_seed_each_other_and_keep_lineage(kit: Any) -> None:
    generate = [{"use": "answer", "model": "teacher", "samples": 2}, {"use": "answer", "model": "teacher", "source": "response"}]
    result = kit.run(kit.recipe(seeds=5, generate=generate))
    assert result.stages["1 answer"].accepted == 10
    assert result.counts.accepted == 10
    from datalchemy.core.record import Record

    stages = {row.id: row for row in kit.rows()}
    for row in kit.rows("accepted"):
        if row.stage == 1:
            record = Record.load(row.body)
            assert [step.by for step in record.lineage] == ["answer", "answer"]
            assert record.lineage[-1].parent in stages


def test_a_mix_gives_each_strategy_its_share(kit: Any) -> None:
    mix = [{"use": "answer", "model": "teacher", "share": 3}, {"use": "cot", "model": "teacher", "rollouts": 1, "share": 1}]
    kit.run(kit.recipe(seeds=400, generate=[{"mix": mix}]))
    shares = Counter(row.strategy for row in kit.rows())
    assert 0.68 < shares["answer"] / 400 < 0.82
    assert set(shares) == {"answer", "cot"}


def test_refused_seeds_are_not_paid_for(kit: Any) -> None:
    recipe = kit.recipe(seeds=1)
    recipe = Recipe.build({**recipe.model_dump(mode="json"), "seeds": {"inline": ["a", "b", "a", "a"], "filters": ["exact"]}})
    result = kit.run(recipe)
    assert result.stages["seeds"].refused == 2
    assert result.accepted == 2
    assert sum(kit.calls(recipe).values()) == 2


def test_rows_that_give_no_seed_are_failed_candidates(kit: Any, tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"prompt": "fine"}\nnot json\n{"prompt": "also fine"}\n')
    recipe = kit.recipe(seeds=1)
    recipe = Recipe.build({**recipe.model_dump(mode="json"), "seeds": {"path": str(tmp_path / "seeds.jsonl")}})
    result = kit.run(recipe)
    assert (result.accepted, result.counts.failed) == (2, 1)
    assert "seeds.jsonl" in kit.rows("failed")[0].reason


def test_token_budget_is_never_passed(kit: Any) -> None:
    """Each request reserves its most before it is sent; prompts are 10-11 bytes, answers 16 tokens."""
    recipe = kit.recipe(
        seeds=500, budget={"tokens": 3000}, teacher={"mode": "digest", "sampling": {"max_tokens": 100}, "max_in_flight": 32}
    )
    result = kit.run(recipe)
    assert (result.status, result.exit_code) == ("budget", 3)
    used = result.spent.prompt_tokens + result.spent.completion_tokens
    assert 3000 - 150 < used <= 3000
    assert result.accepted == len(kit.dataset()) > 0
    again = kit.run(kit.recipe(seeds=500, budget={"tokens": 6000}, teacher={"mode": "digest", "sampling": {"max_tokens": 100}}))
    assert again.accepted > result.accepted, "a raised budget goes on with the same run"
    assert again.spent.prompt_tokens + again.spent.completion_tokens <= 6000


def test_candidate_budget(kit: Any) -> None:
    result = kit.run(kit.recipe(seeds=500, budget={"candidates": 37}))
    assert result.status == "budget"
    assert result.counts.started <= 37


def test_dollars_need_a_price(kit: Any) -> None:
    with pytest.raises(RecipeError, match=r"models\.teacher\.price"):
        kit.recipe(budget={"dollars": 1})


def test_resume_require_names_what_differs(kit: Any) -> None:
    """P4."""
    kit.run(kit.recipe(seeds=5))
    changed = kit.recipe(seeds=5, teacher={"sampling": {"temperature": 0.5}})
    with pytest.raises(ResumeError, match=r"models\.teacher") as caught:
        kit.run(changed, resume="require")
    assert caught.value.exit_code == 2
    kit.run(kit.recipe(seeds=5, target=3), resume="require")  # target is no part of the fingerprint


def test_another_run_is_kept_beside(kit: Any, tmp_path: Path) -> None:
    kit.run(kit.recipe(seeds=5))
    old = kit.dataset()
    kit.run(kit.recipe(seeds=5, filters=["exact"]))
    assert kit.dataset(tmp_path / "out.1") == old
    kit.run(kit.recipe(seeds=5, filters=["exact"]), resume="never")
    assert (tmp_path / "out.2" / "manifest.json").exists()


def test_a_drained_run_goes_on_to_the_same_data(kit: Any, tmp_path: Path, fresh_home: Any) -> None:
    """Interruptions decide nothing: the same set as without them, and nothing asked again."""
    whole = kit.recipe(
        seeds=120, out=tmp_path / "whole", target=40, filters=[LONG_ENOUGH, "exact"], teacher={"function": half_answers, "max_in_flight": 4}
    )
    kit.run(whole)
    fresh_home()
    asked: Counter[str] = Counter()

    async def counted(request: Request, seed: int | None) -> str:
        asked[f"{request.messages[-1]['content']}|{seed}"] += 1
        await asyncio.sleep(0.002)
        return half_answers(request, seed)

    def broken() -> Recipe:
        return kit.recipe(seeds=120, target=40, filters=[LONG_ENOUGH, "exact"], teacher={"function": counted, "max_in_flight": 4})

    async def for_a_moment() -> str:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.02, stop.set)
        return (await arun(broken(), stop=stop)).status

    statuses = [asyncio.run(for_a_moment()) for _ in range(3)]
    assert "interrupted" in statuses
    assert kit.run(broken()).status == "complete"
    assert max(asked.values()) == 1
    assert [row["id"] for row in kit.dataset()] == [row["id"] for row in kit.dataset(tmp_path / "whole")]


def test_cancelling_keeps_what_was_paid(kit: Any) -> None:
    asked: Counter[str] = Counter()

    async def counted(request: Request, seed: int | None) -> str:
        await asyncio.sleep(0.01)
        asked[str(request.messages[-1]["content"])] += 1
        return "answer"

    async def cancelled() -> None:
        task = asyncio.create_task(arun(kit.recipe(seeds=60, teacher={"function": counted, "max_in_flight": 4})))
        await asyncio.sleep(0.15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert 0 < len(asked) < 60
    result = kit.run(kit.recipe(seeds=60, teacher={"function": counted, "max_in_flight": 4}))
    assert result.accepted == 60
    assert sum(n > 1 for n in asked.values()) <= 4, "only what was in flight or not yet committed is asked again"


def test_failed_records_can_be_tried_again(kit: Any) -> None:
    down = {"script": [{"match": "question 1", "fault": "rejected"}], "mode": "digest", "identity": "m"}
    assert kit.run(kit.recipe(seeds=20, teacher=down)).counts.failed == 11
    up = {"mode": "digest", "identity": "m"}
    assert kit.run(kit.recipe(seeds=20, teacher=up)).counts.failed == 11
    result = kit.run(kit.recipe(seeds=20, teacher=up), retry_failed=True)
    assert (result.accepted, result.counts.failed, result.counts.started) == (20, 0, 20)


def test_cut_answers_pause_the_run_and_name_the_setting(kit: Any) -> None:
    recipe = kit.recipe(seeds=200, teacher={"mode": "echo", "sampling": {"max_tokens": 3}}, checks={"sample": 20})
    result = kit.run(recipe)
    assert (result.status, result.exit_code) == ("paused", 2)
    assert "models.teacher.sampling.max_tokens" in result.message
    assert result.counts.started < 200


@pytest.mark.parametrize("filters", [[], ["think_format"]])
def test_cut_thinking_pauses_a_reasoning_run_too(kit: Any, filters: list[str]) -> None:
    generate = [{"use": "cot", "model": "teacher", "rollouts": 1, "verify": None}]
    recipe = kit.recipe(
        seeds=200, generate=generate, filters=filters, teacher={"mode": "think", "sampling": {"max_tokens": 12}}, checks={"sample": 20}
    )
    result = kit.run(recipe)
    assert (result.status, result.exit_code) == ("paused", 2)
    assert "models.teacher.sampling.max_tokens" in result.message


def test_missing_reasoning_pauses_the_run(kit: Any) -> None:
    generate = [{"use": "cot", "model": "teacher", "rollouts": 1}]
    recipe = kit.recipe(seeds=200, generate=generate, filters=["think_format"], teacher={"mode": "digest"}, checks={"sample": 20})
    result = kit.run(recipe)
    assert (result.status, result.exit_code) == ("paused", 2)
    assert "no reasoning" in result.message


def test_nothing_is_spent_on_a_bad_recipe(kit: Any) -> None:
    for fields, words in [
        ({"generate": [{"use": "answer", "model": "teecher"}]}, "did you mean 'teacher'"),
        ({"generate": [{"use": "answr", "model": "teacher"}]}, "did you mean 'answer'"),
        ({"filters": [{"use": "exact", "bye": "prompt"}]}, "bye"),
        ({"generate": [{"use": "magpie", "model": "teacher"}], "seeds": None}, "target"),
        ({"generate": [{"use": "magpie", "model": "teacher"}], "teacher": {"can": ["chat"]}}, None),
    ]:
        teacher = fields.pop("teacher", None)
        if words is None:
            continue
        with pytest.raises(RecipeError, match=words):
            kit.recipe(teacher=teacher, **fields) if fields.get("seeds", 1) is not None else Recipe.build(
                {**kit.recipe().model_dump(mode="json"), **fields}
            )


def test_works_inside_a_running_loop(kit: Any) -> None:
    async def notebook() -> int:
        return run(kit.recipe(seeds=3)).accepted

    assert asyncio.run(notebook()) == 3


def test_a_strategy_that_raises_loses_no_paid_answer(kit: Any) -> None:
    """The answer is in the store before the strategy sees it: a parser bug costs a record, not the money."""

    def odd(request: Request, seed: int | None) -> Reply:
        return Reply(text="", usage=Usage(prompt_tokens=1, completion_tokens=1))

    recipe = kit.recipe(seeds=4, teacher={"function": odd})
    result = kit.run(recipe)
    assert result.counts.refused == 4
    assert result.status == "complete"
    again = kit.recipe(seeds=4, teacher={"function": odd}, filters=["exact"])
    kit.run(again)
    assert sum(kit.calls(again).values()) == 0


def test_one_out_has_one_writer(kit: Any) -> None:
    async def second() -> None:
        async def slow(request: Request, seed: int | None) -> str:
            await asyncio.sleep(0.3)
            return "answer"

        first = asyncio.create_task(arun(kit.recipe(seeds=2, teacher={"function": slow})))
        await asyncio.sleep(0.1)
        with pytest.raises(DatalchemyError, match="another process"):
            await arun(kit.recipe(seeds=2))
        await first

    asyncio.run(second())


def test_a_set_that_misses_a_threshold_is_written_and_ends_with_four(kit: Any) -> None:
    recipe = kit.recipe(seeds=40, filters=[LONG_ENOUGH], teacher={"function": half_answers}, accept={"acceptance_rate": {"min": 0.9}})
    result = kit.run(recipe)
    assert (result.status, result.exit_code) == ("accept", 4)
    assert "acceptance_rate" in result.message
    assert len(kit.dataset()) == result.accepted > 0
    fine = kit.recipe(
        seeds=40, filters=[LONG_ENOUGH], teacher={"function": half_answers}, accept={"acceptance_rate": {"min": 0.1, "max": 0.9}}
    )
    assert kit.run(fine).exit_code == 0


def test_a_verdict_given_while_generating_is_not_asked_for_again(kit: Any) -> None:
    """Strategies judge with the recipe's own filters; the same record is not judged twice."""
    from datalchemy.core.part import Check
    from datalchemy.core.record import Record, Verdict

    judged: Counter[str] = Counter()

    class Counting(Check):
        def check(self, record: Record) -> Verdict:
            judged[str(record.lineage[-1].keys)] += 1
            return self.kept(score=1.0)

    generate = [{"use": "cot", "model": "teacher", "rollouts": 2, "verify": Counting.part_name()}]
    result = kit.run(kit.recipe(seeds=5, generate=generate, filters=[Counting()], teacher={"mode": "think"}))
    assert result.accepted == 5
    assert max(judged.values()) == 1


def test_a_killed_run_fills_its_gaps_before_it_counts(kit: Any, tmp_path: Path, fresh_home: Any) -> None:
    """Later seeds were accepted, earlier ones were in flight when the process was killed: the first N are still the first N."""
    whole = kit.recipe(seeds=30, target=10, out=tmp_path / "whole")
    kit.run(whole)
    kit.run(kit.recipe(seeds=30, target=25))
    import sqlite3

    ledger = sqlite3.connect(kit.out / ".run" / "ledger.db")
    ledger.execute("DELETE FROM candidates WHERE path < ?", (bytes([0, 0, 0, 0, 7]),))  # seeds 0-6 never settled
    ledger.commit()
    ledger.close()
    result = kit.run(kit.recipe(seeds=30, target=10))
    assert result.accepted == 10
    assert [row["id"] for row in kit.dataset()] == [row["id"] for row in kit.dataset(tmp_path / "whole")]


@pytest.mark.parametrize("tokens", [400, 900])
def test_a_budget_that_ends_in_a_line_neither_hangs_nor_changes_the_data(kit: Any, tmp_path: Path, fresh_home: Any, tokens: int) -> None:
    """An ordered filter, and seeds given up for want of budget: those behind them wait for another day, in order."""
    teacher = {"function": half_answers, "sampling": {"max_tokens": 30}, "max_in_flight": 16}
    generate = [{"use": "answer", "model": "teacher", "samples": 2}]
    whole = kit.recipe(seeds=60, out=tmp_path / "whole", generate=generate, teacher=teacher, filters=["exact"])
    kit.run(whole)
    fresh_home()
    first = kit.run(kit.recipe(seeds=60, generate=generate, teacher=teacher, filters=["exact"], budget={"tokens": tokens}))
    assert first.status == "budget"
    assert balanced(first.counts)
    second = kit.run(kit.recipe(seeds=60, generate=generate, teacher=teacher, filters=["exact"]))
    assert second.status == "complete"
    assert [row["id"] for row in kit.dataset()] == [row["id"] for row in kit.dataset(tmp_path / "whole")]
