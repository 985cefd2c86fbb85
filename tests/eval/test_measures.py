"""Measures of a set: values that can be worked out by hand, and what must hold of any set."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from datalchemy.core.part import Edit, Filter
from datalchemy.core.plug import find, names
from datalchemy.eval.measures.activation import activation, centres, hashed_ngrams, nearest_clusters
from datalchemy.eval.measures.combinations import coverage, gaps
from datalchemy.eval.measures.dimensions import FILTERS, dimensions
from datalchemy.eval.measures.diversity import distinct, openings, overlap
from datalchemy.eval.measures.shares import shares
from datalchemy.eval.measures.spread import spread
from datalchemy.eval.measures.words import words
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = st.lists(st.text(alphabet="ab c你", max_size=30), max_size=20)


def test_words_of_many_scripts() -> None:
    assert words("It's 7 o'clock, NOT 8.") == ["it's", "7", "o'clock", "not", "8"]
    assert words("我有7个苹果") == ["我", "有", "7", "个", "苹", "果"]


def test_distinct_by_hand() -> None:
    assert distinct(["a b a", "a c"], 1) == 3 / 5
    assert distinct(["a b a", "a c"], 2) == 1.0
    assert distinct(["a"], 2) is None
    assert distinct(["a b", "a b"], 2) == 0.5


def test_overlap_by_hand() -> None:
    assert overlap(["a b c d e", "a b c d f", "x y z w"], 4) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert overlap(["a b"], 4) is None


@given(TEXTS)
def test_twins_overlap_wholly_and_halve_what_is_distinct(texts: list[str]) -> None:
    if (once := distinct(texts, 2)) is not None:
        assert distinct(texts * 2, 2) == pytest.approx(once / 2)
    if overlap(texts, 2) is not None:
        assert overlap(texts * 2, 2) == 1.0


def test_openings_that_come_again() -> None:
    assert openings(["Tom has 3 apples.", "Tom has 3 pears.", "Ann ran."], 1) == [("tom has 3", 2)]


def test_spread_of_unit_vectors() -> None:
    found = spread(np.eye(4))
    assert found is not None
    assert (found.mean_distance, found.near_duplicates) == (1.0, 0.0)
    assert found.effective == pytest.approx(4)
    same = spread(np.ones((5, 3)))
    assert same is not None
    assert (round(same.mean_distance, 9), same.near_duplicates) == (0.0, 1.0)
    assert same.effective == pytest.approx(1)
    assert spread(np.ones((1, 3))) is None
    pair = spread(np.vstack([np.eye(3), np.eye(3)[:1]]), 0.95)
    assert pair is not None
    assert pair.near_duplicates == 0.5
    nothing = spread(np.zeros((3, 2)))
    assert nothing is not None
    assert nothing.near_duplicates == 0.0


def test_spread_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8))
    vectors[7] = vectors[3] * 2
    whole = spread(vectors)
    monkeypatch.setattr("datalchemy.eval.measures.spread.BLOCK", 7)
    assert spread(vectors) == whole
    assert whole is not None
    assert whole.near_duplicates == 2 / 50


AXES = {"topic": ("math", "code"), "level": ("easy", "hard"), "language": ("en", "zh")}


def test_two_way_coverage_by_hand() -> None:
    records = [{"topic": "math", "level": "easy", "language": "en"}, {"topic": "code", "level": "hard"}, {"topic": "poem"}, {}]
    found = coverage(records, AXES, 2)
    assert (found.possible, found.covered, found.unknown) == (12, 4, 3)
    assert (("topic", "math"), ("level", "hard")) in found.missing
    assert (("topic", "code"), ("level", "hard")) not in found.missing


def test_forbidden_combinations_are_not_counted() -> None:
    found = coverage([], AXES, 2, [{"topic": "code", "language": "zh"}])
    assert found.possible == 11
    assert all(row["topic"] != "code" or row["language"] != "zh" for row in gaps(found, AXES, [{"topic": "code", "language": "zh"}]))


def test_nothing_possible_is_wholly_covered() -> None:
    assert coverage([], {"a": ("x",)}, 1, [{"a": "x"}]).share == 1.0
    with pytest.raises(ValueError, match="between 1"):
        coverage([], AXES, 4)


axes = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.sampled_from("xyzw"), min_size=1, max_size=4, unique=True), min_size=2, max_size=4
)


@settings(max_examples=60, deadline=None)
@given(axes, st.data())
def test_the_gaps_fill_everything_that_is_missing(axes: dict[str, list[str]], data: st.DataObject) -> None:
    t = data.draw(st.integers(1, len(axes)))
    every = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    have = data.draw(st.lists(st.sampled_from(every), max_size=4))
    rows = gaps(coverage(have, axes, t), axes)
    after = coverage([*have, *rows], axes, t)
    assert after.missing == []
    assert len(rows) <= len(coverage(have, axes, t).missing), "a row fills one gap at least"
    assert gaps(after, axes) == []


def test_activation_counts_only_what_the_anchor_has() -> None:
    found = activation([{1, 2, 99}], [{1, 2}, {2, 3}, {3}])
    assert (found.features, found.covered, found.share) == (3, 2, 2 / 3)
    assert found.missing == [3]
    assert activation([{1}], []).share is None
    assert activation([{1}], [{1}, {2}, {2}], least=2).missing == [2]


@given(TEXTS, TEXTS)
def test_a_set_covers_itself(texts: list[str], others: list[str]) -> None:
    features, further = hashed_ngrams(texts), hashed_ngrams(others)
    found = activation(features + further, features)
    assert found.share in (1.0, None)
    assert activation(further, features).covered <= found.features


def test_hashed_ngrams_are_the_same_in_every_process() -> None:
    assert hashed_ngrams(["one two three"]) == hashed_ngrams(["One, two three!"])
    assert hashed_ngrams(["one two three"]) == [{587611, 650333}]


def test_clusters_tell_groups_apart() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.eye(3), 20, axis=0) + rng.normal(scale=0.01, size=(60, 3))
    found = nearest_clusters(groups, centres(groups, 3, seed=1))
    assert [len(set.union(*found[at : at + 20])) for at in (0, 20, 40)] == [1, 1, 1]
    assert len(set.union(*found)) == 3
    assert len(centres(groups[:2], 8)) == 2


def test_shares_beside_the_wish() -> None:
    found = shares(["math"] * 6 + ["law"] * 3 + [None], {"math": 0.5, "code": 0.5})
    assert found.rows[:2] == [("math", 6, 0.6, 0.5), ("code", 0, 0.0, 0.5)]
    assert found.distance == pytest.approx(0.5)
    assert found.tail == ["code"]
    assert shares(["a"]).distance is None


@given(st.lists(st.sampled_from("abc")), st.dictionaries(st.sampled_from("abc"), st.floats(0.1, 10), min_size=1))
def test_the_distance_is_between_nothing_and_all(values: list[str], wanted: dict[str, float]) -> None:
    found = shares(values, wanted)
    assert found.distance is not None
    assert -1e-9 <= found.distance <= 1 + 1e-9
    assert sum(count for _, count, _, _ in found.rows) == len(values)


def test_every_filter_that_judges_speaks_of_one_dimension() -> None:
    """`by_label` repeats what somebody else said."""
    filters = {name for name in names("eval") if issubclass(find("eval", (Filter, Edit), name), Filter)}  # type: ignore[type-abstract]
    told = [name for some in FILTERS.values() for name in some]
    assert len(told) == len(set(told))
    assert filters - {"by_label"} <= set(told)


def test_six_dimensions_count_what_filters_said() -> None:
    found = {
        one.name: one
        for one in dimensions(
            {("math_answer", "keep"): 6, ("math_answer", "refuse"): 2, ("exact#2", "keep"): 5, ("math_answer", "abstain"): 9}
        )
    }
    assert set(found) == set(FILTERS) == {"relevant", "aligned", "consistent", "formatted", "unique", "compliant"}
    assert (found["consistent"].judged, found["consistent"].share) == (8, 0.75)
    assert found["unique"].filters == ["exact#2"]
    assert found["relevant"].share is None
    assert not math.isnan(found["unique"].share or 0)
