from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import Record
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.eval.pattern import LONGEST_PATTERN, Pattern
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]
Reply = Callable[..., Record]


async def said(judge: Judge, record: Record, **settings: Any) -> str:
    (verdict,) = await judge(Pattern.model_validate(settings), [record])
    return verdict.reason or verdict.outcome


async def test_patterns_that_must_and_must_not_be_there(judge: Judge, reply: Reply) -> None:
    record = reply("The answer is \\boxed{7}.", reasoning="TODO: check")
    assert await said(judge, record, must_match=[r"\\boxed\{\d+\}"]) == "keep"
    assert await said(judge, record, must_match=["answer", "sum"]) == "missing_pattern: sum is not in the answer"
    assert await said(judge, record, must_not_match=["TODO"]) == "keep"
    assert await said(judge, record, must_not_match=["TO.O"], parts=["reasoning"]) == "unwanted_pattern: TO.O in the reasoning: TODO"
    assert (await said(judge, record, must_not_match=["todo"], parts=["reasoning"], ignore_case=True)).startswith("unwanted_pattern")
    assert await said(judge, reply(" yes\n"), must_match=["yes|no"], whole=True) == "keep"
    assert (await said(judge, reply("yes, it is"), must_match=["yes|no"], whole=True)).startswith("missing_pattern")


async def test_every_part_is_judged_and_a_missing_one_is_not(judge: Judge, reply: Reply) -> None:
    both = {"must_match": ["7"], "parts": ["reasoning", "answer"]}
    assert await said(judge, reply("7", reasoning="six"), **both) == "missing_pattern: 7 is not in the reasoning"
    assert await said(judge, reply("7"), **both) == "keep"
    assert (await said(judge, reply(""), must_match=["7"])).startswith("no_text: ")


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(a|a)*$", r"(.*)*x", r"(x+x+)+y", r"([a-z]+)*1"])
async def test_catastrophic_patterns_are_harmless(judge: Judge, reply: Reply, pattern: str) -> None:
    """In `re`, 28 letters already take minutes: this test would not end."""
    text = "a" * 300_000 + "!"
    assert (await said(judge, reply(text), must_match=[pattern])).startswith(("missing_pattern: ", "keep"))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(?=a)b", "look-around"),
        (r"(?!a)b", "look-around"),
        (r"(?<=a)b", "look-around"),
        (r"(?<!a)b", "look-around"),
        (r"(a)\1", "back-references"),
        (r"(", "missing"),
        (r"[z-a]", "range"),
        (r"a" * (LONGEST_PATTERN + 1), "characters"),
        (r"(\pL{1000}){1000}", "cannot be used"),
    ],
)
def test_what_re2_cannot_run_is_a_mistake_in_the_recipe(pattern: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        FilterRecipe.build({"filters": [{"use": "pattern", "must_match": [pattern]}]})


def test_nothing_to_look_for_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="nothing to look for"):
        Pattern()


async def test_a_text_beyond_the_cap_is_refused_unread(judge: Judge, reply: Reply) -> None:
    assert (await said(judge, reply("7" * 11), must_match=["7"], max_chars=10)).startswith("too_long: 11 characters")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), st.sampled_from(["a", "", "^$", "\\d+", "é", "(?i)x", "."]))
async def test_any_text_gets_a_verdict(judge: Judge, reply: Reply, text: str, pattern: str) -> None:
    for part in (text, text + "\ud800\x00"):
        assert (await said(judge, reply(part), must_match=[pattern])).startswith(("keep", "missing_pattern", "no_text"))
