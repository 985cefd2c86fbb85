"""`cot`: rejection sampling in waves (traps: methods.md 5)."""

from __future__ import annotations

from random import Random

import pytest
from datalchemy.core.backend import Reply, Sampling
from datalchemy.core.errors import Disconnected, RecipeError, Refused
from datalchemy.core.record import Conversation, Media, Message, Record, Verdict, assistant, system, user
from datalchemy.eval.think_format import ThinkFormat
from datalchemy.generators._turns import waves
from datalchemy.generators.cot import Cot
from hypothesis import given
from hypothesis import strategies as st

SEED = Record(content=Conversation(messages=(user("5 + 3?"),)), answer="8")


def math_answer(record: Record) -> Verdict:
    """Right where the text ends in the reference answer."""
    if record.answer is None:
        return Verdict(by="math_answer", outcome="abstain", reason="no_reference")
    got = record.messages[-1].text.rpartition(" ")[2]
    if got == record.answer:
        return Verdict(by="math_answer", outcome="keep", score=1.0)
    return Verdict(by="math_answer", outcome="refuse", score=0.0, reason=f"wrong_answer: got {got}, expected {record.answer}")


def thought(answer: str, thinking: str = "hm") -> str:
    return f"<think>\n{thinking}\n</think>\n\nIt is {answer}"


def script(*answers: str):
    """The n-th sample gives the n-th answer."""
    return lambda call: thought(answers[call.sample])


FILTERS = {"math_answer": math_answer}


@pytest.fixture
def bench(scripted, double):
    return lambda say, filters=FILTERS, **more: double(scripted(say, **more), filters)


async def test_an_easy_problem_costs_one_wave(bench, yielded):
    tools = bench(script(*"8" * 8))
    (record,) = await yielded(Cot(model="teacher"), SEED, tools)
    assert [call.sample for call in tools.teacher.calls] == [0, 1]
    assert record.messages == (user("5 + 3?"), assistant("It is 8", reasoning="hm"))
    assert record.labels == {"finish_reason": "stop", "pass_rate": 1.0, "right": 2, "tried": 2}
    step = record.lineage[-1]
    assert (step.by, step.parent, step.model, step.prompt, step.detail) == ("cot", SEED.id, "scripted@1", "cot.solve", {"sample": 0})
    assert step.template
    assert step.keys


async def test_the_wording_is_asked_and_the_problem_is_stored(bench, yielded):
    tools = bench(script(*"8" * 8))
    (record,) = await yielded(Cot(model="teacher"), SEED, tools)
    asked = "5 + 3?\n\nWork it out step by step, then give the final answer inside \\boxed{}."
    assert tools.teacher.calls[0].texts == [("user", asked)]
    (kept,) = await yielded(Cot(model="teacher", keep_wording=True), SEED, tools)
    assert (record.prompt, kept.prompt) == ("5 + 3?", asked)


async def test_waves_go_on_until_enough_are_right(bench, yielded):
    tools = bench(script("7", "8", "8", "6", "8", "8", "8", "8"))
    records = await yielded(Cot(model="teacher", keep=2), SEED, tools)
    assert len(tools.teacher.calls) == 4
    assert [record.lineage[-1].detail["sample"] for record in records] == [1, 2]
    assert {record.labels["pass_rate"] for record in records} == {0.5}


async def test_a_hopeless_problem_is_given_up_and_its_commonest_mistake_handed_on(bench, yielded):
    tools = bench(script("7", "6", "6", "5", *"8888"))
    (record,) = await yielded(Cot(model="teacher"), SEED, tools)
    assert len(tools.teacher.calls) == 4, "half of the rollouts"
    assert record.messages[-1].text == "It is 6"
    assert record.labels == {"finish_reason": "stop", "pass_rate": 0.0, "right": 0, "tried": 4}
    assert record.lineage[-1].detail["sample"] == 1
    assert not math_answer(record).keep, "the recipe's own filter refuses it, with its reason"


@pytest.mark.parametrize(("give_up_after", "calls"), [("half", 4), (None, 8), (1, 2), (5, 8)])
async def test_give_up_after(give_up_after, calls, bench, yielded):
    tools = bench(script(*"7" * 8))
    await yielded(Cot(model="teacher", give_up_after=give_up_after), SEED, tools)
    assert len(tools.teacher.calls) == calls


async def test_stop_never_draws_all_and_measures_the_pass_rate(bench, yielded):
    tools = bench(script("8", "8", "7", "7", "7", "7", "7", "8"))
    (record,) = await yielded(Cot(model="teacher", stop="never"), SEED, tools)
    assert len(tools.teacher.calls) == 8
    assert record.labels["pass_rate"] == 3 / 8
    hopeless = bench(script(*"7" * 8))
    await yielded(Cot(model="teacher", stop="never"), SEED, hopeless)
    assert len(hopeless.teacher.calls) == 8


async def test_keep_all_keeps_every_right_one(bench, yielded):
    tools = bench(script("8", "7", "8", "7", "7", "8", "7", "8"))
    records = await yielded(Cot(model="teacher", keep="all"), SEED, tools)
    assert [record.lineage[-1].detail["sample"] for record in records] == [0, 2, 5, 7]
    assert {record.labels["right"] for record in records} == {4}


async def test_shortest_counts_thinking_and_answer_and_ties_go_to_the_first(bench, yielded):
    lengths = {0: 90, 1: 5, 2: 40, 3: 5}
    tools = bench(lambda call: thought("8", "x" * lengths[call.sample]))
    records = await yielded(Cot(model="teacher", rollouts=4, wave=(4,), keep=1, by="shortest"), SEED, tools)
    assert [record.lineage[-1].detail["sample"] for record in records] == [1]


async def test_two_shortest_come_in_sample_order(bench, yielded):
    lengths = {0: 90, 1: 7, 2: 40, 3: 5}
    tools = bench(lambda call: thought("8", "x" * lengths[call.sample]))
    records = await yielded(Cot(model="teacher", rollouts=4, wave=(4,), keep=2, by="shortest"), SEED, tools)
    assert [record.lineage[-1].detail["sample"] for record in records] == [1, 3]


def test_choosing_by_a_scorer_is_refused_and_says_where_it_comes():
    with pytest.raises(RecipeError, match="scorer comes with the reward filters"):
        Cot.model_validate({"model": "teacher", "by": "skywork"})


@pytest.mark.parametrize(("yield_wrong", "samples"), [("one", [0]), ("all", [0, 1])])
async def test_yield_wrong(yield_wrong, samples, bench, yielded):
    records = await yielded(Cot(model="teacher", yield_wrong=yield_wrong), SEED, bench(script("8", "7", *"8" * 6)))
    assert [record.lineage[-1].detail["sample"] for record in records] == samples


async def test_yield_wrong_none_refuses_the_candidate(bench, yielded):
    with pytest.raises(Refused, match=r"none of 4 rollouts is right; most often: wrong_answer: got 7") as refused:
        await yielded(Cot(model="teacher", yield_wrong="none"), SEED, bench(script(*"7" * 8)))
    assert refused.value.reason == "no_correct_answer"


@pytest.mark.parametrize(
    "raw",
    [
        Reply(text="<think>\nhm\n</think>\n\nIt is 8"),
        Reply(text="hm\n</think>\n\nIt is 8"),
        Reply(text="It is 8", reasoning="hm"),
    ],
    ids=["both tags", "the template opened the block", "the server split it off"],
)
async def test_thinking_is_found_however_the_server_sends_it(raw, bench, yielded):
    (record,) = await yielded(Cot(model="teacher", thinking="required"), SEED, bench(lambda call: raw))
    assert record.messages[-1] == assistant("It is 8", reasoning="hm")


async def test_a_closing_tag_quoted_in_the_answer_stays_there(bench, yielded):
    text = "<think>\nhm\n</think>\n\n`</think>` closes. It is 8"
    (record,) = await yielded(Cot(model="teacher"), SEED, bench(lambda call: text))
    assert record.messages[-1] == assistant("`</think>` closes. It is 8", reasoning="hm")


async def test_a_right_answer_only_in_the_thinking_is_wrong(bench, yielded):
    (record,) = await yielded(Cot(model="teacher"), SEED, bench(lambda call: "<think>it is 8</think>It is 9"))
    assert record.labels["right"] == 0


async def test_a_cut_rollout_is_never_right_whatever_the_verifier_says(bench, yielded):
    cut = Reply(text="It is 8", finish_reason="length")
    tools = bench(lambda call: cut if call.sample < 2 else thought("8"))
    (record,) = await yielded(Cot(model="teacher"), SEED, tools)
    assert record.lineage[-1].detail["sample"] == 2
    assert record.labels["pass_rate"] == 0.5
    with pytest.raises(Refused) as refused:
        await yielded(Cot(model="teacher"), SEED, bench(lambda call: cut))
    assert refused.value.reason == "cut", "no filter refused it, so it must not be handed on as if it were good"


async def test_think_format_is_judged_first_and_the_verifier_sees_what_passed(bench, yielded):
    form = ThinkFormat()
    filters = {"think_format": form.check, **FILTERS}
    tools = bench(lambda call: "It is 8" if call.sample == 0 else thought("8"), filters)
    (record,) = await yielded(Cot(model="teacher"), SEED, tools)
    assert record.lineage[-1].detail["sample"] == 1
    assert [(name, len(records)) for name, records in tools.judged] == [("think_format", 2), ("math_answer", 1)]


async def test_thinking_required_needs_no_filter(bench, yielded):
    tools = bench(lambda call: "It is 8" if call.sample < 3 else thought("8"))
    (record,) = await yielded(Cot(model="teacher", thinking="required"), SEED, tools)
    assert record.lineage[-1].detail["sample"] == 3


async def test_thinking_required_takes_a_text_without_tags_for_thinking_that_never_closed(bench, yielded):
    with pytest.raises(Refused) as refused:
        await yielded(Cot(model="teacher", thinking="required"), SEED, bench(lambda call: "5 + 3 is 8", {}))
    assert refused.value.reason == "no_answer"


async def test_thinking_required_refuses_an_empty_block(bench, yielded):
    with pytest.raises(Refused) as refused:
        await yielded(Cot(model="teacher", thinking="required"), SEED, bench(lambda call: "<think>\n</think>\n\nIt is 8", {}))
    assert refused.value.reason == "no_thinking"


async def test_without_a_verifier_whole_rollouts_are_kept_and_no_pass_rate_is_claimed(bench, yielded):
    tools = bench(lambda call: Reply(text="It", finish_reason="length") if call.sample == 0 else thought("7"), {})
    (record,) = await yielded(Cot(model="teacher"), SEED, tools)
    assert record.lineage[-1].detail["sample"] == 1
    assert record.labels == {"finish_reason": "stop"}
    assert len(tools.teacher.calls) == 2


async def test_a_problem_without_a_reference_answer_is_not_paid_for_again(bench, yielded):
    tools = bench(script(*"8" * 8))
    (record,) = await yielded(Cot(model="teacher"), SEED.model_copy(update={"answer": None}), tools)
    assert len(tools.teacher.calls) == 2
    assert "pass_rate" not in record.labels, "nothing was judged"


async def test_a_cut_rollout_of_a_problem_without_a_reference_answer_is_refused(bench, yielded):
    tools = bench(lambda call: Reply(text="It", finish_reason="length"))
    with pytest.raises(Refused, match="cut"):
        await yielded(Cot(model="teacher"), SEED.model_copy(update={"answer": None}), tools)


async def test_another_verifier_is_named(bench, yielded):
    tools = bench(script(*"8" * 8), {"tests": math_answer})
    (record,) = await yielded(Cot(model="teacher", verify="tests"), SEED, tools)
    assert record.labels["right"] == 2


async def test_a_verifier_that_the_recipe_lacks_is_an_error_before_a_call(bench, yielded):
    tools = bench(script(*"8" * 8))
    with pytest.raises(RecipeError, match="add `- use: tests`"):
        await yielded(Cot(model="teacher", verify="tests"), SEED, tools)
    assert not tools.teacher.calls


async def test_history_system_and_media_are_sent(bench, yielded):
    picture = Message(role="user", content=(Media(type="image", sha256="00"), Media(type="text", text="5 + 3?")))
    seed = Record(content=Conversation(messages=(user("hi"), assistant("hello", reasoning="greet"), picture)), answer="8")
    tools = bench(script(*"8" * 8))
    (record,) = await yielded(Cot(model="teacher", system="think hard", keep_system=False), seed, tools)
    sent = tools.teacher.calls[0].prompt
    assert [turn.role for turn in sent] == ["system", "user", "assistant", "user"]
    assert sent[2].reasoning is None
    assert sent[3].content[0] == picture.content[0]
    assert sent[3].text.startswith("5 + 3?\n\nWork")
    assert [turn.role for turn in record.messages] == ["user", "assistant", "user", "assistant"]
    assert record.messages[2] == picture
    assert record.lineage[-1].detail["system"] == "think hard"


async def test_a_kept_system_prompt_leads_the_record(bench, yielded):
    (record,) = await yielded(Cot(model="teacher", system="think hard"), SEED, bench(script(*"8" * 8)))
    assert record.messages[0] == system("think hard")


async def test_sampling_is_left_to_the_model_unless_set(bench, yielded):
    tools = bench(script(*"8" * 8))
    await yielded(Cot(model="teacher"), SEED, tools)
    await yielded(Cot(model="teacher", sampling=Sampling(temperature=1.0)), SEED, tools)
    assert [call.sampling for call in tools.teacher.calls[::2]] == [None, Sampling(temperature=1.0)]
    assert Cot.default_sampling == Sampling(temperature=0.6, top_p=0.95)


async def test_a_lost_call_fails_the_problem_after_its_wave_has_ended(bench, yielded):
    def say(call):
        if call.sample == 0:
            raise Disconnected("gone")
        return thought("8")

    tools = bench(say, latency=lambda call: 2 * call.sample)
    with pytest.raises(Disconnected):
        await yielded(Cot(model="teacher"), SEED, tools)
    assert [call.sample for call in tools.teacher.finished] == [1], "what was in flight is answered, and stored"


@pytest.mark.parametrize("order", range(5))
async def test_timing_changes_nothing(order, bench, yielded):
    """The same records whatever order the replies come in (and the double does reorder them: the control)."""
    answers = script("7", "6", "8", "7", "8", "6", "8", "8")
    rng = Random(order)
    delays = {sample: rng.randrange(20) for sample in range(8)}
    print("delays", delays)
    calm, shaken = bench(answers), bench(answers, latency=lambda call: delays[call.sample])
    strategy = Cot(model="teacher", wave=(4,), keep=3)
    expected = await yielded(strategy, SEED, calm)
    assert await yielded(strategy, SEED, shaken) == expected
    assert len(expected) == 3
    assert {c.sample for c in calm.teacher.calls} == {c.sample for c in shaken.teacher.calls}
    if order == 0:
        assert calm.teacher.finished != shaken.teacher.finished


@given(st.integers(1, 40), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_waves_cover_each_rollout_once(rollouts, wave):
    made = list(waves(rollouts, wave))
    assert [sample for numbers in made for sample in numbers] == list(range(rollouts))
    assert [len(numbers) for numbers in made[:-1]] == [wave[min(i, len(wave) - 1)] for i in range(len(made) - 1)]


@given(st.lists(st.sampled_from("678"), min_size=8, max_size=8), st.integers(1, 4), st.sampled_from(["early", "never"]))
async def test_the_counts_hold_for_any_answers(scripted, double, yielded, answers, keep, stop):
    tools = double(scripted(script(*answers)), FILTERS)
    records = await yielded(Cot(model="teacher", keep=keep, stop=stop), SEED, tools)
    tried = len(tools.teacher.calls)
    right = answers[:tried].count("8")
    assert [record.labels["tried"] for record in records] == [tried] * len(records)
    assert {record.labels["right"] for record in records} == {right}
    assert len(records) == (min(keep, right) or 1)
    assert tried == 8 if stop == "never" else tried in (2, 4, 8)
