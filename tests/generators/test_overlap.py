"""How much one text repeats of another, in words and in Chinese characters."""

from __future__ import annotations

import pytest
from datalchemy.generators._overlap import grams, jaccard, longest_run, shared, units, words
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.lists(st.sampled_from(["red", "blue", "桥", "河", "don't"]), max_size=12).map(" ".join)


def test_units_are_words_and_single_characters() -> None:
    assert units("The nurse’s Café, no. 3_b 在河边 gehen") == ["the", "nurse’s", "café", "no", "3", "b", "在", "河", "边", "gehen"]
    assert words("two words 四个汉字") == 4.0


@pytest.mark.parametrize(
    ("one", "other", "length", "text"),
    [
        ("The patient nurse of a ward", "a PATIENT, nurse-of a shop", 4, "patient nurse of a"),
        ("一位住在大学城的理发师", "题目：住在大学城的人", 3.0, "住 在 大 学 城 的"),
        ("abc", "xyz", 0, ""),
        ("", "a", 0, ""),
        ("桥 桥 桥 桥 two words", "桥桥桥桥 and two words", 2.0, "桥 桥 桥 桥"),
    ],
)
def test_the_longest_run(one: str, other: str, length: float, text: str) -> None:
    assert longest_run(one, other) == (length, text)


@given(WORDS, WORDS)
def test_a_run_stands_in_both_and_is_as_long_as_told(one: str, other: str) -> None:
    run = longest_run(one, other)
    assert run.words == longest_run(other, one).words == words(run.text)
    for text in (one, other):
        assert f" {run.text} " in f" {' '.join(units(text))} " or not run.text
    assert longest_run(one, one).words == words(one)


@given(WORDS, WORDS, st.integers(1, 4))
def test_shares_are_shares(one: str, other: str, n: int) -> None:
    a, b = grams(one, n), grams(other, n)
    assert 0 <= jaccard(a, b) <= shared(a, b) <= 1
    assert shared(a, a) == jaccard(a, a) == (1.0 if a else 0.0)
    assert jaccard(a, b) == jaccard(b, a)


def test_a_long_text_does_not_hide_that_it_repeats_a_short_one() -> None:
    short, long = "boil the water and wait", "first boil the water and wait then " + " ".join(f"step{n}" for n in range(60))
    assert shared(grams(short, 3), grams(long, 3)) == 1.0
    assert jaccard(grams(short, 3), grams(long, 3)) < 0.1, "control: by all there are, it would not be seen"


def test_a_text_shorter_than_an_n_gram_is_one() -> None:
    assert shared(grams("486", 3), grams("486", 3)) == 1.0
    assert shared(grams("486", 3), grams("487", 3)) == 0.0
