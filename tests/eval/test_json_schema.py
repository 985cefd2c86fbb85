from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import PlainText, Record
from datalchemy.core.workers import WorkerPool
from datalchemy.eval._json_worker import valid
from datalchemy.eval._strict_json import DEPTH, Flawed, blocks, parse
from datalchemy.eval.json_schema import JsonSchema
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]
Reply = Callable[..., Record]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def word(text: str, schema: Any = SCHEMA, form: str = "auto", formats: bool = False) -> str:
    ((outcome, reason),) = valid([{"text": text, "schema": json.dumps(schema), "form": form, "formats": formats}])
    return reason.partition(":")[0] or outcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "Ann", "age": 3}', "valid"),
        ('\n {"name": "Ann"}\n', "valid"),
        ('```json\n{"name": "Ann"}\n```', "valid"),
        ('~~~\n{"name": "Ann"}\n~~~\n', "valid"),
        ('{"name": "```"}', "valid"),
        ('{"age": 3}', "schema_violation"),
        ('{"name": "Ann", "age": true}', "schema_violation"),
        ('{"name": "Ann", "age": "3"}', "schema_violation"),
        ('{"name": "Ann", "age": -1}', "schema_violation"),
        ('{"name": "Ann", "extra": 1}', "schema_violation"),
        ("[]", "schema_violation"),
        ("null", "schema_violation"),
        ('{"name": "\\ud800"}', "lone_surrogate"),
        ('{"\\ud83d": 1}', "lone_surrogate"),
        ('{"name": "\\ud83d\\ude00"}', "valid"),
        ('{"name": "Ann", "age": 1e999}', "not_a_number"),
        ('{"name": "Ann", "name": "Bob"}', "duplicate_key"),
        ('{"name": "Ann", "age": NaN}', "not_a_number"),
        ('{"name": "Ann", "age": -Infinity}', "not_a_number"),
        ('{"name": "Ann"', "not_json"),
        ("{'name': 'Ann'}", "not_json"),
        ('{"name": "Ann",}', "not_json"),
        ("Ann", "not_json"),
        ("9" * 5000, "not_json"),
        ("", "no_json"),
        ('{"name": "Ann"} Done.', "trailing_text"),
        ('{"name": "Ann"}{"name": "Bob"}', "trailing_text"),
        ('Here it is: {"name": "Ann"}', "leading_text"),
        ('Here:\n```json\n{"name": "Ann"}\n```', "leading_text"),
        ('```json\n{"name": "Ann"}\n```\nDone.', "trailing_text"),
        ('```json\n{"name": "Ann"}', "no_block"),
        ('```\n{"name": "Ann"}\n```\n```\n{}\n```', "no_block"),
        ("[" * 101 + "]" * 101, "too_deep"),
        ("[" * 100_000, "too_deep"),
        ('{"a":' * 100_000, "too_deep"),
    ],
)
def test_what_is_wrong_is_told_apart(text: str, expected: str) -> None:
    assert word(text) == expected


def test_forms() -> None:
    fenced = 'First:\n```\n{"name": 1}\n```\nBetter:\n```json\n{"name": "Ann"}\n```\nDone.'
    assert word(fenced, form="fenced") == "valid"
    assert word(fenced, form="whole") == "leading_text"
    assert word('{"name": "Ann"}', form="fenced") == "no_block"
    assert word('```\n{"name": "Ann"}\n```', form="whole") != "valid"
    assert word('{"name": "Ann"}', form="whole") == "valid"


def test_formats_are_checked_where_asked() -> None:
    schema = {"type": "string", "format": "date"}
    assert word('"2024-02-30"', schema) == "valid"
    assert word('"2024-02-30"', schema, formats=True) == "schema_violation"
    assert word('"2024-02-29"', schema, formats=True) == "valid"


def test_brackets_in_strings_are_no_nesting() -> None:
    assert word(json.dumps("[" * 500), {"type": "string"}) == "valid"
    assert word('"\\"' + '\\"[' * 200_000, {"type": "string"}) == "not_json"
    assert word("[" * DEPTH + "]" * DEPTH, True) == "valid"


@given(VALUES)
def test_all_that_is_json_is_read_as_it_is(value: Any) -> None:
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False, indent=1)) == value
    assert word(json.dumps(value), True) == "valid"


@given(st.text(alphabet=st.sampled_from('{}[]",:1aN `~\n\\')))
def test_whatever_the_text_there_is_an_answer_or_a_reason(text: str) -> None:
    try:
        parse(text)
    except Flawed as error:
        assert str(error).partition(": ")[2]
    list(blocks(text))
    word(text)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "bad_schema"),
        ({"$ref": "file:///etc/passwd"}, "bad_schema"),
        ({"$ref": "#/$defs/none"}, "bad_schema"),
        ({"type": "dict"}, "bad_schema"),
        ({"pattern": "("}, "bad_schema"),
        ({"pattern": "(((a{1000}){1000}){1000})"}, "bad_schema"),
        ([], "bad_schema"),
        (None, "bad_schema"),
        ({"$ref": "#"}, "valid"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "valid"),
        ({"pattern": "^(a+)+$"}, "schema_violation"),
        ({"pattern": "^(?=(a+)+b)(a|a)+$"}, "schema_violation"),
        (False, "schema_violation"),
        (True, "valid"),
    ],
)
def test_hostile_schemas(schema: Any, expected: str) -> None:
    assert word(json.dumps("a" * 60 + "!"), schema) == expected


def test_a_deep_schema() -> None:
    for levels in (150, 5_000, 100_000):
        schema = '{"allOf": [' * levels + "true" + "]}" * levels
        ((outcome, reason),) = valid([{"text": "1", "schema": schema, "form": "auto", "formats": False}])
        assert (outcome, reason.partition(":")[0]) == ("unusable", "bad_schema")


async def test_an_exponential_schema_costs_its_time_and_nothing_else(reply: Reply) -> None:
    layers: dict[str, Any] = {"a0": {"type": "integer"}}
    for i in range(1, 40):
        layers[f"a{i}"] = {"anyOf": [{"$ref": f"#/$defs/a{i - 1}"}] * 2}
    bomb = {"$defs": layers, "$ref": "#/$defs/a39"}
    records = [reply('"x"', fields={"schema": schema}) for schema in ({"type": "string"}, bomb, {"type": "integer"})]
    async with WorkerPool(processes=1) as pool:
        tools = type("Tools", (), {"workers": pool})()
        async with JsonSchema(timeout_s=0.5).open(tools) as judge:
            verdicts = await judge(records)
    assert [verdict.outcome for verdict in verdicts] == ["keep", "abstain", "refuse"]
    assert verdicts[1].reason.startswith("check_timeout: ")


async def said(judge: Judge, record: Record, **settings: Any) -> str:
    (verdict,) = await judge(JsonSchema(**settings), [record])
    assert verdict.score == {"keep": 1.0, "refuse": 0.0, "abstain": None}[verdict.outcome]
    return verdict.reason.partition(":")[0] or verdict.outcome


async def test_where_the_schema_comes_from(judge: Judge, reply: Reply, tmp_path: Path) -> None:
    good, bad = reply('{"name": "Ann"}'), reply('{"age": 1}')
    assert await said(judge, good, json_schema=SCHEMA) == "keep"
    assert await said(judge, bad, json_schema=SCHEMA) == "schema_violation"
    file = tmp_path / "person.json"
    file.write_text(json.dumps(SCHEMA))
    part = JsonSchema.model_validate({"schema_file": str(file)})
    assert part.json_schema == SCHEMA
    assert await said(judge, bad, schema_file=str(file)) == "schema_violation"
    for own in (SCHEMA, json.dumps(SCHEMA)):
        assert await said(judge, reply('{"age": 1}', fields={"schema": own})) == "schema_violation"
        assert await said(judge, reply('{"name": "A"}', fields={"shape": own}), schema_field="shape") == "keep"
    assert await said(judge, good) == "no_schema"
    assert await said(judge, reply("{}", fields={"schema": "{"})) == "bad_schema"
    assert await said(judge, reply("{}", fields={"schema": {"a": {1, 2}}})) == "bad_schema"


async def test_a_recipes_schema_that_is_none_stops_the_run(judge: Judge, reply: Reply) -> None:
    with pytest.raises(RecipeError, match='this is no JSON Schema: "inteer" is not valid'):
        await judge(JsonSchema(json_schema={"type": "inteer"}), [reply("1")])
    assert await said(judge, reply("1"), json_schema={"type": "integer"}) == "keep"


def test_a_file_that_cannot_be_read_is_a_wrong_recipe(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    for name in ("none.json", "broken.json"):
        with pytest.raises(ValidationError, match="cannot be read as JSON"):
            JsonSchema.model_validate({"schema_file": str(tmp_path / name)})
    with pytest.raises(ValidationError, match="not both"):
        JsonSchema.model_validate({"schema_file": "a.json", "json_schema": {}})


async def test_which_part_is_judged(judge: Judge, reply: Reply) -> None:
    record = reply("Seven", reasoning="{}", answer='{"name": "Ann"}', tests="{}")
    assert await said(judge, record, json_schema=SCHEMA) == "not_json"
    assert await said(judge, record, json_schema=SCHEMA, part="reference") == "keep"
    assert await said(judge, record, json_schema=SCHEMA, part="tests") == "schema_violation"
    assert await said(judge, reply("x"), json_schema=SCHEMA, part="tests") == "no_tests"
    assert await said(judge, reply('<think>so</think>\n{"name": "Ann"}'), json_schema=SCHEMA) == "keep"
    assert await said(judge, reply('<think>{"name": "Ann"}'), json_schema=SCHEMA) == "no_json"
    fields = {"order": {"name": "Ann"}, "raw": '{"name": 1}'}
    assert await said(judge, reply("x", fields=fields), json_schema=SCHEMA, column="order") == "keep"
    assert await said(judge, reply("x", fields=fields), json_schema=SCHEMA, column="raw") == "schema_violation"
    assert await said(judge, reply("x", fields=fields), json_schema=SCHEMA, column="none") == "no_column"
    assert await said(judge, Record(), json_schema=SCHEMA) == "no_response"
    assert await said(judge, Record(content=PlainText(text='{"name": "Ann"}')), json_schema=SCHEMA) == "keep"


async def test_a_place_is_named(judge: Judge, reply: Reply) -> None:
    (verdict,) = await judge(JsonSchema(json_schema=SCHEMA), [reply('{"name": "Ann", "age": "3"}')])
    assert verdict.reason == 'schema_violation: at age: "3" is not of type "integer"'


async def test_a_text_with_lone_surrogates_is_judged(judge: Judge, reply: Reply) -> None:
    assert await said(judge, reply('{"name": "\ud800"}'), json_schema=SCHEMA) == "keep"
