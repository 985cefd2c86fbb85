"""Words that a text has to hold, and groups of them (methods.md 6)."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import Record
from datalchemy.generators._concepts import concepts_of, grouped, holds, missing
from datalchemy.generators._marked import sealed
from hypothesis import given
from hypothesis import strategies as st

WORDS = ("dog", "run", "leaf", "ice cream")


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("He ran home.", "run"), ("Running!", "run"), ("two dishes", "dish"), ("making it", "make"), ("the horses", "horse"), ("she carries", "carry"),
        ("fallen LEAVES", "leaf"), ("leaving now", "leave"), ("it went", "go"), ("it stopped", "stop"), ("two ice creams", "ice cream"),
        ("she lies", "lie"), ("lying there", "lie"), ("the dog's ball", "dog"), ("two buses", "bus"), ("his glasses", "glass"), ("used up", "use"),
        ("trees", "tree"), ("they agreed", "agree"), ("I made it", "make"), ("他在跑步", "跑步"), ("die Katze", "Katze"),
    ],
)  # fmt: skip
def test_a_word_counts_in_any_form(text, concept):
    assert holds(text, concept)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("a scar", "car"),
        ("a cat", "car"),
        ("cream on ice", "ice cream"),
        ("rung", "run"),
        ("a doge", "dog"),
        ("", "run"),
        ("他走路", "跑步"),
    ],
)
def test_another_word_does_not(text, concept):
    assert not holds(text, concept)


def test_what_is_missing():
    assert missing("The dogs ran.", WORDS) == ["leaf", "ice cream"]


@pytest.mark.parametrize(
    "column",
    [["dog", "run"], ("dog", "run"), "dog, run", "dog; run", '["dog", "run"]', "dog、run", ["dog", "Dog ", "run", 7, ""], "dog,, run,dog"],
)
def test_columns_that_name_words(column):
    assert [word.casefold().strip() for word in concepts_of(Record(fields={"concepts": column}), "concepts", 2)] == ["dog", "run"]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (None, "no_concepts"),
        ("dog", "no_concepts"),
        (7, "no_concepts"),
        ("[" * 5000, "no_concepts"),
        ([f"w{n}" for n in range(41)], "too_many_concepts"),
        (["dog", "x" * 61], "long_concept"),
    ],
)
def test_columns_that_do_not(column, reason):
    with pytest.raises(Refused) as refused:
        concepts_of(Record(fields={"concepts": column}), "concepts", 2)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "groups",
    [
        [["dog", "run"], ["leaf", "ice cream"]],
        [["dog, run"], ["leaf, ice cream"]],
        [["- Dog", "'run'"], ["Leaves", "ice cream."]],
        [["dogs; running"], ["leaf", "Ice Creams", "leaf"]],
    ],
)
def test_groups_that_hold_every_word_once(groups):
    assert grouped(groups, WORDS) == (("dog", "run"), ("leaf", "ice cream"))


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ([["dog", "run"], ["leaf"]], "incomplete_groups"),
        ([["dog", "run"], ["leaf", "ice cream", "run"]], "overlapping_groups"),
        ([["dog", "run"], ["leaf", "ice cream", "cat"]], "unknown_concept"),
        ([["dog", "run", "leaf", "ice cream"], []], "empty_group"),
        ([["dog", "run", "leaf", "ice cream"], [" , "]], "empty_group"),
        ([["dog", "run"], ["leaf", "ice", "cream"]], "unknown_concept"),
    ],
)
def test_groups_that_do_not(groups, reason):
    with pytest.raises(Refused) as refused:
        grouped(groups, WORDS)
    assert refused.value.reason == reason


@given(st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_a_division_is_taken_exactly_if_it_is_one(where):
    words = ("dog", "lamp", "river", "stone", "window", "bread")
    groups = [[word for word, at in zip(words, where, strict=True) if at == number] for number in (0, 1)]
    if 2 in where or not all(groups):
        with pytest.raises(Refused):
            grouped(groups, words)
    else:
        assert [list(group) for group in grouped(groups, words)] == groups


@given(st.text(alphabet="abs'e CJ字字ing", max_size=60), st.text(max_size=10))
def test_any_text_can_be_looked_at(text, concept):
    assert holds(text, concept) in (True, False)


@given(st.text(alphabet="</ parts>x", max_size=40))
def test_material_can_neither_open_nor_close_its_tags(text):
    assert "</parts>" not in sealed(text, "parts", "request").lower()
    assert "<parts>" not in sealed(text, "parts", "request").lower()


def test_other_tags_stay_as_they_are():
    assert sealed("<b>x</b> </PARTS> < /parts >", "parts") == "<b>x</b> < /PARTS> <  /parts >"
