"""Messing up by program: readable, repeatable, and never a number."""

from __future__ import annotations

import re
from random import Random

import pytest
from datalchemy.generators import _mess
from datalchemy.generators._numbers import NUMERAL
from hypothesis import given
from hypothesis import strategies as st

TEXT = "Seven nurses share 1,080 tablets between twelve patients, half of them before 7:30. How many does each patient get?"
PARTS = st.sampled_from(
    [
        "twelve",
        "half",
        "1,080",
        "3x",
        "km",
        "mL",
        "patients",
        "Nurses",
        "$ab+cd$",
        "`code`",
        "\\frac{one}{two}",
        "7:30",
        "é",
        ". ",
        "? ",
        "苹果。",
        "x",
    ]
)


def mess(kind: str, text: str, seed: int) -> str:
    rng = Random(seed)
    return _mess.typos(text, rng, 1.0) if kind == "typos" else getattr(_mess, kind)(text, rng)


@pytest.mark.parametrize("kind", ["typos", "casing", "emoji"])
@given(parts=st.lists(PARTS, max_size=12), seed=st.integers(0, 99))
def test_numbers_symbols_formulas_and_code_stay(kind, parts, seed):
    text = " ".join(parts)
    after = mess(kind, text, seed)
    assert re.findall(r"\d[\d.,:]*\w?", after) == re.findall(r"\d[\d.,:]*\w?", text)
    for kept in ("$ab+cd$", "`code`", "\\frac{one}{two}", "twelve", "half", "mL"):
        assert after.count(kept) == text.count(kept)


@given(seed=st.integers(0, 999))
def test_a_typo_keeps_the_first_letter_and_makes_no_number_word(seed):
    before, after = TEXT.split(), mess("typos", TEXT, seed).split()
    assert len(before) == len(after)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert changed
    for one, other in changed:
        assert one[0] == other[0]
        assert abs(len(one) - len(other)) <= 1
        assert not NUMERAL.fullmatch(other)
        assert not NUMERAL.fullmatch(one.strip(".,?"))


def test_the_share_of_misspelt_words():
    text = "word " * 100
    few = sum(one != "word" for one in _mess.typos(text, Random(1), 0.15).split())
    assert few == 15
    assert _mess.typos("a to 12", Random(1), 1.0) == "a to 12", "nothing that may be changed"


@pytest.mark.parametrize("kind", ["typos", "casing", "emoji"])
def test_equal_seeds_give_equal_messes(kind):
    assert mess(kind, TEXT, 3) == mess(kind, TEXT, 3)
    assert len({mess(kind, TEXT, seed) for seed in range(20)}) > 1
