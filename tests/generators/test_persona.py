"""`persona`: what a person gives rise to, without the person in it (traps: methods.md 2)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.errors import RecipeError, Refused
from datalchemy.core.record import PlainText, Record, user
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.formats.constraints import IDS
from datalchemy.generators._persona_tasks import TASKS, parameters
from datalchemy.generators.persona import Persona
from datalchemy.personas.composed import Composed
from pydantic import ValidationError

PROBLEM = "A row of 14 panes costs 9 coins a pane and 30 coins to set. What does the row cost in all?"
FORMS = {
    "math_problem": {"idea": "cost from count", "problem": PROBLEM},
    "logic_puzzle": {
        "idea": "Red is last",
        "puzzle": "Three boats lie in a row. Red is not first, blue is before red. Which boat is last?",
    },
    "instruction": {"instruction": "Give me a plan for cleaning windows before a frost."},
    "knowledge_text": {"title": "Why glass sweats", "text": "Warm air holds more water than cold air. " * 8},
    "tool_definition": {
        "name": "find_panes",
        "description": "Finds panes of a size in stock.",
        "parameters": ["width (number, required): in centimetres", "colour (string, optional): of the frame"],
        "request": "Are there panes 60 cm wide?",
    },
    "game_character": {"name": "Orrel", "character": "Orrel trims lamps in a drowned city and speaks in half sentences. " * 3},
}


def tags(values: dict[str, object]) -> str:
    each = [(name, one) for name, value in values.items() for one in (value if isinstance(value, list) else [value])]
    return "\n".join(f"<{name}>{value}</{name}>" for name, value in each)


def say(call):
    if call.path == "answer":
        return "<think>\nhm\n</think>\n\n156 coins"
    return tags(next(form for name, form in FORMS.items() if f"<{list(form)[-1]}>" in call.asked))


@pytest.fixture
def bench(scripted, double):
    return lambda say=say, **more: double(scripted(say), **more)


def empty(number: int) -> Record:
    return Record(origin=f"seed#{number}")


def seed(text: str = "A glazier who keeps bees") -> Record:
    return Record(content=PlainText(text=text))


def asking(values: dict[str, object], answer: str = "done"):
    return lambda call: answer if call.path == "answer" else tags(values)


async def one(yielded, strategy: Persona, record: Record, tools) -> Record:
    (made,) = await yielded(strategy, record, tools)
    return made


async def test_a_problem_is_written_for_a_person_and_answered_without(bench, yielded):
    tools = bench()
    record = await one(yielded, Persona(model="teacher", task="math_problem"), empty(5), tools)
    who = Composed().persona(5)
    write, answer = tools.teacher.calls
    assert (write.path, answer.path) == ("write", "answer")
    assert who.text in write.asked
    assert answer.texts == [("user", PROBLEM)], "the answer knows nothing of the person"
    assert [(turn.role, turn.text, turn.reasoning) for turn in record.messages] == [
        ("user", PROBLEM, None),
        ("assistant", "156 coins", "hm"),
    ]
    assert record.labels == {"finish_reason": "stop", "task": "math_problem", "persona": who.text}
    step = record.lineage[-1]
    assert (step.prompt, len(step.keys)) == ("persona.math_problem", 2)
    assert step.detail == {"mode": "zero_shot", "persona": who.text, "axes": dict(who.axes), "idea": "cost from count"}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_task_in_both_languages(task, language, bench, yielded):
    tools = bench(language=language)
    record = await one(yielded, Persona(model="teacher", task=task), empty(1), tools)
    assert Composed().persona(1, language).text in tools.teacher.calls[0].asked
    asks = TASKS[task].asks
    assert len(tools.teacher.calls) == Persona(model="teacher", task=task).calls_per_seed() == (2 if asks else 1)
    assert isinstance(record.content, PlainText) == (task in ("knowledge_text", "game_character"))


async def test_a_tool_becomes_a_schema_with_a_request(bench, yielded):
    record = await one(yielded, Persona(model="teacher", task="tool_definition"), empty(1), bench())
    (tool,) = record.content.tools  # type: ignore[union-attr]
    assert record.messages == (user("Are there panes 60 cm wide?"),)
    assert tool["function"]["name"] == "find_panes"
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "width": {"type": "number", "description": "in centimetres"},
            "colour": {"type": "string", "description": "of the frame"},
        },
        "required": ["width"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("lines", "required"),
    [
        (["`city` (string): where"], ["city"]),
        (["n（int，可选）：数量", "ok (Boolean, optional): yes"], []),
        (["days (list, required): which: all"], ["days"]),
    ],
)
def test_parameters_as_models_write_them(lines, required):
    assert parameters(lines)["required"] == required


@pytest.mark.parametrize(
    "change",
    [
        {"name": "1st tool!"},
        {"parameters": ["width: a number"]},
        {"parameters": ["width (colour, required): x"]},
        {"parameters": ["a (int): x", "a (int): y"]},
    ],
)
async def test_a_bad_tool_is_refused(change, bench, yielded):
    with pytest.raises(Refused) as refused:
        await yielded(Persona(model="teacher", task="tool_definition"), empty(1), bench(asking({**FORMS["tool_definition"], **change})))
    assert refused.value.reason == "bad_tool"


async def test_seeds_are_personas(bench, yielded):
    tools = bench()
    for record in (seed(), Record(content=seed().content, fields={"topic": "glass"})):
        made = await one(yielded, Persona(model="teacher", task="instruction", respond=False), record, tools)
        assert (made.labels["persona"], made.fields) == ("A glazier who keeps bees", record.fields)
    assert [call.path for call in tools.teacher.calls] == ["write", "write"]


async def test_personas_given_twice_are_a_mistake_of_the_recipe(bench, yielded):
    tools = bench()
    with pytest.raises(RecipeError, match="the seeds are the personas"):
        await yielded(Persona(model="teacher", task="instruction", personas=Composed()), seed(), tools)
    assert tools.teacher.calls == []


async def test_other_numbers_are_other_people_and_the_list_goes_round(bench, yielded):
    strategy = Persona.model_validate({"model": "teacher", "task": "instruction", "personas": {"texts": ["a baker of bread", "a cook"]}})
    made = [await one(yielded, strategy, empty(number), bench()) for number in range(3)]
    assert [record.labels["persona"] for record in made] == ["a baker of bread", "a cook", "a baker of bread"]
    composed = Persona.model_validate({"model": "teacher", "task": "instruction", "personas": {"seed": 2}})
    who = [(await one(yielded, composed, empty(number), bench())).labels["persona"] for number in range(20)]
    assert len(set(who)) == 20


WHO = "A glazier who keeps bees on the roof of the town hall and sells honey in old jars"
LEAKS = [
    ("persona_copied", "Someone keeps bees on the roof of the town hall. With 4 hives of 9 kg, how much honey is there?"),
    ("persona_named", "As a glazier, you cut 14 panes of 60 by 80 cm. How much glass is that?"),
    ("solved", f"{PROBLEM}\nAnswer: 156"),
    ("solved", f"{PROBLEM} \\boxed{{156}}"),
    ("assistant_voice", "I'm sorry, but I cannot write a problem for this person."),
    ("too_short", "What is 2 + 2?"),
]


@pytest.mark.parametrize(("reason", "text"), LEAKS)
async def test_what_is_refused_before_an_answer_is_paid_for(reason, text, bench, yielded):
    tools = bench(asking({"problem": text}))
    with pytest.raises(Refused) as refused:
        await yielded(Persona(model="teacher", task="math_problem"), seed(WHO), tools)
    assert refused.value.reason == reason
    assert len(tools.teacher.calls) == 1


async def test_control_without_the_check_the_persona_leaks(bench, yielded):
    record = await one(
        yielded, Persona(model="teacher", task="math_problem", leak=None), seed(WHO), bench(asking({"problem": LEAKS[0][1]}))
    )
    assert "bees on the roof of the town hall" in record.prompt


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty_reply"),
        ("I would rather talk about bees.", "unreadable"),
        (Reply(text="<idea>x</idea><problem>A row of", finish_reason="length"), "cut"),
    ],
)
async def test_a_reply_that_is_no_form(reply, reason, bench, yielded):
    with pytest.raises(Refused) as refused:
        await yielded(Persona(model="teacher", task="math_problem"), empty(1), bench(lambda call: reply))
    assert refused.value.reason == reason


async def test_an_empty_answer_is_refused(bench, yielded):
    with pytest.raises(Refused, match="empty_answer"):
        await yielded(Persona(model="teacher", task="math_problem"), empty(1), bench(asking(FORMS["math_problem"], "<think>\nhm")))


SHOTS = [
    {"text": f"Example {n}: a wall of {n} bricks, how many in {n} walls of that kind altogether, please?", "persona": f"A mason {n}"}
    for n in range(5)
]


async def test_demonstrations_are_drawn_and_shown_with_or_without_their_personas(bench, yielded):
    for mode, there in (("few_shot", False), ("persona_few_shot", True)):
        strategy = Persona.model_validate({"model": "teacher", "task": "math_problem", "mode": mode, "demonstrations": SHOTS, "shots": 2})
        tools = bench()
        record = await one(yielded, strategy, empty(3), tools)
        asked = tools.teacher.calls[0].asked
        drawn = [shot for shot in SHOTS if shot["text"] in asked]
        assert len(drawn) == 2
        assert [shot["persona"] in asked for shot in SHOTS] == [there and shot in drawn for shot in SHOTS]
        assert record.lineage[-1].detail["mode"] == mode
        assert sorted(record.lineage[-1].detail["shots"]) == sorted(shot["text"][:80] for shot in drawn)
    assert asked.index("<examples>") < asked.index("<person>")


async def test_a_copied_demonstration_is_refused(bench, yielded):
    strategy = Persona.model_validate({"model": "teacher", "task": "math_problem", "mode": "few_shot", "demonstrations": SHOTS[:1]})
    with pytest.raises(Refused, match="example_copied"):
        await yielded(strategy, empty(3), bench(asking({"problem": SHOTS[0]["text"]})))


def test_demonstrations_from_the_records_of_an_earlier_run(tmp_path: Path):
    rows = [
        {"messages": [{"role": "user", "content": PROBLEM}, {"role": "assistant", "content": "156"}], "labels": {"persona": "A glazier"}},
        {"text": "plain", "persona": "A baker"},
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    raw = {"model": "teacher", "task": "math_problem", "mode": "persona_few_shot", "demonstrations": "train.jsonl"}
    strategy = Persona.model_validate(raw, context={"base": tmp_path})
    assert [(shot.text, shot.persona) for shot in strategy._pool] == [(PROBLEM, "A glazier"), ("plain", "A baker")]
    before = strategy.reads()["demonstrations"]
    (tmp_path / "train.jsonl").write_text(json.dumps(rows[1]))
    assert Persona.model_validate(raw, context={"base": tmp_path}).reads()["demonstrations"] != before
    (tmp_path / "train.jsonl").write_text("{}\n")
    with pytest.raises(ValidationError, match=r"train\.jsonl:1: no demonstration"):
        Persona.model_validate(raw, context={"base": tmp_path})


def without(*kept: str) -> tuple[str, ...]:
    return tuple(name for name in IDS if name not in kept)


async def test_constraints_are_asked_for_in_words_and_kept_for_the_filter(bench, yielded):
    kinds = ("punctuation:no_comma", "startend:quotation", "detectable_format:title")
    strategy = Persona(model="teacher", task="instruction", constraints=1, held_out=without(*kinds))
    tools = bench()
    record = await one(yielded, strategy, empty(2), tools)
    told = json.loads(record.tests or "")
    assert len(told["instruction_id_list"]) == 1
    assert told["instruction_id_list"][0] in kinds
    question = record.prompt
    assert question.startswith(FORMS["instruction"]["instruction"] + " ")
    assert tools.teacher.calls[1].asked == question
    plain = await one(yielded, Persona(model="teacher", task="instruction"), empty(2), bench())
    assert plain.tests is None


async def test_held_out_constraints_are_never_drawn(bench, yielded):
    kept = ("punctuation:no_comma", "startend:end_checker")
    strategy = Persona(model="teacher", task="instruction", constraints=5, held_out=without(*kept), respond=False)
    for seed_ in range(12):
        record = await one(yielded, strategy, empty(1), bench(seed=seed_))
        assert set(json.loads(record.tests or "")["instruction_id_list"]) <= set(kept)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "math_problems"}, "math_problem"),
        ({"task": "math_problem", "constraints": 1}, "are for `task: instruction`"),
        ({"task": "instruction", "held_out": ["no_comma"]}, "unknown instruction 'no_comma'"),
        ({"task": "instruction", "constraints": 1, "held_out": list(IDS)}, "leaves no constraint"),
        ({"task": "instruction", "mode": "few_shot"}, "need `demonstrations`"),
        ({"task": "instruction", "demonstrations": SHOTS}, "zero_shot` takes none"),
        ({"task": "instruction", "mode": "persona_few_shot", "demonstrations": [{"text": "x"}]}, "has none"),
        ({"task": "instruction", "mode": "few_shot", "demonstrations": "none.jsonl"}, "cannot be read"),
        ({"task": "instruction", "personas": {"path": "none.txt"}}, "cannot be read"),
    ],
)
def test_a_bad_setting_is_refused_before_anything_is_spent(settings, message):
    with pytest.raises(ValidationError, match=message):
        Persona.model_validate({"model": "teacher", **settings})


async def test_latency_changes_nothing(scripted, double, yielded):
    strategy = Persona(model="teacher", task="instruction", constraints=2)
    first = await yielded(strategy, empty(4), double(scripted(say)))
    slow = double(scripted(say, latency=lambda call: call.number % 5))
    assert await yielded(strategy, empty(4), slow) == first


async def test_a_document_is_no_persona(bench, yielded):
    tools = bench()
    with pytest.raises(Refused, match="long_persona"):
        await yielded(Persona(model="teacher", task="instruction"), seed("word " * 1000), tools)
    assert tools.teacher.calls == []


@pytest.mark.parametrize(("written", "gap"), [("Tell me about frost", "\n"), ("What is frost good for?", " ")])
async def test_a_constraint_starts_a_line_where_the_instruction_has_no_end(written, gap, bench, yielded):
    strategy = Persona(model="teacher", task="instruction", constraints=1, held_out=without("punctuation:no_comma"))
    record = await one(yielded, strategy, empty(1), bench(asking({"instruction": written})))
    assert record.prompt == f"{written}{gap}Do not use a comma anywhere in the answer."


def two_stages(**settings: object) -> Recipe:
    return Recipe.build(
        {
            "models": {"teacher": {"use": "scripted"}},
            "seeds": {"inline": ["a text"]},
            "generate": [
                {"use": "persona_from_text", "model": "teacher"},
                {"use": "persona", "model": "teacher", "task": "instruction", **settings},
            ],
        }
    )


def test_behind_another_stage_its_seeds_are_the_personas_and_nothing_else():
    assert len(two_stages().generate) == 2
    with pytest.raises(RecipeError, match="can only stand in the first stage"):
        two_stages(personas={"seed": 1})


@pytest.mark.parametrize(
    ("personas", "message"),
    [
        ({"covers": 2}, "covers: there is no such field"),
        ({"path": "none.txt"}, "cannot be read"),
        ({"only": {"sector": ["cars"]}}, "did you mean 'care'"),
    ],
)
def test_a_mistake_in_personas_is_told_of_the_source_that_was_meant(personas, message):
    with pytest.raises(RecipeError, match=message) as error:
        Recipe.build(
            {
                "models": {"teacher": {"use": "scripted"}},
                "generate": [{"use": "persona", "model": "teacher", "task": "instruction", "personas": personas}],
                "target": 1,
            }
        )
    assert "Extra inputs" not in str(error.value)
    assert str(error.value).count("no such field") <= 1


def test_in_a_run_the_nth_candidate_is_the_nth_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    said = "<instruction>How do I plan a week with four shifts?</instruction>"
    recipe = Recipe.build(
        {
            "models": {"teacher": {"use": "scripted", "script": [{"match": "person", "reply": said}]}},
            "generate": [{"use": "persona", "model": "teacher", "task": "instruction", "respond": False, "personas": {"cover": 2}}],
            "target": 15,
            "output": {"dir": str(tmp_path / "out"), "formats": ["jsonl"]},
        }
    )
    assert run(recipe).accepted == 15
    rows = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert [row["labels"]["persona"] for row in rows] == [Composed(cover=2).persona(number).text for number in range(15)]
    earlier = Persona.model_validate(
        {"model": "teacher", "task": "instruction", "mode": "persona_few_shot", "demonstrations": str(tmp_path / "out" / "train.jsonl")}
    )
    assert [(shot.text, shot.persona) for shot in earlier._pool] == [
        ("How do I plan a week with four shifts?", row["labels"]["persona"]) for row in rows
    ], "what was accepted once can be shown later"
