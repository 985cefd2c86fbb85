"""A target with shares: exactly so many of each kind, whatever the order in which they come."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from datalchemy.core.backend import Request
from datalchemy.core.errors import RecipeError
from datalchemy.core.part import Filter, Tools
from datalchemy.core.record import Record, Verdict
from datalchemy.engine.quota import Picking, Quota, tallied
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.shares import Shares
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

TOPICS = ("math", "code", "law")
HALF = {"use": "length", "answer": {"min_chars": 8}}


async def half_answers(request: Request, seed: int | None) -> str:
    """A long answer for every other question, in no order."""
    text = str(request.messages[-1]["content"])
    await asyncio.sleep(random.random() * 0.01)
    return f"long enough {text[-1]}" if random.Random(text).random() < 0.5 else "short"


SHARED = {"total": 20, "by": "topic", "shares": {"math": 0.5, "code": 0.3, "law": 0.2}}


def recipe(kit: Any, seeds: int = 300, **fields: Any) -> Recipe:
    """Questions that have their topic as a column, of which about half are refused."""
    inline = [{"prompt": f"question {i}", "topic": TOPICS[i % 3]} for i in range(seeds)]
    made: Recipe = kit.recipe(
        seeds={"inline": inline},
        **{"target": SHARED, "filters": [HALF], **fields, "teacher": {"function": half_answers, **fields.get("teacher", {})}},
    )
    return made


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["messages"][0]["content"].split()[-1]) for row in rows]


def first_of_each(kit: Any, made: Recipe) -> list[int]:
    """What the data set must be: the first accepted of each topic in seed order, told by a run without a target."""
    everything = Recipe.build({**made.model_dump(exclude={"models"}), "models": made.models, "target": None, "shares": None})
    kit.run(everything.model_copy(update={"output": made.output.model_copy(update={"dir": kit.out / "all"})}))
    accepted = numbers(kit.dataset(kit.out / "all"))
    return sorted(i for topic, n in (("math", 10), ("code", 6), ("law", 4)) for i in [i for i in accepted if TOPICS[i % 3] == topic][:n])


@given(st.dictionaries(st.text(min_size=1), st.floats(0.001, 1000), min_size=1, max_size=8), st.integers(1, 10_000))
def test_the_numbers_add_up_and_are_next_to_their_share(shares: dict[str, float], total: int) -> None:
    counts = Shares(by="topic", shares=shares).counts(total)
    assert sum(counts.values()) == total
    for kind, share in shares.items():
        assert abs(counts[kind] - total * share / sum(shares.values())) < 1


@pytest.mark.parametrize("share", [0, -1, math.inf, math.nan, 1e308])
def test_shares_that_are_none_are_refused(share: float) -> None:
    with pytest.raises(ValidationError):
        Shares(by="topic", shares={"a": 1, "b": share})


@given(st.lists(st.sampled_from(["a", "b", "c", None])), st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 5), min_size=1))
def test_the_first_of_each_kind_are_taken(kinds: list[str | None], wanted: dict[str, int]) -> None:
    quota = Quota(wanted, "topic")
    picking = Picking(quota)
    labels: list[Mapping[str, Any]] = [{"topic": kind} if kind else {} for kind in kinds]
    taken = [kind for kind, one in zip(kinds, labels, strict=True) if picking.takes(one, {})]
    for kind, number in wanted.items():
        assert taken.count(kind) == min(number, kinds.count(kind))
    assert set(taken) <= set(wanted)
    assert quota.filled(tallied(quota, ((one, {}) for one in labels))) == len(taken)


@pytest.mark.parametrize("concurrency", [1, 7, 64])
def test_exactly_so_many_of_each_topic(kit: Any, concurrency: int) -> None:
    made = recipe(kit, teacher={"max_in_flight": concurrency})
    result = kit.run(made)
    assert (result.status, result.accepted) == ("complete", 20)
    assert Counter(TOPICS[i % 3] for i in numbers(kit.dataset())) == {"math": 10, "code": 6, "law": 4}
    assert sorted(numbers(kit.dataset())) == first_of_each(kit, made)


def test_a_raised_total_goes_on(kit: Any) -> None:
    kit.run(recipe(kit, target={**SHARED, "total": 8}))
    before = sum(kit.run(recipe(kit, target={**SHARED, "total": 8})).counts.model_dump().values())
    result = kit.run(made := recipe(kit))
    assert (result.status, result.accepted) == ("complete", 20)
    assert sum(result.counts.model_dump().values()) > before
    assert sorted(numbers(kit.dataset())) == first_of_each(kit, made)


class LawOnly(Filter):
    """A closing filter that refuses every other record about law."""

    closing = True

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncIterator[Callable[[Sequence[Record]], Any]]:  # type: ignore[override]
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            law = [record.fields["topic"] == "law" and int(record.prompt.split()[-1]) % 2 for record in records]
            return [Verdict(by="law", outcome="refuse" if odd else "keep", reason="odd: it is" if odd else "") for odd in law]

        yield judge


def test_a_closing_filter_makes_room_in_its_own_kind(kit: Any) -> None:
    assert kit.run(recipe(kit, filters=[HALF, LawOnly()])).accepted == 20
    assert Counter(TOPICS[i % 3] for i in numbers(kit.dataset())) == {"math": 10, "code": 6, "law": 4}


def test_a_kind_that_runs_out_is_named_by_the_status(kit: Any) -> None:
    result = kit.run(recipe(kit, seeds=30))
    assert result.status == "seeds_exhausted"
    assert 0 < result.accepted < 20
    counts = Counter(TOPICS[i % 3] for i in numbers(kit.dataset()))
    assert all(counts[topic] <= most for topic, most in (("math", 10), ("code", 6), ("law", 4)))


@pytest.mark.parametrize(
    "target", [{"total": 5}, {"total": 5, "by": "topic", "shares": {}}, {"total": 5, "by": "topic", "shares": {"a": 0}}]
)
def test_a_target_that_is_no_target_is_refused(kit: Any, target: Any) -> None:
    with pytest.raises(RecipeError, match="shares"):
        recipe(kit, target=target)


def test_the_order_of_arrival_has_no_first_of_each_kind(kit: Any) -> None:
    with pytest.raises(RecipeError, match=r"output\.order"):
        recipe(kit, output={"dir": str(kit.out), "order": "arrival"})
