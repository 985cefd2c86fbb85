"""`persona_answers`: several people answer one question, and differ (issue 4.2)."""

from __future__ import annotations

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.errors import Disconnected, Refused
from datalchemy.core.record import Conversation, Record, assistant, system, user
from datalchemy.generators.persona_answers import PersonaAnswers
from datalchemy.personas.panel import PANEL
from pydantic import ValidationError

SEED = Record(content=Conversation(messages=(user("How do I stop a window from sweating?"),)), answer="air it")
SAID = [
    "Open it twice a day for ten minutes and measure the moisture.",
    "Mould harms the lungs, so first find out where water enters.",
    "Who says that it is the window? Check the wall behind it.",
    "My grandmother put salt between panes, and it worked for years.",
]


@pytest.fixture
def bench(scripted, double):
    return lambda say=lambda call: SAID[int(call.path[-1])], **more: double(scripted(say), **more)


async def collected(strategy, seed, tools):
    found = []
    try:
        async for record in strategy.generate(seed, tools):
            found.append(record)
    except Refused as refused:
        return found, refused
    return found, None


async def test_four_people_answer_at_once_each_as_somebody_else(bench, yielded):
    tools = bench()
    records = await yielded(PersonaAnswers(model="teacher"), SEED, tools)
    assert [call.path for call in tools.teacher.calls] == [f"answer{n}" for n in range(4)]
    assert [record.messages[-1].text for record in records] == SAID
    assert len({record.labels["persona"] for record in records}) == 4
    assert {record.labels["persona"] for record in records} <= {view.key for view in PANEL}
    for call, record in zip(tools.teacher.calls, records, strict=True):
        assert [turn.role for turn in record.messages] == ["system", "user", "assistant"]
        assert call.texts[0] == ("system", record.messages[0].text)
        assert record.lineage[-1].detail["persona"] in record.messages[0].text
        assert record.labels["distinct"] == 1.0


async def test_without_keep_persona_the_record_is_question_and_answer(bench, yielded):
    talk = Record(content=Conversation(messages=(system("Be brief."), user("Hi"), assistant("Yes?", "hm"), user("Windows?"))))
    tools = bench()
    records = await yielded(PersonaAnswers(model="teacher", keep_persona=False), talk, tools)
    assert [turn.role for turn in records[0].messages] == ["system", "user", "assistant", "user", "assistant"]
    assert records[0].messages[0] == system("Be brief.")
    assert records[0].lineage[-1].detail["persona"] not in str(records[0].messages)
    assert [role for role, _ in tools.teacher.calls[0].texts] == ["system", "user", "assistant", "user"], (
        "the point of view takes its place"
    )


async def test_answers_that_say_the_same_are_left_out_and_the_rest_is_measured(bench):
    said = [SAID[0], SAID[0].replace("measure", "watch"), SAID[1], "Open it twice a day, and see a doctor about the mould."]
    records, refused = await collected(PersonaAnswers(model="teacher"), SEED, bench(lambda call: said[int(call.path[-1])]))
    assert [record.lineage[-1].detail["sample"] for record in records] == [0, 2, 3]
    assert str(refused) == "near_equal: of 4 answers were left out: near_equal 1"
    distinct = [record.labels["distinct"] for record in records]
    assert distinct[1] == 1.0
    assert 0.4 < distinct[0] == distinct[2] < 1.0
    everything, none = await collected(PersonaAnswers(model="teacher", max_shared=1.0), SEED, bench(lambda call: said[int(call.path[-1])]))
    assert (len(everything), none) == (4, None), "control: only equal answers are left out then"


async def test_a_long_answer_does_not_hide_that_it_repeats_a_short_one(bench):
    said = [SAID[0], SAID[0] + " " + " ".join(f"and step {n} follows" for n in range(30)), *SAID[2:]]
    records, refused = await collected(PersonaAnswers(model="teacher"), SEED, bench(lambda call: said[int(call.path[-1])]))
    assert len(records) == 3
    assert refused is not None


async def test_an_empty_answer_costs_only_itself(bench):
    said = ["", *SAID[1:]]
    records, refused = await collected(PersonaAnswers(model="teacher"), SEED, bench(lambda call: said[int(call.path[-1])]))
    assert len(records) == 3
    assert refused is not None
    assert refused.reason == "empty_answer"
    records, refused = await collected(PersonaAnswers(model="teacher"), SEED, bench(lambda call: "<think>\nand so on"))
    assert (records, refused and refused.reason) == ([], "empty_answer")


async def test_a_bare_answer_must_not_give_its_persona_away(bench):
    people = {"texts": ["a glazier of old church windows", "a cook"]}
    tools = bench(lambda call: "As a glazier, I would air it." if "glazier" in call.texts[0][1] else "As a cook, I'd do the same.")
    bare = PersonaAnswers.model_validate({"model": "teacher", "k": 2, "personas": people, "keep_persona": False})
    records, refused = await collected(bare, SEED, tools)
    assert refused is not None
    assert refused.reason == "persona_named"
    kept = PersonaAnswers.model_validate({"model": "teacher", "k": 2, "personas": people, "max_shared": 1.0})
    records, refused = await collected(kept, SEED, tools)
    assert len(records) == 2, "control: where the point of view stands before it, it may say so"


async def test_reasoning_is_kept_apart_and_a_cut_answer_says_so(bench, yielded):
    reply = Reply(text="<think>\nwhy\n</think>\n\nOpen it twice", finish_reason="length")
    (record,) = await yielded(PersonaAnswers(model="teacher", k=1), SEED, bench(lambda call: reply))
    assert (record.messages[-1].text, record.messages[-1].reasoning, record.labels["finish_reason"]) == ("Open it twice", "why", "length")


async def test_every_question_gets_people_of_its_own_and_repeats_them(bench, yielded):
    strategy = PersonaAnswers.model_validate({"model": "teacher", "personas": {"seed": 1}})
    first, again, other = [[record.labels["persona"] for record in await yielded(strategy, SEED, bench(seed=seed))] for seed in (7, 7, 8)]
    assert first == again != other
    assert len(set(first)) == 4


async def test_a_failing_call_fails_the_candidate_once_all_have_ended(bench, yielded):
    def say(call):
        if call.path == "answer1":
            raise Disconnected("gone")
        return SAID[0]

    tools = bench(say)
    with pytest.raises(Disconnected):
        await yielded(PersonaAnswers(model="teacher"), SEED, tools)
    assert len(tools.teacher.calls) == 4


async def test_in_chinese(bench, yielded):
    tools = bench(language="zh")
    await yielded(PersonaAnswers(model="teacher"), SEED, tools)
    assert all("请从下面这个人物的角度回答" in call.texts[0][1] for call in tools.teacher.calls)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 13}, "13` different personas of 12"),
        ({"k": 3, "personas": {"texts": ["a", "b"]}}, "of 2"),
        ({"k": 0}, "greater than or equal to 1"),
    ],
)
def test_more_people_than_there_are(settings, message):
    with pytest.raises(ValidationError, match=message):
        PersonaAnswers.model_validate({"model": "teacher", **settings})
