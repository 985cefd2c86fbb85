"""Rows of the output: any record fits the schema that was found for its set, and comes back as it went in."""

import json

import orjson
import pytest
from datalchemy.core.errors import StorageError
from datalchemy.core.record import (
    Conversation,
    Media,
    Message,
    PlainText,
    Preference,
    Record,
    ScoredStep,
    ScoredSteps,
    ToolCall,
    Verdict,
)
from datalchemy.formats.dataset import Shape, load
from datalchemy.formats.shards import columns
from hypothesis import given, settings
from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
number = st.floats(allow_nan=False, allow_infinity=False)
parts = st.lists(st.builds(Media, type=st.just("text"), text=text) | st.builds(Media, type=st.just("image"), url=text), max_size=2).map(
    tuple
)
calls = st.lists(st.builds(ToolCall, name=text, arguments=text | st.just("{}")), max_size=2).map(tuple)
message = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=text | parts,
    reasoning=st.none() | text,
    tool_calls=calls,
    name=st.none() | text,
)
messages = st.lists(message, max_size=3).map(tuple)
step = st.builds(ScoredStep, text=text, score=st.none() | number, label=st.none() | st.booleans())
content = (
    st.builds(Conversation, messages=messages, tools=st.just(()) | st.just(({"name": "f"},)))
    | st.builds(Preference, prompt=messages, chosen=messages, rejected=messages)
    | st.builds(ScoredSteps, prompt=messages, steps=st.lists(step, max_size=3).map(tuple))
    | st.builds(PlainText, text=text)
)
label = st.none() | st.booleans() | st.integers() | number | text
verdict = st.builds(Verdict, by=st.sampled_from(["a", "b.c"]), outcome=st.sampled_from(["keep", "abstain"]), score=st.none() | number)
record = st.builds(
    Record,
    content=content,
    answer=st.none() | text,
    tests=st.none() | text,
    fields=st.dictionaries(text, label, max_size=2),
    labels=st.dictionaries(st.sampled_from("xyz"), label, max_size=3),
    verdicts=st.lists(verdict, max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=250)
@given(records=st.lists(record, max_size=4), reasoning=st.sampled_from(["inline", "field", "drop"]))
def test_any_set_of_records_fits_its_schema(records, reasoning):
    bodies = [orjson.loads(r.dump()) for r in records]
    shape = Shape(reasoning)
    for body in bodies:
        shape.see(body)
    rows = [shape.row(r.id, body) for r, body in zip(records, bodies, strict=True)]
    schema = shape.schema()
    table = columns([orjson.dumps(row) for row in rows], schema).to_pylist() if rows else []
    for r, row in zip(records, table, strict=True):
        assert (row["id"], row["answer"], row.get("tests")) == (r.id, r.answer, r.tests)
        for verdict in {v.by: v for v in r.verdicts if v.score is not None}.values():
            assert row["scores"][verdict.by] == verdict.score
        if isinstance(r.content, Conversation):
            assert [_text(m) for m in row["messages"]] == [_expected(m, reasoning) for m in r.content.messages]
            assert [len(m.get("tool_calls") or ()) for m in row["messages"]] == [len(m.tool_calls) for m in r.content.messages]
            if reasoning == "field":
                assert [m["reasoning"] for m in row["messages"]] == [m.reasoning for m in r.content.messages]
        if isinstance(r.content, PlainText):
            assert row["text"] == r.content.text


def _text(message):
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] or "" for part in content)


def _expected(message, reasoning):
    inline = reasoning == "inline" and message.reasoning is not None
    return f"<think>\n{message.reasoning}\n</think>\n\n{message.text}" if inline else message.text


@pytest.mark.parametrize(
    "given, value", [(b'{"a": NaN}', {"a": None}), (b'{"a": [1e999]}', {"a": [None]}), (b'"\\ud800x"', "?x"), (b'"\xff"', "\ufffd")]
)
def test_values_that_are_no_json_are_repaired(given, value):
    assert load(given) == (value, True)


@settings(max_examples=200)
@given(st.binary(max_size=30) | st.recursive(label, lambda x: st.lists(x, max_size=3)).map(lambda v: json.dumps(v).encode()))
def test_load_never_crashes_and_what_it_gives_is_strict(data):
    try:
        value, _ = load(data)
    except StorageError:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def test_bottomless_json_is_a_storage_error():
    with pytest.raises(StorageError):
        load(b"[" * 100_000)
