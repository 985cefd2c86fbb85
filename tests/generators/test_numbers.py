"""Which numbers of a question can be asked for (traps: methods.md 7)."""

from __future__ import annotations

import pytest
from datalchemy.generators._numbers import free_symbol, maskable, masked, says, stands, values
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("45 percent of 1080 classes", ["45", "1080"]),
        ("She pays $1,080.50 for 12 chairs.", ["1080.5", "12"]),
        ("Seven hens and 30 eggs", ["7", "30"]),
        ("Half of the twelve boys, a third of the girls, the second one twice", ["12"]),
        ("Solve 3x = 12 for a 5kg bag on the 2nd day", ["12"]),
        ("From 7:30 on 2024-05-06, at 1/2 speed, 3-5 times", []),
        ("two hundred of 40, twenty-one, 2 and a half, 3 1/2", ["40"]),
        ("1. Add 15.\n2. Take 8.", ["15", "8"]),
        ("5 apples and 5 pears cost 20", ["20"]),
        ("five apples and 5 pears cost 20", ["20"]),
        ("x^2 + \\frac{1}{2} - 4", ["4"]),
        ("小明有12个苹果、8个梨", ["12", "8"]),
        ("no numbers at all", []),
    ],
)
def test_numbers_that_stand_alone_and_once(text, found):
    assert [place.value for place in maskable(text)] == found


@given(st.text(alphabet="0123456789 .,:/-xkm%$$twohalf\n个", max_size=60))
def test_a_masked_text_differs_at_one_place_and_has_lost_its_number(text):
    for place in maskable(text):
        hidden = masked(text, place, "q")
        assert hidden[: place.start] + text[place.start : place.end] + hidden[place.start + 1 :] == text
        assert place.value not in values(hidden)


def test_the_symbol_is_one_that_the_text_does_not_use():
    assert free_symbol("How many eggs?") == "x"
    assert free_symbol("Let x be odd and 3Y even") == "n"
    assert free_symbol("x y n k m p q z") is None
    assert stands("x", "共有x个")
    assert not stands("x", "a box")


@pytest.mark.parametrize(
    ("text", "answer", "said"),
    [("It costs 1,200 euros", "1200", True), ("It costs 12", "1", False), ("the red one", "red", True), ("reddish", "red", False)],
)
def test_an_answer_is_said_as_a_number_of_its_own(text, answer, said):
    assert says(text, answer) is said
