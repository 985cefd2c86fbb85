"""`answer`: what is asked, what is stored, what is refused."""

from __future__ import annotations

import pytest
from datalchemy.core.backend import Reply, Sampling
from datalchemy.core.errors import BackendFatal, Disconnected, Refused
from datalchemy.core.record import Conversation, Media, Message, PlainText, Record, assistant, system, user
from datalchemy.generators.answer import Answer
from pydantic import ValidationError


def talk(*turns: Message) -> Record:
    return Record(content=Conversation(messages=turns), answer="8", fields={"source": "book"})


async def test_answers_the_prompt_and_keeps_thinking_apart(scripted, double, yielded):
    tools = double(scripted(lambda call: "<think>\n5 + 3\n</think>\n\nIt is 8."))
    seed = talk(user("5 + 3?"))
    (record,) = await yielded(Answer(model="teacher"), seed, tools)
    assert record.messages == (user("5 + 3?"), assistant("It is 8.", reasoning="5 + 3"))
    assert record.labels == {"finish_reason": "stop"}
    assert (record.answer, record.fields) == ("8", {"source": "book"})
    (call,) = tools.teacher.calls
    assert (call.texts, call.path, call.sample, call.sampling) == ([("user", "5 + 3?")], "answer", 0, None)


async def test_a_closing_assistant_turn_is_answered_anew_by_default(scripted, double, yielded):
    tools = double(scripted(lambda call: "new"))
    seed = talk(user("a"), assistant("b", reasoning="why b"), user("c"), assistant("old"))
    (record,) = await yielded(Answer(model="teacher"), seed, tools)
    assert [turn.text for turn in record.messages] == ["a", "b", "c", "new"]
    assert all(turn.reasoning is None for turn in tools.teacher.calls[0].prompt), "reasoning of earlier turns is not sent"


async def test_source_response_asks_the_last_response(scripted, double, yielded):
    tools = double(scripted(lambda call: f"re: {call.asked}"))
    first = (await yielded(Answer(model="teacher"), talk(user("one")), tools))[0]
    (second,) = await yielded(Answer(model="teacher", source="response"), first, tools)
    assert second.messages == (user("re: one"), assistant("re: re: one"))
    assert [step.parent for step in second.lineage] == [talk(user("one")).id, first.id]


async def test_source_response_without_a_response_is_refused(scripted, double, yielded):
    with pytest.raises(Refused) as refused:
        await yielded(Answer(model="teacher", source="response"), talk(user("one")), double(scripted(lambda call: "x")))
    assert refused.value.reason == "no_response"


async def test_redistil_rewrites_every_assistant_turn_after_the_new_ones(scripted, double, yielded):
    tools = double(scripted(lambda call: f"<think>t</think>new{sum(turn.role == 'assistant' for turn in call.prompt)}"))
    seed = talk(system("s"), user("a"), assistant("old0"), user("b"), assistant("old1"), user("c"))
    (record,) = await yielded(Answer(model="teacher", redistil=True), seed, tools)
    assert [turn.text for turn in record.messages] == ["s", "a", "new0", "b", "new1", "c", "new2"]
    assert [turn.reasoning for turn in record.messages if turn.role == "assistant"] == ["t", "t", "t"]
    last = tools.teacher.calls[-1]
    assert last.texts == [("system", "s"), ("user", "a"), ("assistant", "new0"), ("user", "b"), ("assistant", "new1"), ("user", "c")]
    assert all(turn.reasoning is None for turn in last.prompt)
    assert [call.path for call in tools.teacher.calls] == ["turn0", "turn1", "turn2"]
    assert len(record.lineage[-1].keys) == 3
    assert record.lineage[-1].usage.prompt_tokens == 30


async def test_redistil_stops_paying_at_an_empty_turn(scripted, double, yielded):
    tools = double(scripted(lambda call: ""))
    with pytest.raises(Refused, match="empty_answer"):
        await yielded(Answer(model="teacher", redistil=True), talk(user("a"), assistant("b"), user("c"), assistant("d")), tools)
    assert len(tools.teacher.calls) == 1


async def test_redistil_refuses_conversations_with_tool_results(scripted, double, yielded):
    tools = double(scripted(lambda call: "x"))
    with pytest.raises(Refused, match="tool_turns"):
        await yielded(Answer(model="teacher", redistil=True), talk(user("a"), Message(role="tool", content="3"), assistant("b")), tools)
    assert not tools.teacher.calls


def test_redistil_and_source_response_exclude_each_other():
    with pytest.raises(ValidationError, match="set one of them"):
        Answer(model="teacher", redistil=True, source="response")


async def test_an_empty_answer_is_refused_and_the_other_samples_are_kept(scripted, double, yielded):
    strategy = Answer(model="teacher", samples=3)
    tools = double(scripted(lambda call: "  " if call.sample == 1 else f"s{call.sample}"))
    records = []
    with pytest.raises(Refused) as refused:
        async for record in strategy.generate(talk(user("q")), tools):
            records.append(record)
    assert [record.messages[-1].text for record in records] == ["s0", "s2"]
    assert [record.lineage[-1].detail["sample"] for record in records] == [0, 2]
    assert refused.value.reason == "empty_answer"
    assert "1 of 3" in str(refused.value)


async def test_thinking_that_never_closes_is_an_empty_answer(scripted, double, yielded):
    tools = double(scripted(lambda call: Reply(text="<think>so 5 plus", finish_reason="length")))
    with pytest.raises(Refused, match=r"empty_answer.*length"):
        await yielded(Answer(model="teacher"), talk(user("q")), tools)


async def test_a_cut_answer_says_so(scripted, double, yielded):
    tools = double(scripted(lambda call: Reply(text="It is", finish_reason="length")))
    (record,) = await yielded(Answer(model="teacher"), talk(user("q")), tools)
    assert record.labels["finish_reason"] == "length"


async def test_a_tool_call_is_an_answer(scripted, double, yielded):
    schema = {"name": "add", "parameters": {}}
    reply = Reply(tool_calls=({"id": "1", "name": "add", "arguments": "{}"},), finish_reason="tool_calls")
    tools = double(scripted(lambda call: reply))
    seed = Record(content=Conversation(messages=(user("5 + 3?"),), tools=(schema,)))
    (record,) = await yielded(Answer(model="teacher"), seed, tools)
    assert record.messages[-1].tool_calls[0].name == "add"
    assert record.content.tools == (schema,)
    assert tools.teacher.calls[0].tools == (schema,)


async def test_system_pool_is_drawn_by_the_seeded_rng_and_replaces_the_seeds_own(scripted, double, yielded):
    pool = tuple(f"style {i}" for i in range(50))
    tools = double(scripted(lambda call: "x"))
    (record,) = await yielded(Answer(model="teacher", system=pool), talk(system("old"), user("q")), tools)
    assert record.messages[0] == system(tools.rng("system").choice(pool))
    assert [turn.role for turn in record.messages] == ["system", "user", "assistant"]
    other = double(scripted(lambda call: "x"), seed=8)
    (drawn,) = await yielded(Answer(model="teacher", system=pool), talk(user("q")), other)
    assert drawn.messages[0] != record.messages[0]


async def test_system_can_steer_without_being_kept(scripted, double, yielded):
    tools = double(scripted(lambda call: "x"))
    (record,) = await yielded(Answer(model="teacher", system="be brief", keep_system=False), talk(user("q")), tools)
    assert tools.teacher.calls[0].texts[0] == ("system", "be brief")
    assert record.messages == (user("q"), assistant("x"))
    assert record.lineage[-1].detail["system"] == "be brief"


async def test_plain_text_and_media_are_asked_as_they_are(scripted, double, yielded):
    tools = double(scripted(lambda call: "x"))
    (record,) = await yielded(Answer(model="teacher"), Record(content=PlainText(text="summarise me")), tools)
    assert record.messages[0] == user("summarise me")
    picture = Message(role="user", content=(Media(type="image", sha256="00"), Media(type="text", text="what is it?")))
    (seen,) = await yielded(Answer(model="teacher"), talk(picture), tools)
    assert seen.messages[0] == picture


@pytest.mark.parametrize("seed", [Record(), talk(system("s")), talk(user(""))])
async def test_a_seed_that_asks_nothing_is_refused_before_a_call(seed, scripted, double, yielded):
    tools = double(scripted(lambda call: "x"))
    with pytest.raises(Refused, match="no_prompt"):
        await yielded(Answer(model="teacher"), seed, tools)
    assert not tools.teacher.calls


async def test_a_failing_call_is_raised_once_all_samples_have_ended(scripted, double, yielded):
    def say(call):
        if call.sample == 0:
            raise Disconnected("gone")
        return "x"

    tools = double(scripted(say, latency=lambda call: 3 * call.sample))
    with pytest.raises(Disconnected):
        await yielded(Answer(model="teacher", samples=3), talk(user("q")), tools)
    assert [call.sample for call in tools.teacher.finished] == [1, 2]


async def test_what_stops_the_run_goes_before_what_fails_a_record(scripted, double, yielded):
    def say(call):
        raise BackendFatal("401") if call.sample else Disconnected("gone")

    with pytest.raises(BackendFatal):
        await yielded(Answer(model="teacher", samples=2), talk(user("q")), double(scripted(say)))


async def test_samples_are_asked_together_and_yielded_in_order(scripted, double, yielded):
    tools = double(scripted(lambda call: f"s{call.sample}", latency=lambda call: 10 - call.sample))
    strategy = Answer(model="teacher", samples=4, sampling=Sampling(temperature=0.8))
    records = await yielded(strategy, talk(user("q")), tools)
    assert [call.sample for call in tools.teacher.finished] == [3, 2, 1, 0]
    assert [record.messages[-1].text for record in records] == ["s0", "s1", "s2", "s3"]
    assert records[0].lineage[-1].sampling == {"temperature": 0.8}
    assert strategy.calls_per_seed() == 4
