"""Questions that speak of a text which is not there, and ones that only sound like it."""

from __future__ import annotations

import pytest
from datalchemy.generators._references import points_away
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "question",
    [
        "According to the passage, why does dough rest?",
        "What does the guest advise in the transcript?",
        "What does this text say about bees?",
        "Which two reasons are mentioned above?",
        "Explain the code below.",
        "Based on the given document, how high is the tide?",
        "Summarize the following article.",
        "What is described in the short excerpt?",
        "根据上文，蜜蜂如何选择新家？",
        "这段文字主要讲了什么？",
        "文中提到了哪些原因？",
    ],
)
def test_they_are_found(question):
    assert points_away(question)


@pytest.mark.parametrize(
    "question",
    [
        "How far above sea level do tides matter?",
        "Why does bread dough rest before it is shaped?",
        "Write a text that explains fever to a child.",
        "How do I lock a file in a shell script?",
        "What is stated in the text of the second amendment?",
        "Which documents does a tenant need?",
        "为什么面团需要静置？",
        "请写一段文字介绍月球。",
    ],
)
def test_these_stand_by_themselves(question):
    assert points_away(question) == ""


@given(st.text(max_size=300))
def test_what_is_found_stands_in_the_question(question):
    assert points_away(question) in question
