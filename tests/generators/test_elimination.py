"""Which evolved questions and answers count as failed (methods.md 3 and 4), each beside a good one that passes."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.generators._elimination import check_answer, check_matter, check_question

PARENT = "How does a bicycle stay upright while it moves?"
GOOD = "How does a bicycle stay upright while it moves slowly, and which two forces act on a rider who leans into a bend?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"Here is the rewritten prompt {GOOD}", "scaffolding"),
        ("How does a bicycle stay upright, while it moves", "near_duplicate"),
        ("自行车在低速转弯的时候为什么不会倒下，骑车人受到哪两种力的作用？", "language_switch"),
        ("How is it known? " + "So it is unknown. " * 5, "repetitive"),
        (GOOD + " " + " ".join(f"why{n}" for n in range(60)), "too_long"),
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


def test_a_table_may_repeat_its_numbers() -> None:
    check_question("How many ones are in the grid?", "How many ones touch a nought to the right in this grid? " + "0 1 0 1 1 0\n" * 4)


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


@pytest.mark.parametrize(
    ("parent", "related", "other"),
    [
        (PARENT, "Bicycles that roll slowly wobble: why?", "So it is no number. So it is unknown, but given."),
        ("A van drives 1300 km on 10 litres each. How far is it?", "Of 1300 tiles, half break. Rest?", "What does a rider in a bend feel?"),
        ("自行车行驶时为什么不会倒下？", "骑自行车低速转弯时要注意什么？", "用三句话介绍唐代诗歌。"),
    ],
)
def test_what_was_made_harder_is_about_the_same(parent: str, related: str, other: str) -> None:
    check_matter(parent, related)
    with pytest.raises(Refused) as refused:
        check_matter(parent, other)
    assert refused.value.reason == "unrelated"


def test_a_short_parent_says_too_little_to_be_left() -> None:
    check_matter("What is a good pet?", "Which dog suits somebody who lives on the fifth floor in Madrid?")
