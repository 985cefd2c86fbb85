from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from datalchemy.backends.scripted import Scripted
from datalchemy.core.errors import Rejected
from datalchemy.core.record import Conversation, Record, Verdict, assistant, user
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.eval.listwise import Listwise, _both_ways
from hypothesis import given
from hypothesis import strategies as st
from judge_double import Double, DoubleModel, sections

Reply = Callable[..., Record]
PLAIN = Listwise(model="judge", canaries=False)


@pytest.fixture
def ask(tools: Any) -> Callable[..., Any]:
    async def asked(part: Any, records: list[Record], double: Double | None = None) -> list[Verdict]:
        async with part.open(type(tools)(workers=tools.workers, models={"judge": DoubleModel(double)})) as judge:
            return list(await judge(records))

    return asked


def digest(text: str) -> float:
    return float(crc32(text.encode()))


def longest(text: str) -> float:
    return float(len(text))


async def test_the_best_stays(ask: Any, reply: Reply) -> None:
    records = [reply("a"), reply("aaa"), reply("aaaa"), reply("aa")]
    verdicts = await ask(PLAIN, records, double := Double(longest))
    assert [one.outcome for one in verdicts] == ["refuse", "refuse", "keep", "refuse"]
    assert [one.score for one in verdicts] == [0.0, pytest.approx(2 / 3), 1.0, pytest.approx(1 / 3)]
    assert verdicts[0].reason == "ranked_low: place 4 of 4, the best 1 stay"
    assert [list(sections(prompt)[0].values())[1:] for prompt in double.prompts] == [["a", "aaa", "aaaa", "aa"], ["aa", "aaaa", "aaa", "a"]]
    two = await ask(PLAIN.model_copy(update={"keep": 2}), records, Double(longest))
    assert [one.outcome for one in two] == ["refuse", "keep", "keep", "refuse"]


@pytest.mark.parametrize("orders", [2, 4, 6])
async def test_a_judge_that_ranks_by_place_decides_nothing(ask: Any, reply: Reply, orders: int) -> None:
    part = PLAIN.model_copy(update={"orders": orders})
    verdicts = await ask(part, [reply("a" * n) for n in range(1, 6)], double := Double(first=True))
    assert {one.reason for one in verdicts} == {"undecided: 5 of 5 answers share place 1 when all orders are taken together"}
    assert {one.outcome for one in verdicts} == {"abstain"}
    assert len(double.prompts) == orders


@given(st.integers(2, 12), st.integers(1, 6))
def test_over_all_orders_every_place_has_the_same_mean(n: int, turns: int) -> None:
    orders = [order for turn in range(turns) for order in _both_ways(n, turn, turns)]
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert {sum(order.index(at) for order in orders) for at in range(n)} == {turns * (n - 1)}


async def test_answers_to_different_prompts_and_seeds_are_not_rivals(ask: Any, reply: Reply) -> None:
    seeds = [Record(content=Conversation(messages=(user("How many?"),)), origin=str(n)) for n in range(2)]
    children = [seed.derive("answer", (user("How many?"), assistant(text))) for seed in seeds for text in ("a", "aa")]
    others = [reply("a", prompt="x"), reply("a", prompt="y")]
    verdicts = await ask(PLAIN, [*children, *others], Double(longest))
    assert [one.outcome for one in verdicts] == ["refuse", "keep", "refuse", "keep", "keep", "keep"]
    assert verdicts[4].evidence["of"] == 1


async def test_equal_texts_count_once(ask: Any, reply: Reply) -> None:
    verdicts = await ask(PLAIN, [reply("aa"), reply("a"), reply("aa")], double := Double(longest))
    assert [one.reason.partition(":")[0] or one.outcome for one in verdicts] == ["keep", "ranked_low", "same_text"]
    assert "2 answers to one task" in double.prompts[0]


async def test_what_is_not_ranked(ask: Any, reply: Reply) -> None:
    question = Record(content=Conversation(messages=(user("How many?"),)))
    records = [reply("Solution:"), reply("a" * 101), question, reply("a")]
    verdicts = await ask(PLAIN.model_copy(update={"max_chars": 100}), records, double := Double())
    assert [one.reason.partition(":")[0] or one.outcome for one in verdicts] == ["too_little_text", "too_long", "nothing_to_judge", "keep"]
    many = await ask(PLAIN, [reply("a" * n) for n in range(1, 14)], double)
    assert {one.reason for one in many} == {"too_many: 13 answers to one prompt, at most 12"}
    assert double.prompts == []


async def test_an_order_that_cannot_be_read_is_left_out_with_its_reverse(ask: Any, reply: Reply) -> None:
    class Picky(Double):
        """Will not rank what stands in the order in which it came."""

        def said(self, prompt: str) -> str:
            self.prompts.append(prompt)
            inside, _ = sections(prompt)
            return "?" if (inside["1"], inside["2"]) == ("a", "aa") else super().said(prompt)

    records = [reply("a"), reply("aa"), reply("aaa")]
    verdicts = await ask(PLAIN, records, Picky(longest))
    assert {one.reason.partition(":")[0] for one in verdicts} == {"unreadable_verdict"}
    verdicts = await ask(PLAIN.model_copy(update={"orders": 4}), records, Picky(longest, first=True))
    assert {one.reason.partition(":")[0] for one in verdicts} == {"undecided"}


@pytest.mark.parametrize("text", ["\ud800", "{" * 20_000, '{"ranking": [1, 2]}', "[" * 20_000])
async def test_hostile_answers_get_a_verdict(ask: Any, reply: Reply, text: str) -> None:
    verdicts = await ask(PLAIN, [reply(text), reply("It is 7.")], Double())
    assert verdicts[1].keep


def test_in_a_run_the_answers_of_a_seed_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    answers = Scripted(name="teacher", mode="digest")
    judge = Scripted(name="double", function=Double(lambda text: digest(text)))
    recipe = Recipe.build(
        {
            "models": {"teacher": answers, "judge": judge},
            "seeds": {"inline": [f"question {n}" for n in range(12)]},
            "generate": [{"use": "cot", "model": "teacher", "rollouts": 4, "keep": "all"}],
            "filters": [{"use": "listwise", "model": "judge", "enforce": False}],
            "output": {"dir": str(tmp_path / "out")},
            "checks": {"sample": 0},
        }
    )
    run(recipe)
    with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
        records = [Record.load(row.body) for row in reader.rows("accepted")]
    assert len(records) == 48
    best = [record for record in records if record.verdicts[-1].keep]
    assert len({record.lineage[0].parent for record in best}) == len(best) == 12
    for record in best:
        rivals = [one for one in records if one.lineage[0].parent == record.lineage[0].parent]
        assert record.response is not None
        assert max(digest(one.response.text) for one in rivals if one.response) == digest(record.response.text)


async def test_a_group_that_the_server_refuses_takes_no_other_with_it(ask: Any, reply: Reply) -> None:
    class Strict(Double):
        def said(self, prompt: str) -> str:
            if "boundless" in prompt:
                raise Rejected("400: more than the context holds")
            return super().said(prompt)

    records = [reply("a", prompt="p"), reply("boundless", prompt="q"), reply("aa", prompt="p"), reply("b", prompt="q")]
    verdicts = await ask(PLAIN, records, Strict(longest))
    assert [one.outcome for one in verdicts] == ["refuse", "abstain", "keep", "abstain"]
    assert verdicts[1].reason == "judge_refused: 400: more than the context holds"
