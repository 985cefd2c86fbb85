"""`backward`: the masked number is the new gold, and is found again (methods.md 7)."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import Conversation, Record, Verdict, user
from datalchemy.generators.backward import Backward

SEED = Record(content=Conversation(messages=(user("Leo has 5 pens and buys 3. How many pens has he?"),)), answer="8", tests="[]")
ALL = Backward(model="teacher", k=8)
STATED = Backward(model="teacher", k=8, form="statement")


def math_answer(record: Record) -> Verdict:
    got = record.messages[-1].text.rpartition(" ")[2]
    same = got == record.answer
    return Verdict(by="math_answer", outcome="keep" if same else "refuse", reason="" if same else f"wrong_answer: got {got}")


def solver(call):
    """Solves what the answer depends on: x pens and 3, or 5 pens and x, make 8."""
    if call.path.endswith(".state"):
        text = call.asked.partition("<problem>")[2].partition("</problem>")[0].strip()
        return f"<statement>{text.replace('How many pens has he?', 'He then has 8 pens.')}</statement>"
    return "It is 5" if "has x" in call.asked else "It is 3"


@pytest.fixture
def bench(scripted, double):
    return lambda say=solver, **more: double(scripted(say, **more), {"math_answer": math_answer})


async def refusal(yielded, tools, strategy=ALL, seed=SEED) -> Refused:
    with pytest.raises(Refused) as refused:
        await yielded(strategy, seed, tools)
    return refused.value


def asking(text: str, answer: str = "8") -> Record:
    return SEED.model_copy(update={"content": Conversation(messages=(user(text),)), "answer": answer})


async def test_each_number_in_turn_is_asked_for(bench, yielded):
    tools = bench()
    first, second = await yielded(ALL, SEED, tools)
    assert first.prompt == (
        "Leo has x pens and buys 3. How many pens has he?\n\n"
        "The answer to this problem is 8. One number in it is unknown and written as x. What is the value of x?"
    )
    assert [record.answer for record in (first, second)] == ["5", "3"]
    assert first.tests is None
    assert first.lineage[-1].detail == {"sample": 0, "operator": "masked", "masked": "5", "symbol": "x", "known": "8"}
    assert first.lineage[-1].prompt == "backward.masked"
    assert [call.path for call in tools.teacher.calls] == ["mask8.solve", "mask24.solve"]


async def test_the_statement_form_restates_first(bench, yielded):
    tools = bench()
    first, second = await yielded(STATED, SEED, tools)
    assert first.prompt == "Leo has x pens and buys 3. He then has 8 pens. What is the value of x?"
    assert second.answer == "3"
    assert len(first.lineage[-1].keys) == 2
    assert len(tools.teacher.calls) == 4


async def test_a_number_on_which_the_answer_does_not_depend_is_refused(bench, yielded):
    seed = asking("Leo, who is 41, has 5 pens and buys 3. How many pens has he?")
    records = []
    with pytest.raises(Refused, match="1 of 3 came to nothing") as refused:
        async for record in ALL.generate(seed, bench()):
            records.append(record)
    assert refused.value.reason == "not_reproduced"
    assert [record.answer for record in records] == ["5", "3"]


async def test_another_letter_where_x_is_taken(bench, yielded):
    seed = asking("Box x holds 5 pens. Leo adds 3. How many pens?")
    first, _ = await yielded(ALL, seed, bench(lambda call: "It is 5" if "holds y" in call.asked else "It is 3"))
    assert "Box x holds y pens" in first.prompt


@pytest.mark.parametrize("text", ["Half of the pens?", "Take 3x from 5kg at 7:30", "5 pens and five more", "x y n k m p q z and 5"])
async def test_nothing_to_mask_costs_nothing(text, bench, yielded):
    tools = bench()
    assert (await refusal(yielded, tools, seed=asking(text))).reason == "nothing_to_mask"
    assert not tools.teacher.calls


async def test_an_answer_that_says_the_number_gives_it_away(bench, yielded):
    tools = bench()
    refused = await refusal(yielded, tools, seed=asking("Leo has 5 pens and buys none. How many?", "5"))
    assert refused.reason == "answer_gives_number"
    assert not tools.teacher.calls


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("Leo has some pens, buys 3 and has 8.", "symbol_lost"),
        ("Leo has x pens and buys 3.", "answer_lost"),
        ("Leo has x = 5 pens, buys 3 and has 8.", "number_given"),
        ("Leo has x pens, buys 3 and has 8. What is x?", "still_asks"),
    ],
)
async def test_statements_that_do_not_serve(statement, reason, bench, yielded):
    seed = asking("Leo has 5 pens and buys some. How many pens has he?")
    tools = bench(lambda call: f"<statement>{statement}</statement>")
    assert (await refusal(yielded, tools, STATED, seed)).reason == reason
    assert len(tools.teacher.calls) == 1


async def test_no_gold(bench, yielded):
    tools = bench()
    assert (await refusal(yielded, tools, seed=SEED.model_copy(update={"answer": None}))).reason == "no_gold"
    assert not tools.teacher.calls


async def test_k_and_latency(bench, yielded):
    strategy = Backward(model="teacher", k=1)
    (record,) = await yielded(strategy, SEED, bench())
    assert await yielded(strategy, SEED, bench(latency=lambda call: call.number % 5)) == [record]
    assert (ALL.calls_per_seed(), STATED.calls_per_seed()) == (32, 40)
