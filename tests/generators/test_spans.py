"""Spans of documents: where they are cut, and that their places hold."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from datalchemy.core.errors import Refused
from datalchemy.generators._spans import chosen, pieces
from hypothesis import given
from hypothesis import strategies as st

DOCUMENTS = Path(__file__).parents[2] / "recipes" / "data" / "documents.jsonl"
TEXTS = st.text(alphabet="ab .!?\n。！字\t\u3000", max_size=300) | st.text(max_size=200)


@given(TEXTS, st.integers(1, 20), st.integers(1, 60))
def test_spans_are_where_they_say_and_lose_nothing(text, least, most):
    found = pieces(text, least=least, most=most)
    assert all(text[one.start : one.end] == one.text and least <= len(one.text) <= most for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    everything = pieces(text, least=1, most=most)
    assert "".join("".join(one.text.split()) for one in everything) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One two.\n\nThree four. Five six seven", "One two."),
        ("One two three.\nFour. Five six seven", "One two three."),
        ("One two. Three four five six seven", "One two."),
        ("一二三四五六。七八九十一二三四五六七八", "一二三四五六。"),
        ("onetwothreefourfive six", "onetwothreef"),
    ],
)
def test_a_cut_falls_at_the_best_end_there_is(text, first):
    most = {"One two three.\nFour. Five six seven": 22}.get(text, 12)
    assert pieces(text, least=1, most=most)[0].text == first


def test_the_choice_is_seeded_and_in_order():
    text = " ".join(f"Sentence number {n} stands here." for n in range(40))
    drawn = [chosen(text, Random(seed), count=3, least=20, most=80) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(spans == sorted(spans) and len(spans) == 3 for spans in drawn)


def test_equal_texts_have_equal_hashes_and_others_do_not():
    one, other, again = pieces("aaaa bbbb aaaa", least=1, most=5)
    assert one.hash == again.hash != other.hash
    assert len(pieces("\ud800", least=1, most=5)[0].hash) == 16


@pytest.mark.parametrize("text", ["", " \n ", "short"])
def test_a_document_without_a_span_is_refused(text):
    with pytest.raises(Refused) as refused:
        chosen(text, Random(1), count=1, least=10, most=50)
    assert refused.value.reason == "too_short"


def test_every_shipped_document_has_spans():
    rows = [json.loads(line) for line in DOCUMENTS.read_text().splitlines()]
    assert len({row["title"] for row in rows}) == len(rows) == 14
    assert {row["kind"] for row in rows} == {"web page", "code", "book", "transcript"}
    assert all(chosen(row["text"], Random(1), count=1, least=120, most=400) for row in rows)
