"""`process_reward` over the engine's own models: how an answer is taken apart, tagged and put together again."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asked_models import asked, scoring
from datalchemy.core.errors import Rejected
from datalchemy.core.part import Filter
from datalchemy.core.record import Conversation, Message, PlainText, Record, ScoredStep, ScoredSteps, Verdict, assistant, user
from datalchemy.eval.process_reward import SHOWN, ProcessReward
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

TAG = "<extra_0>"


def reading(text: str) -> list[float] | Exception:
    """Of each step the number in front of it; a refusal for what holds `poison`."""
    return Rejected("400: too long") if "poison" in text else [float(step.split()[0]) for step in text.split(TAG)[:-1]]


@asynccontextmanager
async def opened(part: Filter, folder: Path, tools: Any, function: Any = reading) -> AsyncIterator[Any]:
    async with asked(folder, process_reward=scoring(function)) as models, part.open(replace(tools, models=models)) as judge:
        yield judge


@pytest.fixture
def verdicts(tmp_path: Path, tools: Any) -> Callable[..., Awaitable[list[Verdict]]]:
    async def judged(part: Filter, records: Sequence[Record], function: Any = reading) -> list[Verdict]:
        async with opened(part, tmp_path, tools, function) as judge:
            return list(await judge(records))

    return judged


def said(text: str, reasoning: str | None = None) -> Record:
    return Record(content=Conversation(messages=(user("Q"), Message(role="assistant", content=text, reasoning=reasoning))))


@pytest.mark.parametrize(
    ("aggregate", "score"), [("min", 0.5), ("product", 0.9 * 0.5 * 0.8), ("last", 0.8), ("mean", (0.9 + 0.5 + 0.8) / 3)]
)
async def test_steps_come_to_one_score(verdicts: Any, aggregate: Any, score: float) -> None:
    (found,) = await verdicts(ProcessReward(aggregate=aggregate), [said("0.9 first\n\n0.5 second\n\n0.8 third")])
    assert found.keep
    assert found.score == pytest.approx(score)
    assert found.evidence == {"steps": [0.9, 0.5, 0.8], "of": 3, "weakest": 2}


async def test_nothing_is_removed_unless_a_least_score_is_written(verdicts: Any) -> None:
    record = said("0.9 fine\n\n0.1 wrong here")
    assert (await verdicts(ProcessReward(), [record]))[0].keep
    (found,) = await verdicts(ProcessReward(min_score=0.2), [record])
    assert found.outcome == "refuse"
    assert found.reason == "weak_step: min 0.1, at least 0.2 asked; step 2 of 2 has 0.1: 0.1 wrong here"
    assert (await verdicts(ProcessReward(min_score=0.1), [record]))[0].keep


async def shown_to_the_model(verdicts: Any, record: Record, **settings: Any) -> str:
    seen: list[str] = []

    def look(text: str) -> list[float]:
        seen.append(text)
        return [1.0] * (text.count(settings.get("step_tag", TAG)))

    await verdicts(ProcessReward(**settings), [record], look)
    return seen[0]


async def test_what_the_model_sees(verdicts: Any) -> None:
    record = said("C.\nD.", reasoning="A.\n \n\n\nB.")
    assert await shown_to_the_model(verdicts, record) == f"A.{TAG}B.{TAG}C.\nD.{TAG}"
    assert await shown_to_the_model(verdicts, record, split="lines") == f"A.{TAG}B.{TAG}C.{TAG}D.{TAG}"
    assert await shown_to_the_model(verdicts, record, parts=["answer"]) == f"C.\nD.{TAG}"
    assert await shown_to_the_model(verdicts, record, step_tag=" ки") == "A. киB. киC.\nD. ки"
    raw = said("<think>A.\n\nB.</think>\n\nC.")
    assert await shown_to_the_model(verdicts, raw) == f"A.{TAG}B.{TAG}C.{TAG}"


async def test_trap_the_tag_in_the_text_itself_makes_no_step(verdicts: Any) -> None:
    """Also not where taking it out would make another one: it would move every later score to the wrong step."""
    text = f"A {TAG} a\n\nB <ext{TAG}ra_0> b\n\n{TAG}"
    assert await shown_to_the_model(verdicts, said(text)) == f"A  a{TAG}B  b{TAG}"
    hostile = Record(content=Conversation(messages=(user(f"Q {TAG}"), assistant("one"))))
    assert TAG not in (await shown_to_the_model(verdicts, hostile)).removesuffix(TAG)


async def test_steps_that_the_record_has_are_taken_as_they_are(verdicts: Any) -> None:
    steps = ScoredSteps(prompt=(user("Q"),), steps=(ScoredStep(text="0.9 a\n\nb"), ScoredStep(text="0.4 c")))
    (found,) = await verdicts(ProcessReward(), [Record(content=steps)])
    assert found.evidence["steps"] == [0.9, 0.4]


async def test_what_cannot_be_scored_is_an_abstention_and_takes_no_other_with_it(verdicts: Any) -> None:
    records = [
        said("0.5 good"),
        said("poison"),
        said(""),
        Record(content=PlainText(text="page")),
        Record(content=Conversation(messages=(user("Q"),))),
        said("\n\n".join(["0.5"] * 5)),
    ]
    found = await verdicts(ProcessReward(max_steps=4), records)
    words = [verdict.reason.partition(":")[0] for verdict in found]
    assert words == ["", "not_scored", "no_steps", "no_steps", "no_steps", "too_many_steps"]
    assert [verdict.outcome for verdict in found[1:]] == ["abstain"] * 5


async def test_a_server_that_miscounts_is_not_believed(verdicts: Any) -> None:
    (found,) = await verdicts(ProcessReward(), [said("a\n\nb")], lambda text: [0.5])
    assert (found.outcome, found.reason) == ("abstain", "not_scored: 1 scores for 2 steps")


async def test_evidence_stays_small(verdicts: Any) -> None:
    (found,) = await verdicts(ProcessReward(), [said("\n\n".join(f"0.{n:03}" for n in range(200)))])
    assert len(found.evidence["steps"]) == SHOWN
    assert found.evidence["of"] == 200
    assert len(found.model_dump_json()) < 2000


def test_settings() -> None:
    assert ProcessReward().on_abstain == "keep"
    assert ProcessReward(min_score=0.5).on_abstain == "refuse"
    assert ProcessReward(min_score=0.5, on_abstain="keep").on_abstain == "keep"
    assert ProcessReward().needs() == {"process_reward": frozenset({"steps"})}
    for bad in ({"min_score": 2}, {"step_tag": ""}, {"aggregate": "max"}):
        with pytest.raises(ValidationError):
            ProcessReward(**bad)


@pytest.mark.parametrize("text", ["x\n\n" * 300_000, "\n" * 1_000_000, "a" * 1_000_000, "\ud800", f"{'<' * 50_000}", TAG * 30_000])
async def test_hostile_answers(verdicts: Any, text: str) -> None:
    hostile, other = await verdicts(ProcessReward(), [said(text), said("fine")], lambda text: [0.5] * text.count(TAG))
    assert hostile.outcome in ("keep", "abstain")
    assert other.keep


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=f"ab \n{TAG}", max_size=60))
async def test_there_are_as_many_tags_as_steps_whatever_the_text(tmp_path_factory: Any, tools: Any, text: str) -> None:
    seen: list[str] = []

    def look(tagged: str) -> list[float]:
        seen.append(tagged)
        return [0.5] * tagged.count(TAG)

    async with opened(ProcessReward(aggregate="product"), tmp_path_factory.mktemp("s"), tools, look) as judge:
        (found,) = await judge([said(text)])
    if seen:
        assert found.keep
        assert found.score == pytest.approx(math.prod([0.5] * found.evidence["of"]))
        assert all(step.strip() for step in seen[0].split(TAG)[:-1])
