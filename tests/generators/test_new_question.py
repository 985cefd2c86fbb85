"""`new_question`: gold by majority vote, or none (methods.md 7)."""

from __future__ import annotations

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.errors import Refused
from datalchemy.core.record import Conversation, Record, Verdict, user
from datalchemy.generators.new_question import OPERATORS, NewQuestion
from pydantic import ValidationError

SEED = Record(content=Conversation(messages=(user("Leo has 5 pens and buys 3. How many pens has he?"),)), answer="8", tests="[]")
NEW = "Ann has 6 cups and breaks 2. How many are left?"
EQUAL = {"0.5": "half", "1/2": "half"}


def math_answer(record: Record) -> Verdict:
    """The last word of the text, against the last word of the reference; `0.5` is `1/2`."""
    got, gold = record.messages[-1].text.split()[-1], (record.answer or "").split()[-1]
    if got == "unclear":
        return Verdict(by="math_answer", outcome="refuse", reason="no_answer", evidence={"got": ""})
    same = EQUAL.get(got, got) == EQUAL.get(gold, gold)
    return Verdict(by="math_answer", outcome="keep" if same else "refuse", reason="" if same else "wrong_answer", evidence={"got": got})


def script(*answers: str | Reply, question: str = NEW):
    def say(call):
        if call.path == "write":
            return f"<plan>Take away.</plan>\n<question>{question}</question>"
        answer = answers[call.sample]
        return answer if isinstance(answer, Reply) else f"It is {answer}"

    return say


@pytest.fixture
def bench(scripted, double):
    return lambda say, **more: double(scripted(say, **more), {"math_answer": math_answer})


ONE = NewQuestion(model="teacher", k=1, operators=("numbers",))
CUT = Reply(text="It is 4", finish_reason="length")


async def test_the_answer_of_the_majority_is_gold(bench, yielded):
    tools = bench(script("5", "4", "4", "4", "4"))
    (record,) = await yielded(ONE, SEED, tools)
    assert (record.prompt, record.response.text, record.answer) == (NEW, "It is 4", "4")
    assert record.labels == {"finish_reason": "stop", "share": 0.75, "agreeing": 3, "tried": 4}
    assert record.lineage[-1].detail == {"sample": 1, "operator": "numbers", "gold_by": "vote"}
    assert record.lineage[-1].prompt == "new_question.numbers"
    assert record.tests is None, "the seed's tests are for another problem"
    assert len(tools.teacher.calls) == 5


async def test_three_equal_ones_settle_it(bench, yielded):
    tools = bench(script("4", "4", "4", "5", "5"))
    (record,) = await yielded(ONE, SEED, tools)
    assert record.labels["tried"] == 3
    assert len(tools.teacher.calls) == 4


async def test_answers_are_grouped_by_the_filter_and_not_by_their_spelling(bench, yielded):
    (record,) = await yielded(ONE, SEED, bench(script("0.5", "1/2", "0.5")))
    assert (record.answer, record.labels["agreeing"]) == ("0.5", 3)


@pytest.mark.parametrize(
    "answers",
    [
        ("4", "5", "4", "5", "6"),
        ("1", "2", "3", "4", "5"),
        ("4", "4", CUT, CUT, CUT),
        ("4", "unclear", "4", "unclear", "unclear"),
        ("unclear",) * 5,
    ],
)
async def test_without_a_majority_there_is_no_gold(answers, bench, yielded):
    with pytest.raises(Refused) as refused:
        await yielded(ONE, SEED, bench(script(*answers)))
    assert refused.value.reason == "no_majority"


async def test_voting_ends_when_no_majority_can_come_any_more(bench, yielded):
    tools = bench(script("1", "2", "3", "3", "3"))
    (record,) = await yielded(ONE, SEED, tools)
    assert record.answer == "3", "it still could"
    tools = bench(script("1", "unclear", "2", "unclear", "3"))
    with pytest.raises(Refused):
        await yielded(ONE, SEED, tools)
    assert len(tools.teacher.calls) == 1 + 4


async def test_the_verdicts_of_the_vote_are_not_those_of_the_record(bench, yielded):
    """The engine remembers a verdict by the record's content: what was judged against other answers has another one."""
    tools = bench(script("5", "4", "4", "4", "4"))
    (record,) = await yielded(ONE, SEED, tools)
    assert tools.judged
    assert all(judged.content is not record.content for _, records in tools.judged for judged in records)


async def test_the_seeds_answer_is_never_carried_along(bench, yielded):
    (record,) = await yielded(ONE, SEED.model_copy(update={"answer": None}), bench(script("4", "4", "4")))
    assert record.answer == "4"


@pytest.mark.parametrize(("question", "reason"), [(SEED.prompt, "unchanged"), ("...", "unreadable")])
async def test_reasons(question, reason, bench, yielded):
    tools = bench(script("4", question=question))
    with pytest.raises(Refused) as refused:
        await yielded(ONE, SEED, tools)
    assert refused.value.reason == reason
    assert len(tools.teacher.calls) == 1


async def test_operators_take_turns_and_equal_questions_are_solved_once(bench, yielded):
    tools = bench(script("4", "4", "4"))
    records = []
    with pytest.raises(Refused, match="4 of 5 came to nothing"):
        async for record in NewQuestion(model="teacher", k=5).generate(SEED, tools):
            records.append(record)
    assert len(records) == 1
    strategy = NewQuestion(model="teacher", k=5)
    tools = bench(lambda call: f"<question>{call.number} cups?</question>" if call.path == "write" else "It is 4")
    made = await yielded(strategy, SEED, tools)
    assert {record.lineage[-1].detail["operator"] for record in made} == set(OPERATORS)
    assert len(tools.teacher.calls) == 5 * (1 + 3) <= strategy.calls_per_seed()


async def test_latency_changes_nothing(bench, yielded):
    say = script("5", "4", "4", "4", "4")
    assert await yielded(ONE, SEED, bench(say)) == await yielded(ONE, SEED, bench(say, latency=lambda call: call.number % 9))


def test_a_share_that_would_leave_ties_is_refused():
    with pytest.raises(ValidationError, match="min_share"):
        NewQuestion(model="teacher", min_share=0.5)
