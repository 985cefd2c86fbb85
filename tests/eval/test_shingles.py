"""The sets and signatures that near-duplicates are found by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datalchemy.eval import _shingles
from datalchemy.eval._bandtable import BandTable
from datalchemy.eval._bloom import Bloom
from datalchemy.eval._shingles import Scheme, Sketch, chance, jaccard, sketches
from datalchemy.eval._twins import Item
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = Scheme("words", 3, 14, 8, False)


def pair(similarity: float, draw: np.random.Generator, size: int = 200) -> tuple[Any, Any]:
    """Two sets of hashes of that Jaccard similarity."""
    common = round(2 * size * similarity / (1 + similarity))
    hashes = np.unique(draw.integers(0, 1 << 32, 3 * size, dtype=np.uint32))
    draw.shuffle(hashes)
    both, one, other = np.split(hashes[: 2 * size - common], [common, size])
    return np.sort(np.concatenate([both, one])), np.sort(np.concatenate([both, other]))


@pytest.mark.parametrize(
    ("bands", "rows", "similarity", "expected"),
    [
        *((14, 8, *one) for one in ((0.5, 0.053), (0.7, 0.565), (0.75, 0.772), (0.8, 0.924), (0.85, 0.988), (0.9, 1.0))),
        *((9, 13, *one) for one in ((0.5, 0.001), (0.7, 0.084), (0.75, 0.195), (0.8, 0.399), (0.85, 0.686), (0.9, 0.929))),
    ],
)
def test_the_s_curve_is_the_one_of_theory(bands: int, rows: int, similarity: float, expected: float) -> None:
    """As computed, and as measured on 600 pairs (within four standard deviations)."""
    assert chance(similarity, bands, rows) == pytest.approx(expected, abs=6e-4)
    draw, scheme = np.random.default_rng(5), Scheme("words", 3, bands, rows, False)
    sets = [one for _ in range(600) for one in pair(similarity, draw)]
    starts = np.cumsum([0, *(len(one) for one in sets[:-1])])
    keys = _shingles._bands(_shingles._signatures(np.concatenate(sets), starts, scheme), scheme)
    measured = (keys[0::2] == keys[1::2]).any(axis=1).mean()
    assert measured == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 600) ** 0.5 + 0.008)


def test_a_text_in_a_batch_reads_as_alone() -> None:
    texts = ["one two three four", "", "one", "Größe x y z", "日本語の文章です", "?!", "\ud800 odd", "one two three four"]
    for scheme in (WORDS, WORDS._replace(unit="chars"), WORDS._replace(mask_numbers=True)):
        together = sketches(texts, scheme)
        for text, sketch in zip(texts, together, strict=True):
            (alone,) = sketches([text], scheme)
            assert (alone.shingles.tolist(), alone.bands.tolist()) == (sketch.shingles.tolist(), sketch.bands.tolist())


def test_a_text_shorter_than_n_is_one_shingle_of_its_own() -> None:
    short, same, longer, signs, other = sketches(["two words", "TWO  words!", "two words more", "?!", "!?"], WORDS)
    assert len(short.shingles) == 1
    assert short.shingles.tolist() == same.shingles.tolist()
    assert jaccard(short.grams(), longer.grams()) == 0
    assert len(signs.shingles) == len(other.shingles) == 1
    assert jaccard(signs.grams(), other.grams()) == 0
    assert len(sketches([" \n"], WORDS)[0].shingles) == 0


def test_cutting_long_texts_into_slices_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(f"w{(i * k) % 97}" for i in range(400)) for k in range(1, 6)]
    whole = [sketch.bands.tolist() for sketch in sketches(texts, WORDS)]
    monkeypatch.setattr(_shingles, "_SLICE", 37)
    monkeypatch.setattr(_shingles, "_TOGETHER", 900)
    assert [sketch.bands.tolist() for sketch in sketches(texts, WORDS)] == whole


def test_the_scheme_is_pinned() -> None:
    """Stored indexes depend on these numbers: whoever changes them raises SCHEME."""
    (sketch,) = sketches(["the quick brown fox"], WORDS)
    assert _shingles.SCHEME == "multiply-shift-32/1"
    assert sorted(sketch.shingles.tolist()) == [62828011, 2165267502]
    assert [int(key) for key in sketch.bands[:2]] == [8289874321350516355, 6180903155247183644]


@given(st.lists(st.text("abc ", max_size=12), min_size=2, max_size=2))
def test_jaccard_is_that_of_the_sets(texts: list[str]) -> None:
    one, other = sketches(texts, WORDS)
    mine, theirs = set(one.shingles.tolist()), set(other.shingles.tolist())
    assert jaccard(one.grams(), other.grams()) == pytest.approx(len(mine & theirs) / max(1, len(mine | theirs)))


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(1, 30), min_size=2, max_size=2), max_size=60), st.integers(1, 20), st.booleans())
def test_the_table_is_a_dict_of_lists(rows: list[list[int]], batch: int, told: bool) -> None:
    table, expected = BandTable(2, size=4), dict[tuple[int, int], set[int]]()
    for begin in range(0, len(rows), batch):
        part = rows[begin : begin + batch]
        keys = np.array([[one, (1 << 40) + other] for one, other in part], dtype=np.uint64)
        numbers, slots = table.find(keys)
        assert [set(row) for row in numbers] == [
            set().union(*(expected.get((band, key), set()) for band, key in enumerate(row))) for row in part
        ]
        table.add(keys, range(begin, begin + len(part)), slots if told else None)
        for number, row in enumerate(part, begin):
            for band, key in enumerate(row):
                expected.setdefault((band, key), set()).add(number)


def test_of_many_with_one_key_the_latest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    table, keys = BandTable(1), np.full((7, 1), 5, dtype=np.uint64)
    table.add(keys[:3], range(3))
    table.add(keys[3:], range(3, 7), table.find(keys[3:])[1])
    monkeypatch.setattr("datalchemy.eval._bandtable.MOST", 2)
    assert table.find(keys[:1])[0] == [[5, 6]]


def items(count: int, seed: int) -> list[Item]:
    keys = np.random.default_rng(seed).integers(1, 1 << 63, (count, 9), dtype=np.int64).astype(np.uint64)
    return [Item(str(at), Sketch(np.empty(1), row), b"") for at, row in enumerate(keys)]


def test_bloom_finds_all_that_was_seen_and_errs_as_often_as_it_may() -> None:
    """bits = b * -n ln(fp) / ln(2)^2 (215.7 a record at 9 bands and 1e-5); the net error is 1 - (1 - fp)^b."""
    bloom = Bloom(2000, 9, 1e-5)
    assert bloom.bits_a_record == pytest.approx(215.7, abs=0.1)
    assert Bloom(1000, 14, 1e-5).bits_a_record == pytest.approx(335.5, abs=0.1)
    seen = items(2000, 1)
    assert sum(twin is not None for begin in range(0, 2000, 256) for twin in bloom.judged(seen[begin : begin + 256])) <= 2
    assert all(bloom.judged(seen))


def test_bloom_errs_as_often_as_it_was_told_to() -> None:
    bloom = Bloom(2000, 9, 0.01)
    for begin in range(0, 4000, 200):  # those that are wrongly taken for seen are not put in
        if bloom._count >= 1800:
            break
        bloom.judged(items(200, begin + 10))
    filled = bloom._count / 2000
    places = bloom._places(np.stack([item.sketch.bands for item in items(4000, 2)]))
    wrong = (bloom._filters[0][places >> 3] >> (places & 7).astype(np.uint8) & 1).all(axis=2).mean()
    assert 0.9 <= filled <= 1
    assert 0.3 * 0.01 < wrong < 1.3 * 0.01


def test_bloom_beyond_its_capacity_still_finds_all() -> None:
    bloom = Bloom(100, 9, 1e-5)
    seen = items(450, 3)
    bloom.judged(seen)
    assert all(bloom.judged(seen))
    assert len(bloom._filters) == 5


def test_bloom_knows_the_order_of_rows() -> None:
    """A key that sums up its rows takes two signatures for one where their rows are swapped."""
    rows = np.arange(1, 113, dtype=np.uint32)[None, :]
    swapped = rows.copy()
    swapped[0, [0, 1]] = swapped[0, [1, 0]]
    assert rows[0, :8].sum() == swapped[0, :8].sum()
    assert _shingles._bands(rows, WORDS)[0, 0] != _shingles._bands(swapped, WORDS)[0, 0]
