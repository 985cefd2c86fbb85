"""Covering arrays: every possible combination in few rows, impossible ones left out of what is counted (methods.md 14)."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest
from datalchemy.personas.composed import COVERABLE, Composed
from datalchemy.personas.covering import covered, covering
from hypothesis import given, settings
from hypothesis import strategies as st

AXES = st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from("12345"), min_size=1, unique=True), min_size=2)


def anything(row: Mapping[str, str]) -> bool:
    return True


def apart(row: Mapping[str, str]) -> bool:
    """Value 1 of axis a rules out value 1 of axis b."""
    return not (row.get("a") == "1" and row.get("b") == "1")


@settings(deadline=None, max_examples=80)
@given(AXES, st.integers(1, 3), st.integers())
def test_all_combinations_are_covered(axes: dict[str, list[str]], t: int, seed: int) -> None:
    t = min(t, len(axes))
    rows = covering(axes, t, anything, Random(seed))
    assert covered(rows, axes, t, anything) == 1.0
    assert all(row.keys() == axes.keys() and all(value in axes[name] for name, value in row.items()) for row in rows)
    assert rows == covering(axes, t, anything, Random(seed))


def test_few_rows_do() -> None:
    axes = {name: list("12345") for name in "abcd"}
    rows = covering(axes, 2, anything, Random(1))
    assert 25 <= len(rows) <= 40, "25 are needed at least, 625 is everything"


def test_what_is_impossible_is_neither_made_nor_counted() -> None:
    axes = {name: list("123") for name in "abc"}
    rows = covering(axes, 2, apart, Random(1))
    assert all(apart(row) for row in rows)
    assert covered(rows, axes, 2, apart) == 1.0
    assert covered(rows, axes, 2, anything) < 1.0, "control: counted, the impossible pair would be missing for ever"


def test_control_fewer_rows_cover_less() -> None:
    axes = {name: list("123") for name in "abc"}
    rows = covering(axes, 2, anything, Random(1))
    assert covered(rows[:-3], axes, 2, anything) < 1.0


def test_more_values_than_axes_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 3 axes"):
        covering({"a": ["1"], "b": ["1"]}, 3, anything, Random(1))


@pytest.mark.parametrize("t", [2])
def test_the_first_personas_hold_every_possible_pair(t: int) -> None:
    composed = Composed(cover=t, seed=5)
    count = len(composed.rows)
    assert count < 200
    axes = {axis: [value.key for value in composed._values(axis)] for axis in COVERABLE}
    first = [{axis: composed.persona(number).axes[axis] for axis in COVERABLE} for number in range(count)]
    assert covered(first, axes, t, lambda row: bool(composed._completed(row, None))) == 1.0
    plain = [{axis: Composed(seed=5).persona(number).axes[axis] for axis in COVERABLE} for number in range(count)]
    assert covered(plain, axes, t, lambda row: bool(composed._completed(row, None))) < 1.0, "control: drawn ones do not"
    assert len({composed.persona(number).text for number in range(3 * count)}) == 3 * count, "the array comes again, the people do not"


def test_any_few_rows_from_the_start_differ_in_all_axes() -> None:
    rows = Composed(cover=2).rows[:8]
    for axis in COVERABLE:
        assert len({row[axis] for row in rows}) >= 4, axis


def test_pairs_of_chosen_axes() -> None:
    rows = Composed(cover=2, over=("age", "place")).rows
    assert len(rows) == 40
    assert {tuple(sorted(row)) for row in rows} == {("age", "place")}
    assert len({tuple(sorted(row.items())) for row in rows}) == 40
