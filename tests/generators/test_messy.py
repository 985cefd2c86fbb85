"""`messy`: the gold answer is kept only where it still holds."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import Conversation, Record, Verdict, assistant, user
from datalchemy.generators._numbers import values
from datalchemy.generators.messy import Messy

TEXT = "Leo has 5 pens and buys 3 more. How many pens has he?"
SEED = Record(content=Conversation(messages=(user(TEXT),)), answer="8", tests="[]")


def math_answer(record: Record) -> Verdict:
    got = record.messages[-1].text.rpartition(" ")[2]
    same = got == record.answer
    return Verdict(by="math_answer", outcome="keep" if same else "refuse", reason="" if same else f"wrong_answer: got {got}")


def script(message: str = "", reply: str = "How many did he buy?", answer: str = "8"):
    form = f"<flaw>A fact.</flaw><message>{message}</message><reply>{reply}</reply>"
    return lambda call: form if call.path.endswith(".write") else f"It is {answer}"


@pytest.fixture
def bench(scripted, double):
    return lambda say, filters=True, **more: double(scripted(say, **more), {"math_answer": math_answer} if filters else {})


def only(kind: str, **more) -> Messy:
    return Messy(model="teacher", kinds=(kind,), **more)


async def refusal(yielded, strategy, tools, seed=SEED) -> str:
    with pytest.raises(Refused) as refused:
        await yielded(strategy, seed, tools)
    return refused.value.reason


@pytest.mark.parametrize("kind", ["typos", "emoji"])
async def test_by_program_no_number_is_touched_and_the_gold_holds(kind, bench, yielded):
    tools = bench(script())
    (record,) = await yielded(only(kind), SEED, tools)
    assert record.prompt != TEXT
    assert values(record.prompt) == values(TEXT)
    assert (record.answer, record.tests, record.response) == ("8", "[]", assistant("It is 8"))
    assert record.labels["mess"] == kind
    assert record.labels["expects"] == "answer"
    assert [call.path for call in tools.teacher.calls] == [f"{kind}.answer"]
    assert tools.teacher.calls[0].asked.startswith(record.prompt), "the messy question is the one that is answered"


async def test_the_answer_to_a_mess_must_be_right(bench, yielded):
    tools = bench(script(answer="7"))
    assert await refusal(yielded, only("typos"), tools) == "not_reproduced"
    assert len(tools.teacher.calls) == only("typos").calls_per_seed() == 2
    assert await yielded(only("typos"), SEED, bench(script(answer="7"), filters=False)), "without a verifier nobody can tell"


async def test_colloquial_keeps_all_numbers(bench, yielded):
    message = "ok so leo's got 5 pens right, gets 3 more, how many now lol"
    (record,) = await yielded(only("colloquial"), SEED, bench(script(message)))
    assert (record.prompt, record.answer) == (message, "8")
    assert record.lineage[-1].detail["style"] == "everyday English"
    for bad in ("leo's got 5 pens, gets 4 more", "leo's got 5 pens and some more", "5 pens, 3 more, all at 2 bucks"):
        assert await refusal(yielded, only("colloquial"), bench(script(bad))) == "number_changed"


CONTRADICTION = "Leo has 5 pens and buys 3 more. As I said he buys 6. How many pens has he?"
GAP = "Leo has 5 pens and buys some more. How many pens has he?"


@pytest.mark.parametrize(("kind", "message"), [("contradiction", CONTRADICTION), ("underspecified", GAP)])
async def test_a_question_without_an_answer_has_no_gold_and_is_asked_back(kind, message, bench, yielded):
    (record,) = await yielded(only(kind), SEED, bench(script(message, answer="9")))
    assert record.messages == (user(message), assistant("How many did he buy?"))
    assert (record.answer, record.tests) == (None, None)
    assert record.labels == {"finish_reason": "stop", "mess": kind, "expects": "clarification"}
    assert record.lineage[-1].detail == {"operator": kind, "flaw": "A fact."}


async def test_a_gap_that_leaves_the_answer_is_refused(bench, yielded):
    assert await refusal(yielded, only("underspecified"), bench(script(GAP, answer="8"))) == "still_solvable"
    assert await yielded(only("underspecified", probe=False), SEED, bench(script(GAP, answer="8")))


@pytest.mark.parametrize(
    ("kind", "message", "reply", "reason"),
    [
        ("contradiction", TEXT, "?", "unchanged"),
        ("contradiction", "Leo has 5 pens and buys 6 more. How many pens has he?", "Which?", "number_changed"),
        ("contradiction", "Leo has 5 pens and buys 3 more, my friend. How many?", "Which?", "no_contradiction"),
        ("contradiction", CONTRADICTION, "It is 8.", "answered"),
        ("underspecified", "Leo has 5 pens and buys 4 more. How many?", "Which?", "number_added"),
        ("underspecified", "So Leo has 5 pens and buys 3 more. How many pens has he?", "Which?", "nothing_left_out"),
        ("underspecified", GAP, "With 3 it is 8.", "answered"),
        ("underspecified", GAP, "That cannot be told.", "asks_nothing"),
        ("underspecified", "It is unknown. So it is unknown.", "Which?", "off_topic"),
        ("colloquial", "leo has 5 pens, and buys 3 more! how many pens has he", "", "unchanged"),
    ],
)
async def test_reasons(kind, message, reply, reason, bench, yielded):
    tools = bench(script(message, reply))
    assert await refusal(yielded, only(kind), tools) == reason
    assert len(tools.teacher.calls) == 1


@pytest.mark.parametrize("kind", ["typos", "casing"])
async def test_nothing_to_mess_up(kind, bench, yielded):
    tools = bench(script())
    seed = SEED.model_copy(update={"content": Conversation(messages=(user("小明有5支笔，又买了3支，共几支？"),))})
    assert await refusal(yielded, only(kind), tools, seed) == "unchanged"
    assert not tools.teacher.calls


async def test_one_bad_kind_costs_no_other(bench, yielded):
    tools = bench(script(GAP, answer="8"), latency=lambda call: call.number % 5)
    records = []
    with pytest.raises(Refused, match="1 of 2 came to nothing") as refused:
        async for record in Messy(model="teacher", kinds=("underspecified", "typos")).generate(SEED, tools):
            records.append(record)
    assert refused.value.reason == "still_solvable"
    assert [record.labels["mess"] for record in records] == ["typos"]


def test_calls_and_judges():
    every = ("typos", "casing", "emoji", "colloquial", "contradiction", "underspecified")
    assert Messy(model="teacher", kinds=every).calls_per_seed() == 2 * 3 + 3 + 1 + 2
    assert Messy(model="teacher").judges() == ()
    assert Messy(model="teacher", verify="math_answer").judges() == ("math_answer",)
