from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.record import Conversation, Message, Record
from datalchemy.eval.answer_tags import AnswerTags
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

Reply = Callable[..., Record]
PIECES = st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "<Answer>", "a", " ", "\n", "<", "é"])).map("".join)


def said(record: Record, **settings: Any) -> str:
    verdict = AnswerTags.model_validate(settings).check(record)
    return f"{verdict.reason.partition(':')[0] or verdict.outcome} {verdict.score:g}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think><answer>7</answer>", "keep 1"),
        ("<think>\na\n</think>\n\n<answer>\n7\n</answer>\n", "keep 1"),
        ("<think>a</think>\n7", "missing_tag 0.5"),
        ("7", "missing_tag 0"),
        ("", "missing_tag 0"),
        ("<think>a</think><answer>7", "unclosed_tag 0.75"),
        ("<think>a<answer>7</answer>", "unclosed_tag 0.75"),
        ("a</think><answer>7</answer>", "missing_tag 0.75"),
        ("<answer>7</answer><think>a</think>", "wrong_order 1"),
        ("<think>a<answer>7</answer></think>", "wrong_order 1"),
        ("<think>a</think><answer>7</answer><answer>8</answer>", "repeated_tag 0.5"),
        ("<think>a</think><think>b</think><answer>7</answer>", "repeated_tag 0.5"),
        ("<think>a</think>so<answer>7</answer>", "text_outside 1"),
        ("Sure! <think>a</think><answer>7</answer>", "text_outside 1"),
        ("<think>a</think><answer>7</answer> Bye", "text_outside 1"),
        ("<think>a</think><answer> </answer>", "empty_tag 1"),
        ("<think></think><answer>7</answer>", "empty_tag 1"),
        ("<THINK>a</THINK><answer>7</answer>", "missing_tag 0.5"),
        ("<think>a</think><answer class='x'>7</answer>", "missing_tag 0.75"),
    ],
)
def test_the_layout_of_r1(reply: Reply, text: str, expected: str) -> None:
    assert said(reply(text)) == expected


def test_settings(reply: Reply) -> None:
    assert said(reply("So <a>1</a> and <b>2</b>."), tags=["a", "b"], outside=True) == "keep 1"
    assert said(reply("<b>2</b><a>1</a>"), tags=["a", "b"], outside=True) == "wrong_order 1"
    assert said(reply("<think></think><answer>7</answer>"), allow_empty=True) == "keep 1"
    assert said(reply("a</think><answer>7</answer>"), opened=True) == "keep 1"
    assert said(reply("<think>a</think><answer>7</answer>"), opened=True) == "keep 1"
    assert said(reply("<a.b>1</a.b><axb>"), tags=["a.b"], outside=True) == "keep 1"


def test_thinking_that_is_a_field_counts_as_a_closed_tag(reply: Reply) -> None:
    assert said(reply("<answer>7</answer>", reasoning="a")) == "keep 1"
    assert said(reply("7", reasoning="a")) == "missing_tag 0.5"
    assert said(reply("<think>b</think><answer>7</answer>", reasoning="a")) == "repeated_tag 0.5"
    assert said(reply("<result>7</result>", reasoning="a"), tags=["result"]) == "keep 1"


def test_a_cut_reply_and_one_without_an_answer(reply: Reply) -> None:
    whole = "<think>a</think><answer>7</answer>"
    assert said(reply(whole, labels={"finish_reason": "length"})) == "truncated 1"
    assert said(reply(whole, fields={"finish_reason": "length"})) == "truncated 1"
    assert said(Record()) == "no_response 0"


@pytest.mark.parametrize("tags", [[], ["<think>"], ["a", "a"], ["a b"], [""], ["1"]])
def test_tags_that_are_none_are_refused(tags: list[str]) -> None:
    with pytest.raises(ValidationError):
        AnswerTags.model_validate({"tags": tags})


@given(PIECES, st.none() | PIECES)
def test_any_text_gets_a_verdict_and_only_the_layout_is_kept(text: str, reasoning: str | None) -> None:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text, reasoning=reasoning),)))
    verdict = AnswerTags().check(record)
    assert verdict.score is not None
    if verdict.keep:
        whole = text if reasoning is None else f"<think>{reasoning}</think>{text}"
        before, thinking, between, answer, after = (
            whole.replace("</think>", "<think>").replace("<answer>", "<think>").replace("</answer>", "<think>").split("<think>")
        )
        assert thinking.strip() and answer.strip() and not (before + between + after).strip()


def test_large_texts(reply: Reply) -> None:
    assert said(reply("<think>" * 100_000)) == "repeated_tag 0"
    assert said(reply("<" * 1_000_000)) == "missing_tag 0"
