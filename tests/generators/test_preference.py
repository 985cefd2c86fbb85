"""`preference`: pairs whose better answer is better by the recipe's own filters, and not by form or length (methods.md 1 (6), 16, 18)."""

from __future__ import annotations

from random import Random

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.errors import Disconnected, Refused
from datalchemy.core.record import Conversation, Record, Verdict, assistant, system, user
from datalchemy.core.record import Preference as Pair
from datalchemy.generators._pairs import Plain, sameness
from datalchemy.generators.preference import Preference
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

SEED = Record(content=Conversation(messages=(user("How do I stop a window from sweating?"),)), answer="8")
TIPS = ("Air the room twice a day.", "Turn up the heating.", "Wipe it with vinegar.", "Replace the seal now.", "Ask your landlord why.")


def reward(scores):
    """A reward model: the n-th tip's score, else no score."""

    def judge(record: Record) -> Verdict:
        at = next((n for n, tip in enumerate(TIPS) if tip in record.messages[-1].text), None)
        if at is None or scores[at] is None:
            return Verdict(by="reward", outcome="abstain", reason="not_scored")
        return Verdict(by="reward", outcome="keep", score=scores[at])

    return judge


def math_answer(record: Record) -> Verdict:
    got = record.messages[-1].text.split()[-1].rstrip(".")
    if got == "dunno":
        return Verdict(by="math_answer", outcome="abstain", reason="verifier_timeout")
    return Verdict(
        by="math_answer", outcome="keep" if got == record.answer else "refuse", reason="" if got == record.answer else "wrong_answer"
    )


def numbers(*answers: str):
    """The n-th answer ends in the n-th number, with a way to it that is its own."""
    return lambda call: f"{'abcdefghijk'[call.sample]} leads to {answers[call.sample]}"


@pytest.fixture
def tips(scripted, double):
    """Five tips scored by a reward model."""
    return lambda *scores, say=lambda call: TIPS[call.sample], **more: double(scripted(say), {"reward": reward(scores)}, **more)


@pytest.fixture
def sums(scripted, double):
    return lambda say, **more: double(scripted(say, **more), {"math_answer": math_answer})


RIGHT_WRONG = Preference(model="teacher", by="math_answer", choose="right_wrong", samples=8)


async def refusal(yielded, tools, strategy=None, seed=SEED) -> Refused:
    with pytest.raises(Refused) as refused:
        await yielded(strategy or Preference(model="teacher"), seed, tools)
    return refused.value


async def test_the_best_and_the_worst_of_five_by_score(tips, yielded):
    tools = tips(0.3, 0.9, -2.0, 0.1, 0.5)
    (record,) = await yielded(Preference(model="teacher"), SEED, tools)
    assert record.content == Pair(prompt=SEED.messages, chosen=(assistant(TIPS[1]),), rejected=(assistant(TIPS[2]),))
    assert len(tools.teacher.calls) == 5 == Preference(model="teacher").calls_per_seed()
    assert record.labels["margin"] == pytest.approx(2.9)
    assert record.labels["margin_z"] == pytest.approx(2.9 / 1.0, abs=0.2)
    assert (record.labels["chosen_model"], record.labels["rejected_model"], record.labels["tried"]) == ("teacher", "teacher", 5)
    step = record.lineage[-1]
    assert (step.detail["chosen"]["sample"], step.detail["rejected"]["sample"]) == (1, 2)
    assert step.detail["rejected"]["score"] == -2.0
    assert len(step.keys) == 5, "what was paid for"
    assert step.keys[-1] == f"{tools.teacher.calls[1].number:08x}", "the chosen answer's last"


async def test_all_answers_go_out_together_and_are_judged_at_once(tips, yielded):
    tools = tips(1, 2, 3, 4, 5)
    await yielded(Preference(model="teacher"), SEED, tools)
    assert [(name, len(records)) for name, records in tools.judged] == [("reward", 5)]


async def test_the_rejected_one_is_drawn_from_all_that_are_lower(tips, yielded):
    """Tulu 3: a random lower one; always the worst makes pairs that are too easy."""
    strategy = Preference(model="teacher", choose="max_random", length="ignore")
    drawn = set()
    for seed in range(40):
        (record,) = await yielded(strategy, SEED, tips(0.1, 0.5, 0.9, 0.2, 0.7, seed=seed))
        assert record.content.chosen == (assistant(TIPS[2]),)
        drawn.add(record.content.rejected[0].text)
    assert drawn == {TIPS[0], TIPS[1], TIPS[3], TIPS[4]}
    again = [await yielded(strategy, SEED, tips(0.1, 0.5, 0.9, 0.2, 0.7)) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize(("margin", "pair"), [(None, True), (0.7, True), (0.8, False), (1.0, False)])
async def test_the_gap_must_exceed_the_margin(margin, pair, tips, yielded):
    tools, strategy = tips(0.125, 0.375, 0.875, 0.25, 0.375), Preference(model="teacher", margin=margin)
    if pair:
        assert len(await yielded(strategy, SEED, tools)) == 1
    else:
        assert (await refusal(yielded, tools, strategy)).reason == "small_margin"


async def test_a_margin_in_standard_deviations_means_the_same_for_every_scale_of_scores(tips, yielded):
    """Raw scores of one prompt say nothing about those of another."""
    strategy = Preference(model="teacher", margin=2.0, scale="z")
    for unit in (0.001, 1.0, 500.0):
        (record,) = await yielded(strategy, SEED, tips(*(unit * score for score in (1, 2, 3, 4, 5))))
        assert record.labels["margin_z"] == pytest.approx(4 / 2**0.5, abs=1e-3)
    raw = Preference(model="teacher", margin=2.0)
    assert (await refusal(yielded, tips(0.1, 0.2, 0.3, 0.4, 0.5), raw)).reason == "small_margin", "control: the raw one depends on it"


async def test_equal_scores_give_no_pair(tips, yielded):
    assert (await refusal(yielded, tips(1, 1, 1, 1, 1))).reason == "no_bad_answer"


async def test_an_answer_that_the_filter_refuses_is_never_chosen(scripted, double, yielded):
    def judge(record: Record) -> Verdict:
        score = float(record.messages[-1].text.split()[-1])
        return Verdict(by="judge", outcome="keep" if score >= 7 else "refuse", score=score)

    strategy = Preference(model="teacher", by="judge", samples=3)
    low = double(scripted(numbers("3", "5", "6")), {"judge": judge})
    assert (await refusal(yielded, low, strategy)).reason == "no_good_answer"
    high = double(scripted(numbers("3", "8", "6")), {"judge": judge})
    (record,) = await yielded(strategy, SEED, high)
    assert record.labels["margin"] == 5


async def test_what_the_filter_cannot_score_stands_in_no_pair(tips, yielded):
    (record,) = await yielded(Preference(model="teacher"), SEED, tips(None, 0.5, None, 0.1, None))
    assert [turn.text for turn in (*record.content.chosen, *record.content.rejected)] == [TIPS[1], TIPS[3]]
    assert (await refusal(yielded, tips(*[None] * 5))).reason == "unscored"


@pytest.mark.parametrize(
    ("one", "other", "sameness_"),
    [
        ("**It is 8.**", "It is 8", "only_form"),
        ("1. Boil it\n2. Eat it", "- Boil it\n- Eat it", "only_form"),
        ("It is $\\boxed{8}$", "It is 8.", "only_form"),
        ("```\nIt is 8\n```", "it is 8", "only_form"),
        ("答案是 8", "答案是8。", "only_form"),
        ("Sure! Paris is the capital.", "Paris is the capital.", "only_length"),
        ("Air it. " * 20, "Air it. " * 21, "only_length"),
        ("It is 8. No, it is 9.", "It is 8.", ""),
        ("It is -8", "It is 8", ""),
        ("x = 3 - 5", "x = 3 + 5", ""),
        ("8. That is all", "9. That is all", ""),
        ("It is safe to eat", "It is not safe to eat", ""),
        ("Paris is the capital.", "Lyon is the capital.", ""),
    ],
)
def test_what_differs_only_in_form_or_length(one, other, sameness_):
    assert sameness(Plain(one), Plain(other)) == sameness(Plain(other), Plain(one)) == sameness_


def test_a_longer_answer_with_fillers_in_between_only_repeats_the_shorter_one():
    short = " ".join(f"first do {word} and then wait." for word in "abcdefghijklmnopqrst")
    long = short.replace(
        "do h and",
        "do h and, as everybody knows by now of course and as I said before at some length, I would say, and that is how it always was,",
    )
    assert sameness(Plain(short), Plain(long)) == "only_length"
    assert sameness(Plain(short), Plain(long), alike=1.0) == "", "control"
    assert sameness(Plain(short), Plain(short.replace("do h and", "never do h and"))) == "", "one word more may turn it round"


@given(st.text(alphabet="ab 1.*-\n#字", max_size=40), st.text(alphabet="ab 1.*-\n#字", max_size=40))
def test_sameness_never_raises_and_does_not_mind_the_order(one, other):
    assert sameness(Plain(one), Plain(other)) == sameness(Plain(other), Plain(one))
    assert sameness(Plain(one), Plain(one)) == "only_form"


async def test_pairs_of_one_content_are_excluded(tips, yielded):
    says = ["Air the room twice a day.", "**Air the room twice a day.**", "Sure! Air the room twice a day. I hope this helps!"]

    def judge(record: Record) -> Verdict:
        return Verdict(by="reward", outcome="keep", score=float(len(record.messages[-1].text)))

    tools = tips(say=lambda call: says[call.sample])
    tools.filters = {"reward": judge}
    refused = await refusal(yielded, tools, Preference(model="teacher", samples=3))
    assert refused.reason == "only_length"
    assert "only_form 1" in refused.detail
    tools = tips(say=lambda call: says[call.sample])
    tools.filters = {"reward": judge}
    (record,) = await yielded(Preference(model="teacher", samples=3, alike=None, length="ignore"), SEED, tools)
    assert record.content.chosen[0].text == says[2], "control: the rule is what excludes them"


LONG = " It takes a while" + " and some patience" * 20 + "."


@pytest.mark.parametrize(("length", "rejected"), [("ignore", 0), ("prefer", 1), ("require", 1)])
async def test_pairs_of_similar_length_go_first(length, rejected, tips, yielded):
    """The worst is much longer: the pair would teach to be short."""
    tools = tips(0.1, 0.2, 0.9, None, None, say=lambda call: TIPS[call.sample] + (LONG if call.sample == 0 else ""))
    (record,) = await yielded(Preference(model="teacher", length=length), SEED, tools)
    assert record.content.rejected[0].text.startswith(TIPS[rejected])
    assert record.labels["length_ratio"] == (pytest.approx(4 / 60, abs=0.05) if length == "ignore" else 1.0)


async def test_where_no_lengths_are_similar_the_pair_is_taken_or_refused(tips, yielded):
    def say(call):
        return TIPS[call.sample] + LONG * call.sample

    scores = (0.1, 0.9, None, None, None)
    (record,) = await yielded(Preference(model="teacher"), SEED, tips(*scores, say=say))
    assert record.labels["length_ratio"] > 1.5
    assert (await refusal(yielded, tips(*scores, say=say), Preference(model="teacher", length="require"))).reason == "length"
    assert await yielded(Preference(model="teacher", length="require", max_ratio=20), SEED, tips(*scores, say=say))


async def test_right_and_wrong_are_drawn_in_waves_until_a_pair_is_there(sums, yielded):
    tools = sums(numbers("8", "8", "7", "8", *"7777"))
    (record,) = await yielded(RIGHT_WRONG, SEED, tools)
    assert len(tools.teacher.calls) == 4
    assert (record.content.chosen[0].text, record.content.rejected[0].text) == ("a leads to 8", "c leads to 7")
    assert record.labels["margin"] == 1.0
    one_wave = sums(numbers("7", "8", *"888888"))
    await yielded(RIGHT_WRONG, SEED, one_wave)
    assert len(one_wave.teacher.calls) == 2


@pytest.mark.parametrize(("answers", "reason"), [("8" * 8, "no_bad_answer"), ("7" * 8, "no_good_answer")])
async def test_a_prompt_without_both_kinds_is_given_up_at_half(answers, reason, sums, yielded):
    tools = sums(numbers(*answers))
    assert (await refusal(yielded, tools, RIGHT_WRONG)).reason == reason
    assert len(tools.teacher.calls) == 4
    tools = sums(numbers(*answers))
    await refusal(yielded, tools, RIGHT_WRONG.model_copy(update={"give_up_after": None}))
    assert len(tools.teacher.calls) == 8


async def test_undecided_answers_are_neither_right_nor_wrong(sums, yielded):
    refused = await refusal(yielded, sums(numbers("8", "dunno", "8", "dunno", *"8888")), RIGHT_WRONG)
    assert refused.reason == "no_bad_answer"
    assert (await refusal(yielded, sums(numbers(*["dunno"] * 8)), RIGHT_WRONG)).reason == "unscored"


async def test_right_by_the_verifier_and_ranked_by_reward(scripted, double, yielded):
    """A reward model likes what reads well: what is chosen must still be right."""

    def judge(record: Record) -> Verdict:
        return Verdict(by="reward", outcome="keep", score={"a": 9.0, "b": 5.0, "c": 1.0, "d": 3.0}[record.messages[-1].text[0]])

    tools = double(scripted(numbers("7", "8", "7", "8")), {"math_answer": math_answer, "reward": judge})
    proved = Preference(model="teacher", samples=4, verify="math_answer")
    assert set(proved.judges()) == {"reward", "math_answer"}
    (record,) = await yielded(proved, SEED, tools)
    assert (record.content.chosen[0].text, record.content.rejected[0].text) == ("b leads to 8", "c leads to 7")
    bare = double(scripted(numbers("7", "8", "7", "8")), {"reward": judge})
    (record,) = await yielded(Preference(model="teacher", samples=4), SEED, bare)
    assert record.content.chosen[0].text == "a leads to 7", "control: by reward alone a wrong one is chosen"


async def test_a_cut_or_empty_answer_stands_in_no_pair_and_is_not_judged(tips, yielded):
    said = [Reply(text=TIPS[0], finish_reason="length"), "<think>\nhm", TIPS[2], TIPS[3], TIPS[2] + " \n"]
    tools = tips(9, 9, 0.5, 0.1, 0.5, say=lambda call: said[call.sample])
    (record,) = await yielded(Preference(model="teacher"), SEED, tools)
    assert [turn.text for turn in (*record.content.chosen, *record.content.rejected)] == [TIPS[2], TIPS[3]]
    assert len(tools.judged[0][1]) == 2, "nor is the answer that was given twice"
    cut = tips(say=lambda call: said[0])
    refused = await refusal(yielded, cut)
    assert (refused.reason, cut.judged) == ("cut", [])
    assert (await refusal(yielded, tips(1, say=lambda call: TIPS[0]))).reason == "repeated"


async def test_several_pairs_share_no_answer(tips, yielded):
    records = await yielded(Preference(model="teacher", pairs=3), SEED, tips(0.1, 0.5, 0.9, 0.2, 0.7))
    said = [turn.text for record in records for turn in (*record.content.chosen, *record.content.rejected)]
    assert len(records) == 2
    assert len(set(said)) == 4
    assert [record.labels["margin"] for record in records] == [pytest.approx(0.8), pytest.approx(0.5)]


class Several:
    """Tools with several models, each a double of its own."""

    def __init__(self, tools, scripted, **says):
        self.tools = tools
        self.models = {name: scripted(say, name=name) for name, say in says.items()}

    def __getattr__(self, name):
        return getattr(self.tools, name)

    def model(self, name):
        return self.models[name]


@pytest.fixture
def across(tips, scripted):
    return lambda *scores: Several(
        tips(*scores), scripted, student=lambda call: TIPS[call.sample], teacher=lambda call: TIPS[call.sample + 2]
    )


async def test_across_models(across, yielded):
    strategy = Preference(model="student", others=("teacher",), samples=2)
    tools = across(0.5, 0.1, 0.9, 0.3, None)
    (record,) = await yielded(strategy, SEED, tools)
    assert (record.labels["chosen_model"], record.labels["rejected_model"]) == ("teacher", "student")
    assert strategy.calls_per_seed() == sum(len(model.calls) for model in tools.models.values()) == 4
    assert {call.path for call in tools.models["teacher"].calls} == {"answer.teacher"}
    assert set(strategy.needs()) == {"student", "teacher"}


async def test_each_side_from_its_own_models(across, yielded):
    """On-policy rejected, say: always of the model that is to be trained."""
    sides = Preference(model="student", others=("teacher",), samples=2, chosen_from=("student",), rejected_from=("teacher",))
    (record,) = await yielded(sides, SEED, across(0.5, 0.1, 0.9, 0.3, None))
    assert (record.labels["chosen_model"], record.labels["rejected_model"]) == ("student", "teacher")
    refused = await refusal(yielded, across(0.2, 0.1, 0.9, 0.3, None), sides)
    assert refused.reason == "one_sided"


async def test_thinking_stays_only_where_both_sides_have_it(tips, yielded):
    say = {0: f"<think>\nhm\n</think>\n\n{TIPS[0]}", 1: TIPS[1], 2: f"<think>\nso\n</think>\n\n{TIPS[2]}"}
    (both,) = await yielded(Preference(model="teacher", samples=3), SEED, tips(0.9, 0.5, 0.1, say=lambda call: say[call.sample]))
    assert [turn.reasoning for turn in (*both.content.chosen, *both.content.rejected)] == ["hm", "so"]
    (one,) = await yielded(Preference(model="teacher", samples=3), SEED, tips(0.9, 0.1, 0.5, say=lambda call: say[call.sample]))
    assert [turn.reasoning for turn in (*one.content.chosen, *one.content.rejected)] == [None, None]


async def test_a_system_turn_and_a_request_for_steps(tips, yielded):
    talk = Record(content=Conversation(messages=(user("Hi"), assistant("Yes?", "hm"), user("Windows?"))))
    strategy = Preference(model="teacher", system="Be brief.", keep_system=False, steps=True)
    tools = tips(1, 2, 3, 4, 5)
    (record,) = await yielded(strategy, talk, tools)
    assert record.content.prompt == (user("Hi"), assistant("Yes?"), user("Windows?"))
    sent = tools.teacher.calls[0].prompt
    assert sent[0] == system("Be brief.")
    assert "\\boxed{}" in sent[-1].text
    assert (record.lineage[-1].prompt, record.lineage[-1].detail["system"]) == ("cot.solve", "Be brief.")


async def test_the_same_pair_whatever_the_latency(sums, yielded):
    say = numbers("8", "7", "8", "7", *"8787")
    wide = RIGHT_WRONG.model_copy(update={"pairs": 3})
    first = await yielded(wide, SEED, sums(say))
    for shift in range(3):
        assert await yielded(wide, SEED, sums(say, latency=lambda call, s=shift: (call.number + s) % 5)) == first


async def test_a_failing_call_fails_the_candidate_once_all_have_ended(tips, yielded):
    def say(call):
        if call.sample == 1:
            raise Disconnected("gone")
        return TIPS[call.sample]

    tools = tips(1, 2, 3, 4, 5, say=say)
    with pytest.raises(Disconnected):
        await yielded(Preference(model="teacher"), SEED, tools)
    assert len(tools.teacher.calls) == 5


@given(
    st.lists(st.sampled_from([None, 0.0, 0.25, 0.5, 1.0]), min_size=5, max_size=5),
    st.sampled_from(["max_min", "max_random"]),
    st.integers(1, 3),
)
async def test_the_chosen_one_is_always_better(scripted, double, yielded, scores, choose, pairs):
    tools = double(scripted(lambda call: TIPS[call.sample]), {"reward": reward(scores)}, seed=Random(0).random())
    try:
        records = await yielded(Preference(model="teacher", choose=choose, pairs=pairs), SEED, tools)
    except Refused:
        assert len({score for score in scores if score is not None}) < 2
        return
    of = dict(zip(TIPS, scores, strict=True))
    for record in records:
        assert of[record.content.chosen[0].text] > of[record.content.rejected[0].text]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 1}, "a pair needs two answers"),
        ({"rejected_from": ["student"]}, "'student' answers nothing here"),
        ({"samples": 1, "others": ["b"], "chosen_from": ["b"], "rejected_from": ["b"]}, "one answer of one model"),
        ({"choose": "best"}, "max_min"),
        ({"margin": -1}, "greater than or equal to 0"),
        ({"max_ratio": 0.5}, "greater than or equal to 1"),
    ],
)
def test_settings_that_can_give_no_pair(settings, message):
    with pytest.raises(ValidationError, match=message):
        Preference.model_validate({"model": "teacher", **settings})
