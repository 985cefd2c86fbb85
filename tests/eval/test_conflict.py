from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.record import Conversation, Record, assistant, user
from datalchemy.eval.conflict import Conflict

Judge = Callable[..., Any]
QUESTION = "A baker sells 12 rolls at 0.50 each. What does she take in?"


def asked(answer: str, origin: object = "", question: str = QUESTION, *before: str) -> Record:
    turns = [turn for text in before for turn in (user(text), assistant("Well."))]
    return Record(content=Conversation(messages=(*turns, user(question), assistant(answer))), origin=str(origin))


def outcomes(verdicts: list[Any]) -> str:
    return " ".join(verdict.outcome for verdict in verdicts)


async def test_the_majority_stays_and_the_share_is_the_score(judge: Judge) -> None:
    records = [asked("It is \\boxed{6}."), asked("\\boxed{7}"), asked("The answer is 6.00 dollars.", 2), asked("#### 6", 3)]
    verdicts = await judge(Conflict(), records)
    assert outcomes(verdicts) == "keep refuse keep keep"
    assert [verdict.score for verdict in verdicts] == [0.75, 0.25, 0.75, 0.75]
    assert verdicts[1].reason == "conflict: 3 of 4 answers to this question say 6, this one 7"
    assert verdicts[0].evidence == {"answers": 4, "different": 2, "agree": 3}


async def test_without_a_majority_or_on_demand_none_stays(judge: Judge) -> None:
    split = [asked("\\boxed{6}"), asked("\\boxed{7}"), asked("\\boxed{6.0}", 2), asked("\\boxed{8}", 3)]
    verdicts = await judge(Conflict(), split)
    assert outcomes(verdicts) == "refuse refuse refuse refuse"
    assert verdicts[0].reason == "conflict: 4 answers to one question, 3 different: 6, 7, 8"
    three = [asked("\\boxed{6}"), asked("\\boxed{7}"), asked("\\boxed{6}", 2)]
    assert outcomes(await judge(Conflict(keep="none"), three)) == "refuse refuse refuse"
    assert outcomes(await judge(Conflict(keep="none"), three[::2])) == "keep keep"


async def test_questions_with_other_numbers_are_other_questions(judge: Judge) -> None:
    """The control: one word more is the same question."""
    other = QUESTION.replace("12", "14")
    longer = " ".join([QUESTION] * 4)
    assert outcomes(await judge(Conflict(), [asked("\\boxed{6}"), asked("\\boxed{7}", question=other)])) == "keep keep"
    assert outcomes(await judge(Conflict(), [asked("\\boxed{6}", 0, longer), asked("\\boxed{7}", 0, "So: " + longer)])) == "refuse refuse"


async def test_what_was_said_before_belongs_to_the_question(judge: Judge) -> None:
    records = [asked("\\boxed{6}", 0, "Go on.", "Add one to five."), asked("\\boxed{7}", 0, "Go on.", "Add one to six.")]
    assert outcomes(await judge(Conflict(), records)) == "keep keep"
    again = [records[0], asked("\\boxed{7}", 0, "Go on.", "Add one to five.")]
    assert outcomes(await judge(Conflict(), again)) == "refuse refuse"


async def test_texts_are_compared_with_texts(judge: Judge) -> None:
    records = [asked("Six dollars"), asked("SIX  dollars"), asked("\\boxed{6}"), asked("Seven dollars")]
    assert outcomes(await judge(Conflict(), records)) == "keep keep keep refuse"
    assert outcomes(await judge(Conflict(compare="text"), [asked("So \\boxed{6}"), asked("Thus \\boxed{6}")])) == "refuse refuse"


async def test_nothing_to_compare(judge: Judge) -> None:
    only = Record(content=Conversation(messages=(user(QUESTION),)))
    verdicts = await judge(Conflict(), [only, asked("\\boxed{6}"), asked(" "), Record()])
    assert outcomes(verdicts) == "abstain keep abstain abstain"
    assert verdicts[1].score == 1.0


@pytest.mark.parametrize(
    "answer", ["\\boxed{" + "(" * 5000 + "}", "\\boxed{" * 2000, "9" * 1_000_000, "\ud800", "\\boxed{" + "1/" * 400 + "1}"]
)
async def test_hostile_answers(judge: Judge, answer: str) -> None:
    verdicts = await judge(Conflict(), [asked(answer, n) for n in range(3)])
    assert outcomes(verdicts) == "keep keep keep"


async def test_many_different_answers(judge: Judge) -> None:
    verdicts = await judge(Conflict(), [asked(f"\\boxed{{{n}}}", n) for n in range(600)])
    assert {verdict.outcome for verdict in verdicts} == {"refuse"}
