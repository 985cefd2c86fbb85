from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from datalchemy.core.record import PlainText, Record, Verdict
from datalchemy.eval._clusters import Unions, clusters
from datalchemy.eval._shingles import Scheme, sketches
from datalchemy.eval.best_of_duplicates import BestOfDuplicates
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]
WORDS = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("ane", "ilo", "ust", "era", "omi", "ack", "undo", "ity")]


def page(words: list[str], origin: object = "", **more: Any) -> Record:
    return Record(content=PlainText(text=" ".join(words)), origin=str(origin), **more)


def prose(seed: object, words: int = 80) -> list[str]:
    return Random(f"{seed}").choices(WORDS, k=words)


def changed(words: list[str], at: list[int]) -> list[str]:
    return [f"other{n}" if n in at else word for n, word in enumerate(words)]


def kept(verdicts: list[Verdict]) -> list[int]:
    return [at for at, verdict in enumerate(verdicts) if verdict.outcome == "keep"]


async def test_the_longest_stays(judge: Judge) -> None:
    words = prose(1)
    records = [page(words), page([*words, "and", "more"]), page(prose(2)), page(words[1:])]
    verdicts = await judge(BestOfDuplicates(), records)
    assert kept(verdicts) == [1, 2]
    assert verdicts[0].evidence["of"] == records[1].id
    assert verdicts[0].reason == f"near_duplicate: {verdicts[0].score:.0%} like {records[1].id}, the best of 3 by length"
    assert verdicts[1].evidence == {"group": 3}


async def test_equal_ones_the_first(judge: Judge) -> None:
    words = prose(1)
    assert kept(await judge(BestOfDuplicates(), [page(words, n) for n in range(4)])) == [0]


async def test_the_score_of_a_filter_or_a_label(judge: Judge) -> None:
    words = prose(3)
    scored = [page(words, n).judged(Verdict(by="reward", outcome="keep", score=score)) for n, score in enumerate((0.2, 0.9, 0.5))]
    assert kept(await judge(BestOfDuplicates(best="reward"), [*scored, page(words, "none")])) == [1]
    labelled = [page(words, n, labels={"pass_rate": rate}) for n, rate in enumerate((0.2, 0.9, 0.5))]
    assert kept(await judge(BestOfDuplicates(best="pass_rate"), labelled)) == [1]
    assert kept(await judge(BestOfDuplicates(best={"pass_rate": -1}), labelled)) == [0]


async def test_groups_are_closed_and_exactly_one_stays(judge: Judge) -> None:
    """a like b, b like c: one group, although a and c are less alike than asked for; the score says so."""
    words = prose(5, 100)
    a, b, c = (page(changed(words, at)) for at in ([], [10, 40], [10, 40, 60, 80]))
    part = BestOfDuplicates(similarity=0.85, bands=40, rows=4)
    assert kept(await judge(part, [a, c])) == [0, 1]
    verdicts = await judge(part, [a, c, b])
    assert len(kept(verdicts)) == 1
    assert min(verdict.score for verdict in verdicts if verdict.score is not None) < 0.85


async def test_numbers_that_must_agree(judge: Judge) -> None:
    words = prose(6)
    records = [page([*words[:40], number, *words[40:]]) for number in ("17", "18")]
    assert kept(await judge(BestOfDuplicates(), records)) == [0]
    assert kept(await judge(BestOfDuplicates(numbers="agree"), records)) == [0, 1]


async def test_nothing_to_compare(judge: Judge) -> None:
    verdicts = await judge(BestOfDuplicates(), [page([]), page([]), page(["\ud800"])])
    assert [verdict.outcome for verdict in verdicts] == ["abstain", "abstain", "keep"]


async def test_a_whole_set_of_one_text(judge: Judge) -> None:
    assert len(kept(await judge(BestOfDuplicates(), [page(prose(1), n) for n in range(1500)]))) == 1


def test_a_measure_that_weighs_nothing() -> None:
    with pytest.raises(ValidationError, match="weight"):
        BestOfDuplicates(best={})


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_union_find_is_what_connects(edges: list[tuple[int, int]]) -> None:
    unions, groups = Unions(20), [{at} for at in range(20)]
    for one, other in edges:
        unions.join(one, other)
        mine, theirs = (next(group for group in groups if at in group) for at in (one, other))
        if mine is not theirs:
            groups.remove(theirs)
            mine |= theirs
    assert sorted(map(tuple, unions.groups())) == sorted(tuple(sorted(group)) for group in groups if len(group) > 1)


def test_groups_are_those_of_all_pairs() -> None:
    """Against a comparison of every pair, on a set with many near-twins."""
    draw, scheme = Random(9), Scheme("words", 3, 30, 4, False)
    base = [prose(n, 40) for n in range(12)]
    texts = [" ".join(changed(draw.choice(base), [draw.randrange(40)])) for _ in range(120)]
    grams = [{tuple(text.split()[n : n + 3]) for n in range(38)} for text in texts]
    unions = Unions(len(texts))
    for one in range(len(texts)):
        for other in range(one):
            if len(grams[one] & grams[other]) / len(grams[one] | grams[other]) >= 0.8:
                unions.join(one, other)
    assert clusters(sketches(texts, scheme), 0.8) == unions.groups()
