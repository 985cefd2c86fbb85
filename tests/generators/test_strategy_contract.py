"""What every strategy owes: lineage, keys, determinism, no surprise about its calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from datalchemy.core import plug
from datalchemy.core.errors import RecipeError
from datalchemy.core.part import Generator
from datalchemy.core.record import Conversation, Record, Verdict, user
from datalchemy.prompts import names as wordings
from datalchemy.service.fielddocs import field_docs

SEED = Record(
    content=Conversation(messages=(user("5 + 3?"),)), answer="8", tests="[]", fields={"topic": "sums"}, labels={"level": 1}, origin="0/0"
)
SETTINGS: dict[str, dict[str, object]] = {
    "persona": {"task": "math_problem"},
    "messy": {"kinds": ["emoji", "colloquial"]},
    "preference": {"by": "math_answer"},
    "bsm": {"task": "problem"},
}
"""Of strategies that need more than a model."""
NEW_PROBLEM = {"backward", "evol", "new_question"}
"""Strategies whose records ask for something else than the seed does: its tests do not hold for them."""
SAYS: dict[str, Callable[..., str]] = {
    "evol": lambda call: "It is 8" if call.path.endswith("answer") else f"<question>Leo adds {call.number} pens to 5; how many?</question>",
    "persona": lambda call: "<problem>A hive gives 12 kg of honey. What do 7 hives give?</problem>" if call.path == "write" else "84 kg",
    "rephrase": lambda call: f"<question>Leo adds 5 and 3 on day {call.number}</question>" if call.path == "rephrase" else "It is 8",
    "new_question": lambda call: f"<question>Leo has {call.number} sums?</question>" if call.path == "write" else "It is 8",
    "messy": lambda call: "<message>hey gimme 5 + 3</message>" if call.path == "colloquial.write" else "It is 8",
    "bsm": lambda call: f"<parts>What about 5?</parts><parts>And 3 more?</parts><finding>{call.number}</finding>",
    "dialogue": lambda call: (
        f"It is number {call.number}"
        if call.path.endswith("assistant")
        else f"<goal>Find a present</goal><state>go_on</state><message>What about {call.number}?</message>"
    ),
    "preference": lambda call: f"It is {8 + call.sample}, says {call.number}",
    "persona_answers": lambda call: f"It is {call.path}, by way of {call.number}, I say",
    "persona_from_text": lambda call: "<persona>A clerk who adds columns by hand</persona>",
    "persona_from_persona": lambda call: "\n".join(f"<personas>A clerk who adds row{call.number}x{n} by hand</personas>" for n in range(3)),
}
"""Of strategies whose calls are not answered by `say`, what is."""


def say(call):
    return f"<think>\nsum {call.number}\n</think>\n\nIt is 8" if call.kind == "chat" else "What is 5 + 3?"


def render(turns, generate):
    ids = [i for t in turns for i in [1, *(1000 + ord(c) for c in t.role + "\n" + t.text), 2]]
    return [*ids, 1, 3] if generate else ids


def keep(record: Record) -> Verdict:
    return Verdict(by="math_answer", outcome="keep")


def first_right(record: Record) -> Verdict:
    right = record.messages[-1].text.startswith("It is 8")
    return Verdict(by="math_answer", outcome="keep" if right else "refuse", reason="" if right else "wrong_answer")


JUDGES = {"preference": first_right}
"""Of strategies that need answers which are not all right."""


@pytest.fixture(params=plug.names("generators"))
def strategy(request) -> Generator:
    return plug.build("generators", (Generator,), {"use": request.param, "model": "teacher", **SETTINGS.get(request.param, {})})


@pytest.fixture
def tools(scripted, double, strategy):
    says = SAYS.get(strategy.part_name(), say)
    return lambda **more: double(scripted(says, render=render, **more), {"math_answer": JUDGES.get(strategy.part_name(), keep)})


def seed_of(strategy: Generator) -> Record:
    return Record(origin="0/0") if strategy.seedless else SEED


async def test_each_record_tells_where_it_comes_from(strategy, tools, yielded):
    seed, bench = seed_of(strategy), tools()
    records = await yielded(strategy, seed, bench)
    assert records
    paid = {f"{call.number:08x}" for call in bench.teacher.calls}
    for record in records:
        step = record.lineage[-1]
        assert (step.by, step.parent, step.model) == (strategy.part_name(), seed.id, "scripted@1")
        assert step.keys
        assert set(step.keys) <= paid
        assert step.usage.completion_tokens > 0
        assert "finish_reason" in record.labels
        assert (record.origin, record.verdicts) == ("", ())
        assert record.tests == (None if strategy.part_name() in NEW_PROBLEM else seed.tests)
        assert record.fields == seed.fields
        assert record.labels.items() >= seed.labels.items()
        assert bool(step.prompt) == bool(step.template)


async def test_equal_inputs_give_equal_records(strategy, tools, yielded):
    seed = seed_of(strategy)
    first = await yielded(strategy, seed, tools())
    assert await yielded(strategy, seed, tools(latency=lambda call: call.number % 7)) == first


async def test_a_call_is_told_apart_by_path_and_sample(strategy, tools, yielded):
    bench = tools()
    await yielded(strategy, seed_of(strategy), bench)
    calls = [(call.kind, call.path, call.sample) for call in bench.teacher.calls]
    assert len(set(calls)) == len(calls)
    assert len(calls) <= strategy.calls_per_seed()


async def test_it_gives_no_more_records_than_it_says(strategy, tools, yielded):
    """A budget of candidates that is spent in batches goes by it."""
    assert len(await yielded(strategy, seed_of(strategy), tools())) <= strategy.records_per_seed()


async def test_it_asks_only_for_what_it_declares(strategy, tools, yielded):
    bench = tools()
    await yielded(strategy, seed_of(strategy), bench)
    needs = strategy.needs()["teacher"]
    kinds = {call.kind for call in bench.teacher.calls}
    assert kinds <= needs
    if any(call.kind == "complete" and not isinstance(call.prompt, str) for call in bench.teacher.calls):
        assert "token_ids" in needs


def test_its_wordings_ship_and_its_settings_are_documented(strategy):
    assert set(strategy.prompts) <= set(wordings())
    assert inspect.getdoc(type(strategy))
    undocumented = set(type(strategy).model_fields) - set(field_docs(type(strategy)))
    assert not undocumented


def test_it_survives_a_recipe(strategy):
    dumped = strategy.model_dump(mode="json")
    assert plug.build("generators", (Generator,), dumped) == strategy


def test_an_unknown_strategy_names_the_known_ones():
    with pytest.raises(RecipeError, match=r"no generator named 'cott'; did you mean 'cot'"):
        plug.find("generators", (Generator,), "cott")
