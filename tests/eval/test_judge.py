from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.record import Conversation, Message, PlainText, Record, Verdict, assistant, user
from datalchemy.eval.judge import Judge
from judge_double import Double, DoubleModel, sections
from pydantic import ValidationError

Reply = Callable[..., Record]
PLAIN = Judge(model="judge", canaries=False)


@pytest.fixture
def ask(tools: Any) -> Callable[..., Any]:
    """`await ask(filter, records, double)`: verdicts, with that double as the judge."""

    async def asked(part: Any, records: list[Record], double: Double | None = None, **more: Any) -> list[Verdict]:
        own = type(tools)(workers=tools.workers, models={"judge": DoubleModel(double), **more})
        async with part.open(own) as judge:
            return list(await judge(records))

    return asked


def word(verdict: Verdict) -> str:
    return verdict.reason.partition(":")[0] or verdict.outcome


async def test_right_and_wrong(ask: Any, reply: Reply) -> None:
    right, wrong = await ask(PLAIN, [reply("It is 7."), reply("It is 9.")])
    assert (right.outcome, right.score, right.evidence["judge"]) == ("keep", 9.0, "double@1")
    assert (word(wrong), wrong.score) == ("low_score", 2.0)
    assert wrong.evidence["scores"] == {"correctness": 2.0, "completeness": 2.0, "clarity": 2.0}
    assert wrong.reason == "low_score: 2 of 10, at least 7: It is as it is."


async def test_a_judge_labels_unless_it_was_calibrated() -> None:
    assert not PLAIN.enforce
    with pytest.raises(ValidationError, match=r"calibration: \{path: labelled.jsonl\}"):
        Judge(model="judge", enforce=True)
    with pytest.raises(ValidationError, match="leave `canaries` out"):
        Judge(model="judge", enforce=True, canaries=False, calibration={"path": "x"})


async def test_criteria_have_weights_and_a_scale(ask: Any, reply: Reply) -> None:
    rubric = [{"name": "Truth", "what": "Is it true?", "weight": 3}, {"name": "Style", "what": "Is it nice?"}]
    part = Judge(model="judge", rubric=rubric, scale=(0, 4), min_score=3, canaries=False)

    class Mixed(Double):
        def _verdict(self, *args: Any) -> dict[str, Any]:
            return {"scores": {"truth": "4/4", "style": 0}}

    (verdict,) = await ask(part, [reply("It is 7.")], double := Mixed())
    assert (verdict.outcome, verdict.score) == ("keep", 3.0)
    assert "- Truth: Is it true?\n- Style: Is it nice?" in double.prompts[0]
    assert "from 0 (worthless) to 4" in double.prompts[0]
    assert "completeness" not in double.prompts[0]


@pytest.mark.parametrize(
    "settings",
    [{"scale": (5, 1), "min_score": 3}, {"min_score": 11}, {"rubric": [{"name": "a", "what": "x"}, {"name": "A", "what": "y"}]}],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Judge(model="judge", **settings)


async def test_the_judge_sees_no_thinking_and_no_names(ask: Any) -> None:
    turns = (user("How many?"), assistant("It is 7.", reasoning="secret thoughts"))
    seed = Record(content=Conversation(messages=(user("How many?"),)))
    step = seed.derive("answer", turns)
    record = step.model_copy(update={"lineage": (step.lineage[0].model_copy(update={"model": "famous-model-9"}),)})
    raw = Record(content=Conversation(messages=(user("How many?"), assistant("<think>secret thoughts</think>It is 7."))))
    await ask(PLAIN, [record, raw], double := Double())
    assert len(double.prompts) == 2
    assert not any("secret" in prompt or "famous" in prompt for prompt in double.prompts)
    await ask(PLAIN.model_copy(update={"thinking": True}), [record, raw], double)
    assert sum("secret thoughts" in prompt for prompt in double.prompts) == 2


async def test_the_judges_own_thinking_is_no_verdict(ask: Any, reply: Reply) -> None:
    def thinks(verdict: dict[str, Any]) -> str:
        bad = {**verdict, "scores": dict.fromkeys(verdict["scores"], 1)}
        return f"<think>At first sight {json.dumps(bad)}</think>{json.dumps(verdict)}"

    (verdict,) = await ask(PLAIN, [reply("It is 7.")], Double(form=thinks))
    assert verdict.keep
    (unclosed,) = await ask(PLAIN, [reply("It is 7.")], Double(form=lambda verdict: f"<think>{json.dumps(verdict)}"))
    assert word(unclosed) == "unreadable_verdict"


@pytest.mark.parametrize(
    "form",
    [
        lambda verdict: f"Here it is:\n```json\n{json.dumps(verdict, indent=2)}\n```\nThat is my verdict.",
        lambda verdict: json.dumps(verdict)[:-1] + ",}",
        lambda verdict: json.dumps({**verdict["scores"], "reason": "flat"}),
        lambda verdict: json.dumps(verdict).replace("as it is", "as\nit\tis"),
    ],
)
async def test_replies_of_small_models_are_read(ask: Any, reply: Reply, form: Any) -> None:
    (verdict,) = await ask(PLAIN, [reply("It is 7.")], Double(form=form))
    assert verdict.keep, verdict.reason


@pytest.mark.parametrize(
    "text", ["", "I like it.", "{}", '{"scores": {"correctness": 9}}', '{"scores": {"correctness": 99, "completeness": 1, "clarity": 1}}']
)
async def test_an_unreadable_reply_is_asked_for_again_and_then_an_abstention(ask: Any, reply: Reply, text: str) -> None:
    (verdict,) = await ask(PLAIN, [reply("It is 7.")], double := Double(form=lambda _: text))
    assert (verdict.outcome, word(verdict)) == ("abstain", "unreadable_verdict")
    assert len(double.prompts) == PLAIN.tries == 2
    assert PLAIN.on_abstain == "refuse"
    once = iter([text])
    (second,) = await ask(PLAIN, [reply("It is 7.")], Double(form=lambda verdict: next(once, json.dumps(verdict))))
    assert second.keep


async def test_nothing_too_little_and_too_much_to_judge(ask: Any, reply: Reply) -> None:
    part = PLAIN.model_copy(update={"max_chars": 100})
    question = Record(content=Conversation(messages=(user("How many?"),)))
    records = [question, Record(), reply(""), reply(" :."), reply("Let's solve this problem step by step."), reply("7" * 101), reply("7")]
    verdicts = await ask(part, records, double := Double())
    assert [word(one) for one in verdicts] == [
        "nothing_to_judge",
        "nothing_to_judge",
        *["too_little_text"] * 3,
        "too_long",
        "keep",
    ]
    assert [one.outcome for one in verdicts[:3]] == ["abstain", "abstain", "refuse"]
    assert len(double.prompts) == 1


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\u202e" * 1_000_000, "a\x00" * 500_000, "<think>" * 200_000])
async def test_a_megabyte_is_turned_away_by_its_length(ask: Any, reply: Reply, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datalchemy.eval._judge_scores.said", None)  # nothing reads the text
    (verdict,) = await ask(PLAIN, [reply(text)], double := Double())
    assert (verdict.outcome, word(verdict), double.prompts) == ("abstain", "too_long", [])


async def test_a_question_is_judged_by_a_rubric_of_its_own(ask: Any) -> None:
    part = Judge(model="judge", rubric=[{"name": "clear", "what": "Is it a clear question?"}], canaries=False)
    (verdict,) = await ask(part, [Record(content=Conversation(messages=(user("What is 3 + 4, is it 7?"),)))], double := Double())
    assert verdict.keep
    inside, _ = sections(double.prompts[0])
    assert inside == {"ANSWER": "What is 3 + 4, is it 7?"}


async def test_whole_conversations_tool_calls_and_documents_are_shown(ask: Any) -> None:
    turns = (
        Message(role="system", content="Be brief."),
        user("Hi"),
        assistant("<think>hm</think>Hello"),
        user("How many?"),
        assistant("7"),
    )
    document = Record(content=PlainText(text="A page with a right answer."))
    await ask(PLAIN, [Record(content=Conversation(messages=turns)), document], double := Double())
    first, second = sections(double.prompts[0])[0], sections(double.prompts[1])[0]
    assert first["TASK"] == "system: Be brief.\n\nuser: Hi\n\nassistant: Hello\n\nuser: How many?"
    assert second == {"ANSWER": "A page with a right answer."}


async def test_the_reference_is_shown_where_there_is_one(ask: Any, reply: Reply) -> None:
    await ask(PLAIN, [reply("It is 7.", answer="seven")], double := Double())
    await ask(PLAIN.model_copy(update={"reference": False}), [reply("It is 7.", answer="seven")], double)
    assert [sections(prompt)[0].get("REFERENCE") for prompt in double.prompts] == ["seven", None]


async def test_t17_a_verifier_outranks_the_judge(ask: Any, reply: Reply) -> None:
    wrong = Verdict(by="math_answer", outcome="refuse", reason="wrong_answer: got 7, expected 8")
    label = Verdict(by="length", outcome="refuse", reason="too_short: x")
    flagged, liked = await ask(PLAIN, [reply("It is 7.").judged(wrong), reply("It is 7.").judged(label)])
    assert flagged.reason == "judged_high_but_wrong: math_answer said wrong_answer: got 7, expected 8"
    assert (flagged.outcome, flagged.score, liked.outcome) == ("refuse", 9.0, "keep")


async def test_the_mark_depends_on_the_text_and_the_run_and_stands_in_neither(ask: Any, reply: Reply, tools: Any) -> None:
    from datalchemy.eval._judge_text import mark

    other = type(tools)(workers=tools.workers, seed="1")
    assert mark(tools, "a") == mark(tools, "a")
    assert len({mark(tools, "a"), mark(tools, "b"), mark(other, "a")}) == 3

    class Rigged:
        """Draws what the text already holds, at first."""

        def rng(self, path: str) -> Any:
            draws = iter([0xABCDEF012345, 0x111111111111])
            return type("R", (), {"getrandbits": lambda self, bits: next(draws)})()

    assert mark(Rigged(), "so: abcdef012345") == "111111111111"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "\ud800 is 7",
        "7\x00\x1b[2J\u202e",
        "7 " + "{" * 20_000,
        "7 " + "[" * 20_000,
        "Solution " * 4000 + "7",
        "7" + "\n" * 30_000,
        "{{ 7 }} {% raw %}",
    ],
)
async def test_hostile_answers_and_replies_get_a_verdict(ask: Any, reply: Reply, text: str) -> None:
    honest, parrot = [await ask(PLAIN, [reply(text)], double) for double in (Double(), Double(form=lambda _: text * 3))]
    assert honest[0].outcome in ("keep", "refuse")
    assert parrot[0].outcome in ("abstain", "refuse")
    json.dumps(honest[0].model_dump(mode="json")).encode()


async def test_the_chinese_wording_works_as_well(tools: Any, reply: Reply) -> None:
    double = Double()
    own = type(tools)(workers=tools.workers, language="zh", models={"judge": DoubleModel(double)})
    async with PLAIN.open(own) as judge:
        (verdict,) = await judge([reply("是 7 个")])
    assert "请给一份回答打分" in double.prompts[0]
    assert verdict.outcome in ("keep", "refuse")


async def test_a_schema_is_sent_where_the_model_takes_one(tools: Any, reply: Reply) -> None:
    class Strict(DoubleModel):
        capabilities = frozenset({"chat", "json_schema"})
        schemas: list[Any] = []

        async def chat(self, messages: Any, **how: Any) -> Any:
            self.schemas.append((how["json_schema"], how["sampling"].temperature))
            return await super().chat(messages)

    async with PLAIN.open(type(tools)(workers=tools.workers, models={"judge": Strict()})) as judge:
        await judge([reply("It is 7.")])
    ((schema, temperature),) = Strict.schemas
    assert list(schema["properties"]) == ["reason", "scores"]
    assert schema["properties"]["scores"]["required"] == ["correctness", "completeness", "clarity"]
    assert temperature == 0
