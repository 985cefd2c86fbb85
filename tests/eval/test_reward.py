"""`reward` and `reward_rank` over the engine's own models: what is scored, what is compared with what, what is never done by default."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asked_models import asked, scoring
from datalchemy import ajudge
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Request
from datalchemy.core.errors import Rejected
from datalchemy.core.part import Filter, Generator
from datalchemy.core.record import Conversation, Message, PlainText, Preference, Record, Verdict, assistant, user
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.eval.reward import Reward
from datalchemy.eval.reward_rank import RewardRank
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

Scores = dict[str, float]


def reading(text: str) -> float | Exception:
    """The number that the answer ends with; a refusal for what holds `poison`."""
    return Rejected("400: too long for the model") if "poison" in text else float(text.split()[-1])


@pytest.fixture
def verdicts(tmp_path: Path, tools: Any) -> Callable[..., Awaitable[list[Verdict]]]:
    async def judged(part: Filter, records: Sequence[Record], function: Any = reading) -> list[Verdict]:
        async with opened(part, tmp_path, tools, function) as judge:
            return list(await judge(records))

    return judged


@asynccontextmanager
async def opened(part: Filter, folder: Path, tools: Any, function: Any = reading) -> AsyncIterator[Any]:
    async with asked(folder, reward=scoring(function)) as models, part.open(replace(tools, models=models)) as judge:
        yield judge


def said(text: str, prompt: str = "Q", root: str = "", **fields: Any) -> Record:
    record = Record(content=Conversation(messages=(user(prompt), assistant(text))), **fields)
    return Record(origin=root).derive("answer", record.content) if root else record


def outcomes(found: Sequence[Verdict]) -> str:
    return " ".join(verdict.outcome for verdict in found)


async def test_raw_scores_are_recorded_and_nothing_is_removed(verdicts: Any) -> None:
    """A reward model's scores may be anything; no cut is taken from them unless somebody writes one."""
    found = await verdicts(Reward(), [said("a -11.25"), said("b 0.5"), said("c 38.5")])
    assert outcomes(found) == "keep keep keep"
    assert [verdict.score for verdict in found] == [-11.25, 0.5, 38.5]
    assert outcomes(await verdicts(RewardRank(), [said("a -11.25"), said("b 0.5")])) == "keep keep"


async def test_an_absolute_cut_is_there_for_who_writes_it(verdicts: Any) -> None:
    low, high = await verdicts(Reward(min_score=0), [said("a -1.5"), said("b 0")])
    assert (low.outcome, low.reason, low.score) == ("refuse", "low_reward: raw score -1.5, at least 0 asked", -1.5)
    assert high.keep
    with pytest.raises(ValidationError):
        RewardRank(min_score=0)


async def test_the_answers_to_one_prompt_are_ranked_among_themselves(verdicts: Any) -> None:
    """The worst answer to an easy prompt outscores the best one to a hard prompt: both prompts keep their best."""
    records = [said("a 10", "easy"), said("b 12", "easy"), said("c -9", "hard"), said("d -8", "hard"), said("e -10", "hard")]
    found = await verdicts(RewardRank(top_k=1), records)
    assert outcomes(found) == "refuse keep refuse keep refuse"
    assert found[2].reason == "low_reward: place 2 of 3 answers to this prompt (raw score -9), the best 1 stay"
    assert [verdict.evidence["rank"] for verdict in found] == [2, 1, 2, 1, 3]
    scores = [-9.0, -8.0, -10.0]
    expected = [(score - statistics.fmean(scores)) / statistics.pstdev(scores) for score in scores]
    assert [verdict.evidence["z"] for verdict in found[2:]] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"top_k": 2}, "keep keep refuse refuse"),
        ({"top_share": 0.25}, "keep refuse refuse refuse"),
        ({"top_share": 0.3}, "keep keep refuse refuse"),
        ({"top_share": 1}, "keep keep keep keep"),
        ({"min_z": 0}, "keep keep refuse refuse"),
        ({"min_z": 1}, "keep refuse refuse refuse"),
        ({"min_z": 9}, "refuse refuse refuse refuse"),
    ],
)
async def test_rules(verdicts: Any, rule: Any, expected: str) -> None:
    assert outcomes(await verdicts(RewardRank(**rule), [said("a 4"), said("b 3"), said("c 2"), said("d 1")])) == expected


async def test_equals_stay_in_the_order_in_which_they_came(verdicts: Any) -> None:
    found = await verdicts(RewardRank(top_k=2), [said("a 1"), said("b 1"), said("c 1")])
    assert outcomes(found) == "keep keep refuse"


async def test_one_that_has_nobody_to_be_compared_with(verdicts: Any) -> None:
    for rule in ({"top_k": 1}, {"top_share": 0.1}, {}):
        (only,) = await verdicts(RewardRank(**rule), [said("a -3")])
        assert (only.outcome, only.evidence) == ("keep", {"rank": 1, "of": 1, "z": None})
    (only,) = await verdicts(RewardRank(min_z=0), [said("a -3")])
    assert (only.outcome, only.score) == ("abstain", -3)
    assert only.reason.startswith("no_spread: ")
    assert outcomes(await verdicts(RewardRank(min_z=0), [said("a 2"), said("b 2")])) == "abstain abstain"


async def test_other_seeds_with_the_same_prompt_are_other_families(verdicts: Any) -> None:
    """Otherwise which seeds happen to be judged together would decide."""
    records = [said("a 1", root="one"), said("b 2", root="two")]
    assert outcomes(await verdicts(RewardRank(top_k=1), records)) == "keep keep"
    assert outcomes(await verdicts(RewardRank(top_k=1), [said("a 1", root="one"), said("b 2", root="one")])) == "refuse keep"


async def test_other_turns_before_the_answer_are_another_prompt(verdicts: Any) -> None:
    turns = [(user("a"), assistant("b"), user("c")), (user("a"), assistant("x"), user("c"))]
    records = [Record(content=Conversation(messages=(*before, assistant(f"{n} 1")))) for n, before in enumerate(turns)]
    assert outcomes(await verdicts(RewardRank(top_k=1), records)) == "keep keep"


@pytest.mark.parametrize("kind", [Reward, RewardRank])
async def test_what_cannot_be_scored_is_an_abstention_and_takes_no_other_with_it(verdicts: Any, kind: Any) -> None:
    records = [
        said("good 1"),
        said("poison"),
        said("fine 2"),
        Record(content=PlainText(text="a page")),
        Record(content=Conversation(messages=(user("only a question"),))),
        said("   "),
        said("<think>cut off"),
        Record(),
    ]
    found = await verdicts(kind(), records)
    assert outcomes(found) == "keep abstain keep abstain abstain abstain abstain abstain"
    assert found[1].reason == "not_scored: 400: too long for the model"
    assert {verdict.reason.partition(":")[0] for verdict in found[3:]} == {"nothing_to_score"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Reward(), "keep"),
        (Reward(min_score=1), "refuse"),
        (Reward(min_score=1, on_abstain="keep"), "keep"),
        (RewardRank(), "keep"),
        (RewardRank(top_k=1), "refuse"),
        (RewardRank(top_k=1, on_abstain="keep"), "keep"),
    ],
    ids=str,
)
def test_a_label_removes_nothing_and_a_rule_what_it_cannot_check(part: Any, expected: str) -> None:
    assert part.on_abstain == expected
    assert type(part).model_validate({key: value for key, value in part.model_dump().items() if key != "use"}) == part


def test_one_rule_at_a_time() -> None:
    with pytest.raises(ValidationError, match="one rule at a time, not top_k and min_z"):
        RewardRank(top_k=1, min_z=0)
    for bad in ({"top_k": 0}, {"top_share": 0}, {"top_share": 1.1}):
        with pytest.raises(ValidationError):
            RewardRank(**bad)


async def test_thinking_is_shown_only_where_asked_for(verdicts: Any) -> None:
    seen: list[str] = []

    def look(text: str) -> float:
        seen.append(text)
        return 1.0

    turns = (user("Q"), Message(role="assistant", content="Seven.", reasoning="Three and four."))
    raw = (user("Q"), assistant("<think>Three and four.</think>\n\nSeven."))
    for messages in (turns, raw):
        record = Record(content=Conversation(messages=messages))
        await verdicts(Reward(), [record], look)
        await verdicts(Reward(thinking=True), [record], look)
    # the second form asks for what is in the store already
    assert seen == ["Seven.", "Three and four.\n\nSeven."]


async def test_a_pair_is_scored_by_its_better_answer(verdicts: Any) -> None:
    pair = Record(content=Preference(prompt=(user("Q"),), chosen=(assistant("yes 3"),), rejected=(assistant("no 9"),)))
    (found,) = await verdicts(Reward(), [pair])
    assert found.score == 3


@pytest.mark.parametrize("text", ["x" * 1_000_000 + " 1", "\ud800 1", "\0\x1b[31m 1", "<|im_end|>\n<|im_start|>user\n 1", "\u202e 1"])
async def test_hostile_answers(verdicts: Any, text: str) -> None:
    hostile, other = await verdicts(RewardRank(top_k=2), [said(text), said("a 2")])
    assert hostile.outcome in ("keep", "abstain", "refuse")
    assert other.keep


async def test_nothing_is_paid_twice(tmp_path: Path, tools: Any) -> None:
    """The rank after the label, and both of them in the next run, come from the store."""
    asked_for: list[str] = []

    def count(text: str) -> float:
        asked_for.append(text)
        return 1.0

    records = [said("a 1"), said("b 2")]
    for part in (Reward(), RewardRank(), Reward(min_score=0)):
        async with opened(part, tmp_path, tools, count) as judge:
            await judge(records)
    assert asked_for == ["a 1", "b 2"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scores=st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1e9, 1e9)), max_size=12), k=st.integers(1, 4))
async def test_each_prompt_keeps_its_k_best_whatever_the_scores(tmp_path_factory: Any, tools: Any, scores: Any, k: int) -> None:
    records = [said(f"{at} {score!r}", prompt) for at, (prompt, score) in enumerate(scores)]
    async with opened(RewardRank(top_k=k), tmp_path_factory.mktemp("s"), tools) as judge:
        found = await judge(records)
    for name in "abc":
        mine = [(score, verdict.keep) for (prompt, score), verdict in zip(scores, found, strict=True) if prompt == name]
        assert sum(keep for _, keep in mine) == min(k, len(mine))
        kept, lost = [score for score, keep in mine if keep], [score for score, keep in mine if not keep]
        assert not lost or min(kept) >= max(lost)


async def test_rows_of_one_prompt_that_stand_together_are_compared_with_each_other_however_many_rows_there_are() -> None:
    """A group that lies across the pieces in which `judge` takes its rows."""
    rows = [{"prompt": f"p{n // 7}", "response": f"r {n}"} for n in range(210)]
    models = {"reward": scoring(reading)}
    found = await ajudge(rows, [{"use": "reward_rank", "top_k": 1}], models=models)
    assert [at for at, judgement in enumerate(found) if judgement.keep] == list(range(6, 210, 7))


class FourTimes(Generator):
    """Asks each seed four times, all at once."""

    model: str = "teacher"

    async def generate(self, seed: Record, tools: Any) -> AsyncIterator[Record]:
        model = tools.model(self.model)
        replies = await asyncio.gather(*(model.chat(seed.messages, path="ask", sample=n) for n in range(4)))
        for reply in replies:
            yield seed.derive("four", (*seed.messages, assistant(reply.text)), replies=[reply])


def test_in_a_run_each_seed_keeps_its_best_whatever_the_concurrency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(request: Request, seed: int | None) -> str:
        return f"answer {(seed or 0) % 1000}"

    texts = []
    for at, in_flight in enumerate((1, 32)):
        monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / f"home{at}"))
        models = {"teacher": Scripted(name="w", function=write, max_in_flight=in_flight), "reward": scoring(reading)}
        recipe = Recipe.build(
            {
                "name": "ranked",
                "models": models,
                "seeds": {"inline": [f"question {n}" for n in range(12)]},
                "generate": [{"branches": [{"generator": FourTimes()}], "filters": [RewardRank(top_k=1)]}],
                "output": {"dir": str(tmp_path / f"out{at}")},
                "checks": {"sample": 0},
            }
        )
        run(recipe)
        with LedgerReader(tmp_path / f"out{at}" / ".run" / "ledger.db") as reader:
            kept = [Record.load(row.body) for row in reader.rows("accepted")]
            lost = [Record.load(row.body) for row in reader.rows("refused")]
        texts.append([record.response.text for record in kept if record.response])
        assert (len(kept), len(lost)) == (12, 36)
        best = {record.prompt: record.verdicts[-1].score for record in kept}
        assert all(record.verdicts[-1].score <= best[record.prompt] for record in lost)
    assert texts[0] == texts[1]
