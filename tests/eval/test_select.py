from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.record import PlainText, Record, Verdict
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.eval._best import values
from datalchemy.eval.best_of import BestOf
from datalchemy.eval.select import Select, _shared_out
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]
Reply = Callable[..., Record]


def scored(number: float | None, n: int = 0, **labels: Any) -> Record:
    record = Record(content=PlainText(text=f"page {n}"), labels=labels, origin=str(n))
    return record if number is None else record.judged(Verdict(by="judge", outcome="keep", score=number))


def kept(verdicts: list[Verdict]) -> list[int]:
    return [at for at, one in enumerate(verdicts) if one.keep]


class TestSelect:
    async def test_the_best_k_stay(self, judge: Judge) -> None:
        verdicts = await judge(Select(k=2), [scored(n) for n in (3, 9, 1, 9, 5)])
        assert kept(verdicts) == [1, 3]
        assert verdicts[4].reason == "not_selected: place 3 of 5 by judge, 2 stay"
        assert (verdicts[4].score, verdicts[4].evidence) == (5.0, {"rank": 3, "of": 5})

    async def test_numbers_of_a_table_of_texts_count(self, judge: Judge) -> None:
        records = [scored(None, n, quality=text) for n, text in enumerate(("3", "9.5", "good", " 1e1 "))]
        verdicts = await judge(Select(k=2, by="quality"), records)
        assert kept(verdicts) == [1, 3]
        assert verdicts[2].outcome == "abstain"

    async def test_equally_good_ones_stay_in_order(self, judge: Judge) -> None:
        assert kept(await judge(Select(k=2), [scored(5) for _ in range(4)])) == [0, 1]

    @pytest.mark.parametrize(("share", "expected"), [(1.0, 5), (0.5, 3), (0.49, 2), (0.01, 1)])
    async def test_a_share_of_them(self, judge: Judge, share: float, expected: int) -> None:
        assert len(kept(await judge(Select(share=share), [scored(n) for n in range(5)]))) == expected

    async def test_the_latest_score_of_the_filter_counts_then_a_label(self, judge: Judge) -> None:
        twice = scored(9).judged(Verdict(by="judge", outcome="keep", score=1.0), Verdict(by="other", outcome="keep", score=99.0))
        assert kept(await judge(Select(k=1), [twice, scored(2)])) == [1]
        assert kept(await judge(Select(k=1, by="difficulty"), [scored(9, difficulty=1), scored(1, difficulty=2.5)])) == [1]

    async def test_without_a_score_it_abstains_or_comes_last(self, judge: Judge) -> None:
        records = [scored(None), scored(1), scored(None, judge="high"), scored(0)]
        verdicts = await judge(Select(k=3), records)
        assert [one.outcome for one in verdicts] == ["abstain", "keep", "abstain", "keep"]
        assert verdicts[0].reason == "no_score: nothing gave judge"
        assert Select(k=3).on_abstain == "refuse"
        assert kept(await judge(Select(k=3, unscored="last"), records)) == [0, 1, 3]

    async def test_a_mix_goes_by_ranks(self, judge: Judge) -> None:
        """Scores of 1000 do not drown scores of 0.1, and a negative weight wants less."""
        records = [scored(1000, cost=9), scored(10, cost=1), scored(1, cost=2)]
        assert kept(await judge(Select(k=1, by={"judge": 1.0, "cost": -1.0}), records)) == [1]
        assert kept(await judge(Select(k=1, by={"judge": 3.0, "cost": -1.0}), records)) == [0]
        assert (await judge(Select(k=1, by={"judge": 1, "x": 1}), records))[0].reason == "no_score: nothing gave 1 judge + 1 x"

    async def test_a_cap_for_each_topic(self, judge: Judge) -> None:
        records = [scored(9 - n, topic="a" if n < 4 else "b") for n in range(6)] + [scored(0), scored(-1)]
        verdicts = await judge(Select(k=5, per="topic", cap=2), records)
        assert kept(verdicts) == [0, 1, 4, 5, 6]
        assert verdicts[2].reason == "capped: topic a has its 2; place 3 of 8"

    async def test_shares_are_exact_and_a_short_one_stays_short(self, judge: Judge) -> None:
        records = [scored(n % 7, n, topic="abc"[n % 3]) for n in range(30)]
        verdicts = await judge(Select(k=8, per="topic", shares={"a": 3, "b": 1}), records)
        assert Counter("abc"[at % 3] for at in kept(verdicts)) == {"a": 6, "b": 2}
        assert {one.reason.partition(":")[0] for one in verdicts} == {"", "share_full", "not_wanted"}
        short = await judge(Select(k=40, per="topic", shares={"a": 1, "b": 1}), records)
        assert Counter("abc"[at % 3] for at in kept(short)) == {"a": 10, "b": 10}

    async def test_a_column_serves_where_there_is_no_label(self, judge: Judge) -> None:
        records = [scored(n, cluster=None).model_copy(update={"fields": {"cluster": 7}}) for n in range(3)]
        assert kept(await judge(Select(k=3, per="cluster", cap=1), records)) == [2]

    @pytest.mark.parametrize(
        "settings",
        [
            *({}, {"k": 1, "share": 0.5}, {"k": 1, "cap": 1}, {"k": 1, "per": "a"}, {"k": 1, "by": {}}, {"k": 1, "by": ""}),
            *({"k": 1, "by": {"a": 0}}, {"k": 1, "shares": {"a": 1}}, {"k": 1, "per": "a", "shares": {"a": 0}}),
            *(
                {"k": 1, "by": {"a": math.inf}},
                {"k": 1, "per": "a", "shares": {"a": math.inf}},
                {"k": 1, "per": "a", "shares": {"a": 1e308}},
            ),
        ],
    )
    def test_settings_that_cannot_be_are_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Select(**settings)

    async def test_hostile_values(self, judge: Judge) -> None:
        records = [scored(1, topic="\ud800" * 1000), scored(2, topic=True), scored(3, topic="x" * 1000), scored(None, judge=float("nan"))]
        verdicts = await judge(Select(k=9, per="topic", cap=1), records)
        assert [one.outcome for one in verdicts] == ["keep", "keep", "keep", "abstain"]

    def test_in_a_run_it_takes_the_best_of_all_that_the_seeds_gave(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
        rows = [{"question": f"question {n}", "topic": "ab"[n % 2], "worth": n * 37 % 40} for n in range(40)]
        (tmp_path / "seeds.jsonl").write_text("\n".join(map(json.dumps, rows)))
        recipe = Recipe.build(
            {
                "models": {"teacher": {"use": "scripted", "mode": "digest"}},
                "seeds": {"path": str(tmp_path / "seeds.jsonl")},
                "generate": [{"use": "answer", "model": "teacher"}],
                "filters": [{"use": "select", "k": 6, "by": "worth", "per": "topic", "cap": 3}],
                "output": {"dir": str(tmp_path / "out")},
                "checks": {"sample": 0},
            }
        )
        result = run(recipe)
        assert (result.status, result.accepted, result.counts.started) == ("complete", 6, 40)
        with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
            records = [Record.load(row.body) for row in reader.rows("accepted")]
        best = {topic: sorted((row["worth"] for row in rows if row["topic"] == topic), reverse=True)[:3] for topic in "ab"}
        found = {topic: sorted((r.fields["worth"] for r in records if r.fields["topic"] == topic), reverse=True) for topic in "ab"}
        assert found == best


class TestBestOf:
    async def test_the_best_answer_to_each_prompt_stays(self, judge: Judge, reply: Reply) -> None:
        def made(prompt: str, score: float | None) -> Record:
            record = reply(f"answer {score}", prompt=prompt)
            return record if score is None else record.judged(Verdict(by="reward", outcome="keep", score=score))

        records = [made("x", 0.2), made("x", -3.0), made("y", -9.0), made("x", 0.8), made("x", None)]
        verdicts = await judge(BestOf(), records)
        assert [one.outcome for one in verdicts] == ["refuse", "refuse", "keep", "keep", "abstain"]
        assert verdicts[0].reason == "not_best: place 2 of 3: 0.2 by reward, the best has 0.8"
        two = await judge(BestOf(keep=2, unscored="last"), records)
        assert [one.outcome for one in two] == ["keep", "refuse", "keep", "keep", "refuse"]
        assert two[4].reason == "not_best: place 4 of 4: no score"

    async def test_seeds_with_the_same_question_do_not_compete(self, judge: Judge, reply: Reply) -> None:
        seeds = [Record(content=PlainText(text="same"), origin=str(n)) for n in range(2)]
        records = [
            seed.derive("answer", reply("a").messages).judged(Verdict(by="reward", outcome="keep", score=n)) for n, seed in enumerate(seeds)
        ]
        assert kept(await judge(BestOf(), records)) == [0, 1]

    async def test_ties_go_to_the_first_and_mixes_to_the_ranks(self, judge: Judge, reply: Reply) -> None:
        records = [reply("a", labels={"short": n, "nice": m}) for n, m in ((1, 5), (1, 5), (3, 4))]
        assert kept(await judge(BestOf(by="nice"), records)) == [0]
        assert kept(await judge(BestOf(by={"short": 3, "nice": 1}), records)) == [2]


SCORES = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=20)


@given(SCORES, st.floats(0.1, 5))
def test_ranks_keep_the_order_of_scores(given_: list[float | None], weight: float) -> None:
    records = [scored(one) for one in given_]
    plain, mixed = values(records, "judge"), values(records, {"judge": weight})
    assert plain == given_
    assert [one is None for one in mixed] == [one is None for one in given_]
    for a, b in zip(given_, mixed, strict=True):
        for c, d in zip(given_, mixed, strict=True):
            if a is not None and b is not None and c is not None and d is not None:
                assert (a < c) == (b < d)


@given(st.integers(0, 1000), st.dictionaries(st.text(max_size=2), st.floats(0.01, 100), min_size=1, max_size=8))
def test_shares_add_up_and_are_within_one(k: int, shares: dict[str, float]) -> None:
    counts = _shared_out(k, shares)
    assert sum(counts.values()) == k
    assert all(abs(counts[value] - k * share / sum(shares.values())) < 1 + 1e-6 for value, share in shares.items())
