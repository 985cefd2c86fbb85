from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from asked_models import asked
from datalchemy.backends.scripted import Scripted
from datalchemy.core.errors import RecipeError, Rejected
from datalchemy.core.record import Conversation, PlainText, Record, user
from datalchemy.eval import _vectors
from datalchemy.eval._calibration import PRECISION, calibrated, curve, pairs, threshold, unit
from datalchemy.eval._shelf import Shelf
from datalchemy.eval._vectors import NEAREST, Dot, Flat, VectorIndex
from datalchemy.eval.semantic_duplicates import SemanticDuplicates
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]


def ask(text: str, origin: object = "") -> Record:
    return Record(content=Conversation(messages=(user(text),)), origin=str(origin))


def outcomes(verdicts: list[Any]) -> str:
    return " ".join(verdict.outcome for verdict in verdicts)


async def test_the_nearest_is_named(judge: Judge) -> None:
    first = ask("How do I change a flat tyre on my car?")
    records = [first, ask("What is the capital of Peru?"), ask("How do I change a flat tire on a car?")]
    kept, also, refused = await judge(SemanticDuplicates(), records)
    assert (kept.outcome, also.outcome, refused.outcome) == ("keep", "keep", "refuse")
    assert refused.evidence == {"of": first.id, "similarity": refused.score, "threshold": 0.9}
    assert refused.reason == f"same_meaning: {refused.score:.0%} like {first.id} (from 90% on it counts)"


async def test_numbers_must_agree_unless_told_otherwise(judge: Judge) -> None:
    records = [
        ask("Anna has 12 pears and eats 3 of them. How many are left?"),
        ask("Anna has 14 pears and eats 3 of them. How many are left?"),
    ]
    assert outcomes(await judge(SemanticDuplicates(), records)) == "keep keep"
    assert outcomes(await judge(SemanticDuplicates(numbers="ignore"), records)) == "keep refuse"


async def test_the_fixed_part_of_a_template_can_be_cut_out(judge: Judge) -> None:
    fixed = "You are a careful teacher who explains everything step by step and in plain words to children. Never leave a step out, never "
    fixed += "use a word that a child does not know, and give an example from the kitchen or the garden for everything. Question: "
    records = [ask(fixed + "why is snow white?"), ask(fixed + "why do cats purr?")]
    assert outcomes(await judge(SemanticDuplicates(), records)) == "keep refuse"
    assert outcomes(await judge(SemanticDuplicates(without="^You are .*Question:"), records)) == "keep keep"
    with pytest.raises(ValidationError, match="RE2"):
        SemanticDuplicates(without="(?=a)")


async def test_what_the_encoder_does_not_know_is_an_abstention(judge: Judge) -> None:
    texts = ["", " ", "\U0001f701", "\ud800", "plain words"]
    verdicts = await judge(SemanticDuplicates(), [ask(text, n) for n, text in enumerate(texts)])
    assert outcomes(verdicts) == "abstain abstain abstain abstain keep" or outcomes(verdicts) == "abstain abstain abstain keep keep"
    assert verdicts[0].reason == "nothing_to_compare: no prompt text"
    assert verdicts[2].reason == "nothing_to_compare: the encoder knows none of its words"


async def test_hostile_texts(judge: Judge) -> None:
    texts = ["spam " * 200_000, "x" * 1_000_000, "\x00\x1b[31m" * 1000, "中" * 200_000]
    verdicts = await judge(SemanticDuplicates(), [Record(content=PlainText(text=text)) for text in texts])
    assert len(verdicts) == 4


async def test_batches_decide_nothing(tools: Any) -> None:
    records = [ask(pair.a if side else pair.b, n) for n, pair in enumerate(pairs()) for side in (0, 1)]
    results = []
    for size in (1, 10, len(records)):
        async with SemanticDuplicates(similarity=0.8).open(tools) as one:
            results.append([v.outcome for begin in range(0, len(records), size) for v in await one(records[begin : begin + size])])
    assert results[0] == results[1] == results[2]
    assert 0.2 < results[0].count("keep") / len(records) < 0.9


class TestThreshold:
    async def test_it_is_measured_for_the_encoder(self, tools: Any, tmp_path: Any) -> None:
        """The static encoder: 0.9 at full precision. Another encoder has another one."""
        point = await calibrated(tools.model("encoder"))
        assert point.threshold == 0.9
        assert point.precision >= PRECISION
        assert 0.25 <= point.recall <= 0.35
        async with asked(tmp_path, encoder=Scripted()) as models:
            assert (await calibrated(models["encoder"])).threshold != 0.9

    def test_the_lowest_from_which_on_the_precision_holds(self) -> None:
        cosines = [0.99, 0.95, 0.92, 0.91, 0.9, 0.8]
        assert threshold(cosines, [True, True, True, True, False, True])[0] == 0.91
        assert threshold(cosines, [False, True, True, True, True, True])[0] == 0.99 + 0.01
        assert threshold(cosines, [True] * 6).threshold == 0.3
        assert curve([0.5], [True], [0.4, 0.6])[1] == (0.6, 1.0, 0.0)

    def test_the_pairs_are_different_and_balanced(self) -> None:
        labelled = pairs()
        assert len({frozenset((pair.a, pair.b)) for pair in labelled}) == len(labelled) >= 100
        assert 0.4 < sum(pair.same for pair in labelled) / len(labelled) < 0.6


def test_vectors_are_brought_to_length_one() -> None:
    """Inner products of vectors that are not are no cosines: the longest vector would be near to everything."""
    rows = unit([[3.0, 4.0], [0.0, 0.0], [float("nan"), 2.0]])
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0], [0, 1]]


def dots(count: int, width: int = 32, seed: int = 1) -> list[Dot]:
    rows = unit(np.random.default_rng(seed).standard_normal((count, width)).tolist()).astype(np.float16).astype(np.float32)
    return [Dot(f"{at:016x}", row, b"") for at, row in enumerate(rows)]


def nearly(dot: Dot, seed: int, by: float = 0.02) -> Dot:
    row = unit([(dot.vector + by * np.random.default_rng(seed).standard_normal(len(dot.vector))).tolist()])[0]
    return Dot("f" * 16, row, b"")


def test_beyond_one_index_twins_are_found_by_clusters() -> None:
    """3,000 vectors in clusters made at 1,000: every planted twin is found, also across borders; nothing else is."""
    index = VectorIndex(Shelf("", "semantic_duplicates", {}), 0.9, flat=1000, probes=16)
    known = dots(3000)
    for begin in range(0, 3000, 250):
        assert not any(index.judged(known[begin : begin + 250]))
    assert isinstance(index._vectors, _vectors.Clusters)
    twins = [twin for at in range(0, 3000, 10) for twin in index.judged([nearly(known[at], at)])]
    assert sum(twin is not None and twin.record == f"{at:016x}" for twin, at in zip(twins, range(0, 3000, 10), strict=True)) >= 298


def test_clusters_are_made_anew_as_the_set_grows() -> None:
    index = VectorIndex(Shelf("", "semantic_duplicates", {}), 0.95, flat=200, probes=4)
    known = dots(1500, 8, 3)
    kept = sum(twin is None for begin in range(0, 1500, 100) for twin in index.judged(known[begin : begin + 100]))
    assert isinstance(index._vectors, _vectors.Clusters)
    assert index._vectors.outgrown > 4 * 201
    assert index._vectors._index.ntotal == kept


async def test_an_index_of_another_encoder_is_refused(tools: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path))
    part = SemanticDuplicates(index="mine", similarity=0.9)
    async with part.open(tools) as one:
        assert outcomes(await one([ask("first question of all")])) == "keep"
    async with part.open(tools) as one:
        assert outcomes(await one([ask("first question of all", "later")])) == "refuse"
    async with asked(tmp_path, encoder=Scripted()) as models:
        other = type(tools)(workers=tools.workers, models=models)
        with pytest.raises(RecipeError, match="another encoder"):
            async with part.open(other):
                pass


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_the_nearest_are_those_of_a_plain_sort(count: int, seed: int) -> None:
    """Also where hundreds are near and many are equally near (whole numbers, so that sums are exact)."""
    rows = np.random.default_rng(seed).integers(0, 3, (count, 4)).astype(np.float32)
    flat = Flat(4)
    flat.add(rows)
    cosines = rows[:3] @ rows.T
    plain = [sorted(((c, at) for at, c in enumerate(line) if c >= 2), key=lambda pair: (-pair[0], pair[1])) for line in cosines.tolist()]
    assert flat.near(rows[:3], 2) == [near[:NEAREST] for near in plain]


async def test_a_text_that_the_encoder_refuses_takes_no_other_with_it(tools: Any) -> None:
    class Strict:
        async def embed(self, texts: list[str]) -> list[list[float]]:
            if any(len(text) > 100 for text in texts):
                raise Rejected("400: the input is too long")
            return [[float("boat" in text), float("cat" in text), 1.0] for text in texts]

    own = type(tools)(workers=tools.workers, models={"encoder": Strict()})
    records = [ask("a boat"), ask("a cat"), ask("boat " * 99), ask("the boat"), ask("cat " * 99), ask("")]
    async with SemanticDuplicates(similarity=0.99).open(own) as judge:
        verdicts = await judge(records)
    assert outcomes(verdicts) == "keep keep abstain refuse abstain abstain"
    assert verdicts[2].reason == "nothing_to_compare: the encoder refuses the text"
