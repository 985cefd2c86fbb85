from __future__ import annotations

from collections.abc import Callable

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.record import Conversation, Message, Record, Step
from datalchemy.core.think import split
from datalchemy.eval.think_format import ThinkFormat
from hypothesis import example, given
from hypothesis import strategies as st

PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<THINK>", "a", " ", "\n", "\\boxed{7}", "\\boxed{", "```", "é"]) | st.text(max_size=5)
)


def word(record: Record, **settings: object) -> str:
    verdict = ThinkFormat.model_validate(settings).check(record)
    return verdict.reason.partition(":")[0] or verdict.outcome


@pytest.mark.parametrize(
    ("reasoning", "text", "expected"),
    [
        ("So it is 7.", "The answer is 7.", "keep"),
        ("So it is 7.", "", "empty_answer"),
        (" \n", "7", "empty_thinking"),
        ("a", "7 <think> again </think> 8", "several_thinking_blocks"),
        ("a", "7 </think>", "tag_in_answer"),
        ("a <think> b", "7", "several_thinking_blocks"),
        (None, "<think>So it is 7.</think>\nThe answer is 7.", "keep"),
        (None, "So it is 7.</think>The answer is 7.", "keep"),
        (None, "The answer is 7.", "no_thinking"),
        (None, "", "no_thinking"),
        (None, "<think>So it is 7. The answer is 7.", "unclosed_thinking"),
        (None, "<think></think>7", "empty_thinking"),
        (None, "<think>a</think>", "empty_answer"),
        (None, "<think>a</think>7<think>b</think>8", "several_thinking_blocks"),
        (None, "<think>a<think>b</think>7", "several_thinking_blocks"),
        (None, "<think>a</think>7 `</think>`", "tag_in_answer"),
        (None, "Sure! <think>a</think>7", "text_before_thinking"),
    ],
)
def test_the_shape_of_a_reply(reply: Callable[..., Record], reasoning: str | None, text: str, expected: str) -> None:
    assert word(reply(text, reasoning=reasoning)) == expected


def test_a_cut_reply_is_refused_even_where_it_looks_whole(reply: Callable[..., Record]) -> None:
    whole = reply("7", reasoning="a", labels={"finish_reason": "stop"})
    assert word(whole) == "keep"
    assert word(reply("7", reasoning="a", labels={"finish_reason": "length"})) == "truncated"
    step = Step(by="cot", parent="x", detail={"finish_reason": "length"})
    assert word(reply("7", reasoning="a", lineage=(step,))) == "truncated"


def test_a_column_of_a_rollout_counts_and_that_of_a_seed_does_not(reply: Callable[..., Record]) -> None:
    column = {"finish_reason": "length"}
    assert word(reply("7", reasoning="a", fields=column)) == "truncated"
    assert word(reply("7", reasoning="a", fields=column, lineage=(Step(by="clean", parent="x"),))) == "truncated"
    assert word(reply("7", reasoning="a", fields=column, lineage=(Step(by="cot", parent="x", model="m"),))) == "keep"
    assert word(reply("7", reasoning="a", fields=column, labels={"finish_reason": "stop"})) == "keep"


def test_bounds_and_boxes(reply: Callable[..., Record]) -> None:
    assert word(reply("7", reasoning="short"), min_chars=6) == "short_thinking"
    assert word(reply("7", reasoning="short"), min_chars=5, max_chars=5) == "keep"
    assert word(reply("7", reasoning="longer"), max_chars=5) == "long_thinking"
    assert word(reply("7", reasoning="\\boxed{7}"), require_boxed=True) == "no_boxed"
    assert word(reply("\\boxed{7", reasoning="a"), require_boxed=True) == "no_boxed"
    assert word(reply("\\boxed{\\frac{1}{2}}", reasoning="a"), require_boxed=True) == "keep"


def test_thinking_may_be_left_out_where_that_is_asked_for(reply: Callable[..., Record]) -> None:
    """Qwen3 without thinking writes a closed block with nothing in it, and is trained on that."""
    empty = "<think>\n\n</think>\n\n7"
    assert word(reply(empty)) == "empty_thinking"
    assert word(reply(empty), allow_empty=True, min_chars=5) == "keep"
    assert word(reply("7", reasoning=""), allow_empty=True) == "keep"
    assert word(reply("7"), allow_empty=True) == "no_thinking"
    assert word(reply("<think></think>"), allow_empty=True) == "empty_answer"
    assert word(reply("<think>abc</think>7"), allow_empty=True, min_chars=5) == "short_thinking"


def test_the_answer_begins_at_the_first_closing_tag(reply: Callable[..., Record]) -> None:
    """A closing tag quoted while thinking must not hand the rest of the thinking over as the answer."""
    assert word(reply("<think>I close with </think> at the end. So: 7</think>8")) == "tag_in_answer"


def test_only_the_last_turn_counts() -> None:
    turns = (Message(role="user", content="q"), Message(role="assistant", content="<think>a"), Message(role="user", content="and?"))
    assert word(Record(content=Conversation(messages=turns))) == "no_response"
    last = Message(role="assistant", content="7", reasoning="a")
    assert word(Record(content=Conversation(messages=(*turns, last)))) == "keep"


@given(PIECES.map("".join), st.none() | PIECES.map("".join))
@example("</think>", None)
def test_any_text_gets_a_verdict(text: str, reasoning: str | None) -> None:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text, reasoning=reasoning),)))
    assert word(record) in {
        "keep", "no_thinking", "unclosed_thinking", "empty_thinking", "empty_answer", "several_thinking_blocks", "tag_in_answer",
        "text_before_thinking",
    }  # fmt: skip


@given(PIECES.map("".join))
def test_what_is_kept_is_what_strategies_store_apart(text: str) -> None:
    """A raw text that is kept has the same thinking and answer as `core.think.split` finds, and is kept when stored apart too."""
    raw = Record(content=Conversation(messages=(Message(role="assistant", content=text),)))
    if word(raw) == "keep" and "<THINK>" not in text:
        thought = split(Reply(text=text))
        assert thought.closed
        assert thought.reasoning
        apart = Message(role="assistant", content=thought.answer, reasoning=thought.reasoning)
        assert word(Record(content=Conversation(messages=(apart,)))) == "keep"
