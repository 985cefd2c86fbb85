"""Which evolved questions and answers count as failed (methods.md 3 and 4), each beside a good one that passes."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.generators._elimination import check_answer, check_question

PARENT = "How does a bicycle stay upright while it moves?"
GOOD = "How does a bicycle stay upright while it moves slowly, and which two forces act on a rider who leans into a bend?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"Here is the rewritten prompt {GOOD}", "scaffolding"),
        ("How does a bicycle stay upright, while it moves", "near_duplicate"),
        ("自行车在低速转弯的时候为什么不会倒下，骑车人受到哪两种力的作用？", "language_switch"),
        (GOOD + " and why" * 60, "too_long"),
        ("How does a bicycle stay upright according to the following text?", "missing_input"),
    ],
)
def test_failed_questions(text: str, reason: str) -> None:
    check_question(PARENT, GOOD)
    with pytest.raises(Refused) as refused:
        check_question(PARENT, text)
    assert refused.value.reason == reason


def test_a_parent_without_letters_is_in_no_language() -> None:
    check_question("5 + 3 = ?", "Leo has 5 pens and buys 3 more. How many pens does he own then?")


def test_what_is_there_may_be_named() -> None:
    check_question(PARENT, "Explain with the following text: wheels that spin keep their axis. How does a bicycle hold itself?")
    check_question("What is a given prompt?", "What is a given prompt, and how do two of them differ in a long talk?")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("... the , is it", "says_nothing"),
        ("Sorry, I have no idea about bicycles.", "apology"),
        ("Please provide the speed of the bicycle first.", "asks_input"),
        ("Understood. Is there more that I should know?", "stagnant"),
        ("Sure, which bicycle do you mean?", "asks_back"),
        ("a rider who leans into a bend", "answer_in_question"),
    ],
)
def test_failed_answers(text: str, reason: str) -> None:
    check_answer(GOOD, "Steering into the fall keeps the wheels under the rider. Is that surprising?")
    check_answer(GOOD, "No.")
    check_answer(GOOD, "Sorry to say that it is subtle. " + "Steering keeps the wheels under the rider. " * 12)
    with pytest.raises(Refused) as refused:
        check_answer(GOOD, text)
    assert refused.value.reason == reason
