from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.record import Conversation, Media, Message, Record, ToolCall, user
from datalchemy.eval.length import Length
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


def reason(record: Record, **settings: object) -> str:
    verdict = Length.model_validate(settings).check(record)
    return verdict.reason or verdict.outcome


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "keep"),
        ({"answer": {"min_chars": 11, "max_chars": 11, "min_words": 2, "max_words": 2}}, "keep"),
        ({"answer": {"max_chars": 10}}, "too_long: the answer has 11 chars, at most 10 wanted"),
        ({"answer": {"min_words": 3}}, "too_short: the answer has 2 words, at least 3 wanted"),
        ({"reasoning": {"min_chars": 5}}, "too_short: the reasoning has 4 chars, at least 5 wanted"),
        ({"prompt": {"max_words": 1}}, "too_long: the prompt has 2 words, at most 1 wanted"),
    ],
)
def test_bounds(reply: Callable[..., Record], settings: dict[str, object], expected: str) -> None:
    assert reason(reply(" Seven eggs.\n", reasoning="Sum."), **settings) == expected


def test_a_missing_part_is_an_empty_one(reply: Callable[..., Record]) -> None:
    assert reason(reply("")).startswith("too_short: the answer has 0 chars")
    assert reason(reply("7"), reasoning={"min_words": 1}).startswith("too_short: the reasoning has 0 words")
    question = Record(content=Conversation(messages=(Message(role="user", content="How many?"),)))
    assert reason(question) == "keep"
    assert reason(question, prompt={"min_words": 3}).startswith("too_short: the prompt")


def test_long_paragraphs(reply: Callable[..., Record]) -> None:
    block = "word " * 30
    assert reason(reply("7", reasoning=block), max_paragraph_chars=100).startswith("long_paragraph: 149 characters without a line break")
    assert reason(reply("7", reasoning=block.replace("word word", "word\nword")), max_paragraph_chars=100) == "keep"
    assert reason(reply(block), max_paragraph_chars=None) == "keep"
    assert reason(reply("7", prompt=block), max_paragraph_chars=100) == "keep"


class Tokenizer:
    """A token a letter."""

    async def tokenize(self, text: str) -> list[int]:
        return list(text.encode())


async def test_tokens_as_a_model_counts_them(reply: Callable[..., Record], tools: Any) -> None:
    part = Length.model_validate({"tokenizer": "small", "answer": {"min_tokens": 3, "max_tokens": 11}, "reasoning": {"max_tokens": 4}})
    assert part.needs() == {"small": frozenset()}
    records = [
        reply(text, reasoning=how) for text, how in (("Seven eggs.", "Sum."), ("Seven eggs!!", "Sum."), ("7", "Sum."), ("Seven", "Sums."))
    ]
    records += [reply("\ud800" * 5), Record(content=Conversation(messages=(Message(role="user", content="How many?"),)))]
    async with part.open(type(tools)(workers=tools.workers, models={"small": Tokenizer()})) as judge:
        said = [verdict.reason or verdict.outcome for verdict in await judge(records)]
    long, short, thought = (
        "the answer has 12 tokens, at most 11",
        "the answer has 1 tokens, at least 3",
        "the reasoning has 5 tokens, at most 4",
    )
    assert [one.removesuffix(" wanted") for one in said] == [
        "keep", f"too_long: {long}", f"too_short: {short}", f"too_long: {thought}", "keep", "keep",
    ]  # fmt: skip


def test_tokens_without_a_tokenizer_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="need `tokenizer`"):
        Length.model_validate({"answer": {"max_tokens": 5}})
    assert Length().needs() == {}


def test_bounds_the_wrong_way_round_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="above max_chars"):
        Length.model_validate({"answer": {"min_chars": 3, "max_chars": 2}})


def test_an_answer_without_words_is_not_an_empty_one() -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(name="weather"),))
    picture = Message(role="assistant", content=(Media(type="image", url="u"),))
    nothing = Message(role="assistant", content=(Media(type="text", text=" "),))
    records = [Record(content=Conversation(messages=(user("Draw it."), turn))) for turn in (call, picture, nothing)]
    assert [reason(record).partition(":")[0] for record in records] == ["keep", "keep", "too_short"]
    assert [reason(record, prompt={"min_words": 3}).partition(":")[0] for record in records] == ["too_short"] * 3


@given(st.text(), st.none() | st.text(), st.integers(0, 9), st.integers(1, 9))
def test_any_text_gets_a_verdict(text: str, thinking: str | None, least: int, most: int) -> None:
    part = Length.model_validate({"answer": {"min_chars": least}, "reasoning": {"max_words": most}, "max_paragraph_chars": most})
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text, reasoning=thinking),)))
    verdict = part.check(record)
    assert verdict.keep or verdict.reason.startswith(("too_short: ", "too_long: ", "long_paragraph: "))
