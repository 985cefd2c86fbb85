"""Constraints that strategies draw."""

from __future__ import annotations

import itertools
import json
from random import Random

import pytest
from datalchemy.formats.constraints import IDS, Constraint, conflicts, describe, draw, dump
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32)


def one(name: str, **kwargs: object) -> Constraint:
    return Constraint(id=name, kwargs=kwargs)


def test_there_are_25_types() -> None:
    assert len(IDS) == len(set(IDS)) == 25


@given(SEEDS, st.integers(0, 25), st.sampled_from(["en", "zh"]))
def test_what_is_drawn_stands_together_and_can_be_put_into_words(seed: int, k: int, language: str) -> None:
    drawn = draw(Random(seed), k, language=language, prompt="What is a mill?")
    assert len(drawn) <= k
    assert not any(conflicts(a, b) for a, b in itertools.combinations(drawn, 2))
    for constraint in drawn:
        text = describe(constraint, language)
        assert "{" not in text and "None" not in text
        assert (language == "zh") == any("\u4e00" <= letter <= "\u9fff" for letter in text) or constraint.kwargs


@given(SEEDS, st.integers(0, 6))
def test_the_same_seed_draws_the_same(seed: int, k: int) -> None:
    assert draw(Random(seed), k) == draw(Random(seed), k)


def test_every_type_is_drawn_alone_and_described_in_both_languages() -> None:
    for name in IDS:
        (drawn,) = draw(Random(1), 1, ids=[name], prompt="What is a mill?")
        assert drawn.id == name
        assert describe(drawn, "en") != describe(drawn, "zh")
        assert describe(drawn, "fr") == describe(drawn, "en")


@given(SEEDS)
def test_conflicts_hold_both_ways_and_a_type_conflicts_with_itself(seed: int) -> None:
    rng = Random(seed)
    a, b = (draw(rng, 1, prompt="Why?")[0] for _ in range(2))
    assert conflicts(a, b) == conflicts(b, a)
    assert conflicts(a, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (one("change_case:english_capital"), one("change_case:english_lowercase")),
        (one("detectable_format:json_format"), one("detectable_format:title")),
        (one("combination:two_responses"), one("startend:quotation")),
        (one("language:response_language", language="fr"), one("keywords:existence", keywords=["mill"])),
        (one("keywords:forbidden_words", forbidden_words=["mill"]), one("keywords:existence", keywords=["Mills"])),
        (one("punctuation:no_comma"), one("startend:end_checker", end_phrase="So, that is it.")),
        (
            one("keywords:frequency", relation="less than", keyword="mill", frequency=2),
            one("length_constraints:nth_paragraph_first_word", num_paragraphs=2, nth_paragraph=1, first_word="mill"),
        ),
        (
            one("keywords:letter_frequency", let_relation="less than", letter="z", let_frequency=2),
            one("keywords:existence", keywords=["Zebra"]),
        ),
    ],
)
def test_pairs_that_cannot_stand_together(a: Constraint, b: Constraint) -> None:
    assert conflicts(a, b)
    assert conflicts(b, a)


def test_pairs_that_can() -> None:
    assert not conflicts(one("punctuation:no_comma"), one("startend:end_checker", end_phrase="That is it."))
    assert not conflicts(one("detectable_format:json_format"), one("keywords:existence", keywords=["mill"]))
    assert not conflicts(one("detectable_format:title"), one("startend:end_checker", end_phrase="That is it."))


def test_a_prompt_is_repeated_only_where_there_is_one() -> None:
    assert draw(Random(0), 1, ids=["combination:repeat_prompt"]) == []
    (drawn,) = draw(Random(0), 1, ids=["combination:repeat_prompt"], prompt="What is a {mill}?")
    assert describe(drawn).endswith("What is a {mill}?")


def test_words_of_the_topic_are_taken() -> None:
    (drawn,) = draw(Random(0), 1, ids=["keywords:existence"], words=["sail", "mast", " "])
    assert drawn.kwargs == {"keywords": ["mast", "sail"]}


def test_no_type_that_counts_english_words_is_drawn_for_chinese() -> None:
    names = {drawn.id for seed in range(200) for drawn in draw(Random(seed), 4, language="zh")}
    assert "change_case:english_capital" not in names
    assert "length_constraints:number_words" not in names
    assert "keywords:existence" in names


def test_the_dump_has_the_shape_of_ifeval() -> None:
    drawn = draw(Random(3), 3)
    row = json.loads(dump(drawn))
    assert row == {"instruction_id_list": [c.id for c in drawn], "kwargs": [dict(c.kwargs) for c in drawn]}
