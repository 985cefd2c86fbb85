from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from datalchemy.core.record import Conversation, Message, PlainText, Record
from datalchemy.eval._shelf import Shelf
from datalchemy.eval._twins import TwinIndex
from datalchemy.eval.near_duplicates import NearDuplicates
from pydantic import ValidationError

Judge = Callable[..., Any]
WORDS = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("ane", "ilo", "ust", "era", "omi", "ack", "undo", "ity")]


def page(text: str, origin: object = "") -> Record:
    return Record(content=PlainText(text=text), origin=str(origin))


def prose(seed: object, words: int = 60) -> list[str]:
    return Random(f"{seed}").choices(WORDS, k=words)


def changed(words: list[str], at: list[int]) -> list[str]:
    return [f"other{n}" if n in at else word for n, word in enumerate(words)]


def outcomes(verdicts: list[Any]) -> str:
    return " ".join(verdict.outcome for verdict in verdicts)


async def test_the_twin_and_how_like_it_is_are_named(judge: Judge) -> None:
    words = prose(1)
    first, other, twin = page(" ".join(words)), page(" ".join(prose(2))), page(" ".join(changed(words, [30])))
    kept, also, refused = await judge(NearDuplicates(), [first, other, twin])
    assert (kept.outcome, also.outcome, refused.outcome) == ("keep", "keep", "refuse")
    shared, all_there_are = 58 - 3, 58 + 3
    assert refused.score == pytest.approx(shared / all_there_are, abs=1e-4)
    assert refused.reason == f"near_duplicate: {refused.score:.0%} like {first.id}"
    assert refused.evidence == {"of": first.id, "similarity": refused.score}


@pytest.mark.parametrize(("similarity", "outcome"), [(0.8, "refuse"), (0.95, "keep")])
async def test_candidates_are_verified(judge: Judge, similarity: float, outcome: str) -> None:
    """The control: with one row a band nearly everything is a candidate, and still only the true similarity decides."""
    words = prose(3)
    pages = [page(" ".join(words)), page(" ".join(changed(words, [30]))), *(page(" ".join(prose(n))) for n in range(10, 30))]
    verdicts = await judge(NearDuplicates(similarity=similarity, bands=64, rows=1), pages)
    assert verdicts[1].outcome == outcome
    assert outcomes(verdicts[2:]) == " ".join(["keep"] * 20)


async def test_numbers_are_words_unless_they_must_agree_or_are_masked(judge: Judge) -> None:
    """Two problems that differ in one number share nearly all n-grams."""
    words = prose(4)
    one, other = (page(" ".join([*words[:30], number, *words[30:]])) for number in ("17", "18"))
    assert outcomes(await judge(NearDuplicates(), [one, other])) == "keep refuse"
    assert outcomes(await judge(NearDuplicates(numbers="agree"), [one, other])) == "keep keep"
    assert outcomes(await judge(NearDuplicates(numbers="agree"), [one, page(one.prompt.upper(), "b")])) == "keep refuse"
    short = [page("pay 17 coins now"), page("pay 18 coins now")]
    assert outcomes(await judge(NearDuplicates(), short)) == "keep keep"
    assert outcomes(await judge(NearDuplicates(numbers="mask"), short)) == "keep refuse"


async def test_texts_shorter_than_n_are_compared_as_a_whole(judge: Judge) -> None:
    pages = [page(text, n) for n, text in enumerate(["Hello there", "hello  THERE!", "Hello you", "?!", "?!", "", " \n"])]
    verdicts = await judge(NearDuplicates(n=5), pages)
    assert outcomes(verdicts) == "keep refuse keep keep refuse abstain abstain"
    assert verdicts[5].reason == "nothing_to_compare: no all text"


async def test_a_chain_is_compared_with_what_was_kept(judge: Judge) -> None:
    """b is like a, c like b but not like a: b is refused, and c has no twin left. A rule that drops whatever is like
    anything earlier would lose c as well."""
    words = prose(5, 100)
    a, b, c = (page(" ".join(changed(words, at))) for at in ([], [10, 40], [10, 40, 60, 80]))
    part = NearDuplicates(similarity=0.85, bands=40, rows=4)
    assert outcomes(await judge(part, [a, b])) == "keep refuse"
    assert outcomes(await judge(part, [b, c])) == "keep refuse"
    assert outcomes(await judge(part, [a, b, c])) == "keep refuse keep"


async def test_batches_decide_nothing(tools: Any) -> None:
    draw = Random(6)
    base = [prose(n) for n in range(25)]
    pages = [page(" ".join(changed(draw.choice(base), [draw.randrange(60)])), n) for n in range(200)]
    results = []
    for size in (1, 7, 200):
        async with NearDuplicates().open(tools) as one:
            results.append([v.outcome for begin in range(0, 200, size) for v in await one(pages[begin : begin + size])])
    assert results[0] == results[1] == results[2]
    assert 25 <= results[0].count("keep") < 60


async def test_planted_twins_are_found_as_often_as_the_bands_say(judge: Judge) -> None:
    """40 pairs at 0.9 (found with a chance of 0.9999) and 40 at 0.5 (candidates now and then, never refused)."""
    pages, wanted = [], []
    for n in range(40):
        words = prose(f"p{n}", 160)
        pages += [page(" ".join(words)), page(" ".join(changed(words, [20, 120]))), page(" ".join(changed(words, list(range(4, 160, 9)))))]
        wanted += ["keep", "refuse", "keep"]
    assert outcomes(await judge(NearDuplicates(), pages)) == " ".join(wanted)


async def test_characters_for_text_without_words(judge: Judge) -> None:
    text = "".join(Random(1).choices("abcdefghij", k=300))
    pages = [page(text), page(text[:150] + "X" + text[151:]), page(text[::-1])]
    assert outcomes(await judge(NearDuplicates(unit="chars", n=8), pages)) == "keep refuse keep"
    assert outcomes(await judge(NearDuplicates(), pages)) == "keep keep keep"
    chinese = "".join(chr(0x4E00 + Random(2).randrange(n + 1) * 7) for n in range(200))
    assert outcomes(await judge(NearDuplicates(), [page(chinese), page(chinese[:100] + "一" + chinese[101:])])) == "keep refuse"


@pytest.mark.parametrize(("by", "expected"), [("all", "keep keep keep"), ("prompt", "keep refuse keep"), ("response", "keep keep refuse")])
async def test_what_is_compared(judge: Judge, reply: Callable[..., Record], by: str, expected: str) -> None:
    records = [
        reply("it is seven", prompt="how many are there"),
        reply("it is eight", prompt="how many are there"),
        reply("it is seven", prompt="who"),
    ]
    assert outcomes(await judge(NearDuplicates(by=by), records)) == expected


async def test_bloom_says_yes_or_no(judge: Judge) -> None:
    words = prose(7)
    pages = [page(" ".join(words)), page(" ".join(prose(8))), page(" ".join(words), "again"), page(" ".join(words), "and again"), page("")]
    for records in (pages, pages[:1] * 1 + pages[1:]):
        verdicts = await judge(NearDuplicates(bloom=1000), records)
        assert outcomes(verdicts) == "keep keep refuse refuse abstain"
        assert (verdicts[2].reason, verdicts[2].score) == ("near_duplicate: much of it was there before", None)


def test_settings_that_exclude_each_other() -> None:
    for settings in ({"bloom": 10, "index": "a"}, {"bloom": 10, "numbers": "agree"}, {"index": "../a"}, {"index": "a/b"}, {"index": ".."}):
        with pytest.raises(ValidationError):
            NearDuplicates(**settings)


async def test_hostile_texts(judge: Judge) -> None:
    """A megabyte of one word, of one character, of marks; lone surrogates; control characters."""
    texts = ["spam " * 200_000, "x" * 1_000_000, "\u0301" * 300_000, "\ud800" * 50_000, "\x00\x1b[31m" * 1000, "\U0001f600" * 100_000]
    pages = [page(text, n) for n, text in enumerate([*texts, *texts])]
    assert outcomes(await judge(NearDuplicates(), pages)) == " ".join(["keep"] * 6 + ["refuse"] * 6)
    turns = tuple(Message(role="user", content=text) for text in texts)
    assert outcomes(await judge(NearDuplicates(), [Record(content=Conversation(messages=turns))])) == "keep"


def test_memory_a_record_is_what_the_page_says() -> None:
    """About 450 bytes at 14 bands; the n-grams themselves are on disk."""
    import numpy as np
    from datalchemy.eval._shingles import Sketch
    from datalchemy.eval._twins import Item

    part = NearDuplicates()
    index = TwinIndex(Shelf("", "near_duplicates", {}), part.scheme, 0.8)
    draw = np.random.default_rng(1)
    for begin in range(0, 20_000, 500):
        keys = draw.integers(1, 1 << 63, (500, 14), dtype=np.int64).astype(np.uint64)
        shingles = np.arange(50, dtype=np.uint32)
        index.judged([Item(f"{begin + at:016x}", Sketch(shingles + at, row), b"") for at, row in enumerate(keys)])
    table = index._table
    assert (table._keys.nbytes + table._heads.nbytes + table._before.nbytes) / 20_000 < 600
    index._shelf.close()
