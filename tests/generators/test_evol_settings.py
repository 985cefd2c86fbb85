"""`evol`: its settings, and a method of the user's own in place of the operators."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import Conversation, Record, user
from datalchemy.generators.evol import Evol
from pydantic import ValidationError

SEED = Record(content=Conversation(messages=(user("How does a bicycle stay upright while it moves?"),)))
HARDER = "Why does a bicycle that rolls slowly fall more easily than a fast one, and what does the rider do about it?"
ANSWER = "Steering into the fall brings the wheels back under the centre of mass."


def hashed(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


@pytest.fixture
def bench(scripted, double):
    """Tools whose model writes one question, and answers it."""
    return lambda text=HARDER: double(scripted(lambda call: ANSWER if call.path.endswith("answer") else f"<question>{text}</question>"))


def test_settings_that_cannot_be_met_are_refused():
    for bad in ({"rounds": 0}, {"breadth": 1.5}, {"operators": ()}, {"operators": ("shorten",)}, {"growth": 1}, {"yields": "none"}):
        with pytest.raises(ValidationError):
            Evol(model="teacher", **bad)


def test_only_models_that_are_used_are_needed():
    assert set(Evol(model="a", responder="b", judge="c").needs()) == {"a", "b"}
    assert set(Evol(model="a", responder="b", judge="c", equal_check=True, respond=False).needs()) == {"a", "c"}


METHOD_TEXT = "1. List two facts that a rider would overlook. 2. Let the question turn on both."


@pytest.fixture
def method_file(tmp_path):
    path = tmp_path / "method.txt"
    path.write_text(METHOD_TEXT + "\n")
    return path


async def test_a_method_takes_the_place_of_the_operators(bench, yielded, method_file):
    strategy = Evol(model="teacher", method=str(method_file), breadth=0, rounds=1)
    tools = bench()
    (record,) = await yielded(strategy, SEED, tools)
    assert record.labels["operator"] == "method"
    assert [call.path for call in tools.teacher.calls] == ["round1.method", "round1.answer"]
    assert METHOD_TEXT in tools.teacher.calls[0].asked
    assert record.lineage[-1].detail["method"] == strategy.reads()["method"] == hashed(METHOD_TEXT)
    (other,) = await yielded(Evol(model="teacher", breadth=0, rounds=1), SEED, bench())
    assert "method" not in other.lineage[-1].detail


async def test_breadth_stays_beside_a_method(bench, yielded, method_file):
    (record,) = await yielded(Evol(model="teacher", method=str(method_file), breadth=1, rounds=1), SEED, bench())
    assert record.labels["operator"] == "breadth"


async def test_words_of_the_method_are_scaffolding(bench, yielded, method_file):
    strategy = Evol(model="teacher", method=str(method_file), breadth=0, rounds=1)
    said = "List two facts that a rider would overlook, and say why a bicycle stays upright."
    with pytest.raises(Refused) as refused:
        await yielded(strategy, SEED, bench(said))
    assert refused.value.reason == "scaffolding"


def test_the_method_of_records_is_that_of_the_last_one(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"text": "First."}\n{"text": "Second."}\n\n')
    assert Evol(model="teacher", method=str(path)).reads() == {"method": hashed("Second.")}


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("m.txt", b" \n", "is empty"),
        ("m.txt", b"\xff\xfe", "not UTF-8"),
        ("m.txt", b"x" * 6001, "shorten it"),
        ("m.jsonl", b"{", "not valid JSON"),
        ("m.jsonl", b"", "not valid JSON"),
        ("m.jsonl", b'{"messages": []}', "no `text`"),
        ("m.txt", None, "cannot be read"),
    ],
)
def test_a_method_that_cannot_be_read_ends_the_recipe(name, body, told, tmp_path):
    if body is not None:
        (tmp_path / name).write_bytes(body)
    with pytest.raises(ValidationError, match=told):
        Evol(model="teacher", method=str(tmp_path / name))


def test_method_and_operators_are_alternatives(method_file):
    with pytest.raises(ValidationError, match="leave one of them out"):
        Evol(model="teacher", method=str(method_file), operators=("steps",))
