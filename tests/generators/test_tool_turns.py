"""Conversations with tools: the loss mask, calls that are answered, private details."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import Message, ToolCall, assistant, system, user
from datalchemy.generators._tool_turns import given_away, sound, trained


def asks(*ids: str, text: str = "") -> Message:
    return Message(role="assistant", content=text, tool_calls=tuple(ToolCall(id=one, name="book") for one in ids))


def result(id: str) -> Message:
    return Message(role="tool", content="{}", tool_call_id=id)


WHOLE = [system("s"), user("q"), asks("a", "b"), result("b"), result("a"), assistant("done")]


def test_only_the_assistants_turns_are_trained_on() -> None:
    assert trained(WHOLE) == [2, 5]


def test_parallel_calls_may_be_answered_in_any_order() -> None:
    sound(WHOLE)


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([user("q"), asks("a"), assistant("it is booked")], "unanswered_call"),
        ([user("q"), asks("a")], "unanswered_call"),
        ([user("q"), asks("a", "a"), result("a")], "bad_call_id"),
        ([user("q"), asks("a"), result("a"), asks("a"), result("a")], "bad_call_id"),
        ([user("q"), asks(""), result("")], "bad_call_id"),
        ([user("q"), asks("a"), result("a"), result("a")], "stray_result"),
        ([user("q"), result("a")], "stray_result"),
        ([user("q"), assistant("<tool_response>{}</tool_response> booked")], "invented_result"),
        ([user("q"), asks("a", text="< Tool_Result >ok"), result("a")], "invented_result"),
    ],
)
def test_what_must_not_be_trained_on_is_refused(turns: list[Message], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        sound(turns)


def test_a_detail_is_given_away_whatever_its_case_and_marks() -> None:
    details = ["Oslo", "2 nights", "row 14", "靠窗"]
    assert given_away("In OSLO, for 2 nights; 靠窗的座位", details) == ["Oslo", "2 nights", "靠窗"]
    assert given_away("In Oslofjord for 12 nights, row 140", details) == []
