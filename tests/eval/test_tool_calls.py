from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from datalchemy.core.record import Conversation, Message, Record, ToolCall
from datalchemy.eval._call_forms import Call, written
from datalchemy.eval._call_match import Gold, matched, normal
from datalchemy.eval._strict_json import Flawed
from datalchemy.eval._tool_worker import judged
from datalchemy.eval.tool_calls import ToolCalls
from hypothesis import given
from hypothesis import strategies as st

Judge = Callable[..., Any]

WEATHER: dict[str, Any] = {
    "name": "weather.get",
    "parameters": {
        "type": "dict",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["c", "f"]},
            "wind": {"type": "boolean"},
            "limit": {"type": "float"},
            "hours": {"type": "array", "items": {"type": "integer"}},
            "where": {"type": "dict", "properties": {"lat": {"type": "float"}}},
        },
        "required": ["city"],
    },
}
TOOLS = [{"type": "function", "function": WEATHER}]


def word(calls: list[tuple[str, Any]] | str, gold: Any = None, *, tools: Any = TOOLS, expect: str = "gold", loose: bool = True) -> str:
    """`keep 1`, `refuse 0.5 wrong_value`."""
    asked = {
        "calls": [] if isinstance(calls, str) else [(name, json.dumps(given)) for name, given in calls],
        "texts": [calls] if isinstance(calls, str) else [],
        "tools": json.dumps(tools),
        "gold": gold if isinstance(gold, str) else json.dumps(gold or []),
        "expect": expect,
        "loose": loose,
    }
    ((outcome, score, reason),) = judged([asked])
    return " ".join([outcome, *([f"{score:g}"] if score is not None else []), *([reason.partition(":")[0]] if reason else [])])


GOLD = [{"weather.get": {"city": ["San José", "San José, CA"], "days": [3], "unit": ["c", ""]}}]
CITY = {"city": "San José", "days": 3}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (CITY, "keep 1"),
        ({**CITY, "unit": "c"}, "keep 1"),
        ({**CITY, "city": "san josé ca"}, "keep 1"),
        ({**CITY, "city": "San José, Calif"}, "refuse 0 wrong_value"),
        ({**CITY, "unit": "f"}, "refuse 0 wrong_value"),
        ({**CITY, "unit": "k"}, "refuse 0 not_in_enum"),
        ({**CITY, "days": 4}, "refuse 0 wrong_value"),
        ({**CITY, "days": "3"}, "refuse 0 wrong_type"),
        ({**CITY, "days": 3.0}, "refuse 0 wrong_type"),
        ({**CITY, "days": True}, "refuse 0 wrong_type"),
        ({**CITY, "wind": True}, "refuse 0 unexpected_argument"),
        ({**CITY, "country": "US"}, "refuse 0 unexpected_argument"),
        ({"city": "San José"}, "refuse 0 missing_argument"),
        ({"days": 3}, "refuse 0 missing_argument"),
    ],
)
def test_arguments_against_the_wanted_ones(arguments: dict[str, Any], expected: str) -> None:
    assert word([("weather.get", arguments)], GOLD) == expected
    assert word([("weather_get", arguments)], GOLD) == expected


def test_without_declared_tools_the_wanted_calls_alone_decide() -> None:
    assert word([("weather.get", CITY)], GOLD, tools=[]) == "keep 1"
    assert word([("weather.get", {**CITY, "days": 3.0})], GOLD, tools=[]) == "keep 1"
    assert word([("weather.get", {**CITY, "days": True})], [{"weather.get": {"city": ["San José"], "days": [1]}}], tools=[]).endswith(
        "wrong_value"
    )
    assert word([("other", CITY)], GOLD, tools=[]) == "refuse 0 wrong_name"


@pytest.mark.parametrize(
    ("got", "allowed", "same"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (True, 1, False),
        (1, True, False),
        (False, 0, False),
        (None, None, True),
        ("1", 1, False),
        ("A-b c", "ab_C", True),
        ("it's", 'it"s', True),
        ("a;b", "ab", False),
        (["A b", 1], ["ab", 1], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({"lat": 1}, {"lat": [1, 2]}, True),
        ({"lat": 3}, {"lat": [1, 2]}, False),
        ({}, {"lat": [1, ""]}, True),
        ({}, {"lat": [1]}, False),
        ({"lat": 1, "x": 1}, {"lat": [1]}, False),
        ([{"lat": 1}], [{"lat": [1]}], True),
    ],
)
def test_values(got: Any, allowed: Any, same: bool) -> None:
    count, reason = matched([Call("f", {"a": got})], [Gold("f", {"a": [allowed]})], loose=True)
    assert (count == 1, reason == "") == (same, same)


def test_strings_may_be_compared_as_they_are() -> None:
    gold = [{"f": {"a": ["New York"]}}]
    assert word([("f", {"a": "new york"})], gold, tools=[]) == "keep 1"
    assert word([("f", {"a": "new york"})], gold, tools=[], loose=False) == "refuse 0 wrong_value"
    assert normal("April 1, 2024") == normal("april 1 2024")


def test_plain_calls_are_taken_as_they_are() -> None:
    gold = [{"name": "f", "arguments": {"a": {"b": [1, 2]}, "c": ""}}]
    assert word([("f", {"a": {"b": [1, 2]}, "c": ""})], gold, tools=[]) == "keep 1"
    assert word([("f", {"a": {"b": 1}, "c": ""})], gold, tools=[]) == "refuse 0 wrong_value"
    assert word([("f", {"a": {"b": [1, 2]}})], gold, tools=[]) == "refuse 0 missing_argument"
    as_openai = [{"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]
    assert word([("f", {"a": 1})], as_openai, tools=[]) == "keep 1"


def test_parallel_calls_come_in_any_order_and_each_counts_once() -> None:
    gold = [{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}, {"g": {}}]
    one, two, g = ("f", {"a": 1}), ("f", {"a": 2}), ("g", {})
    assert word([g, one, two], gold, tools=[]) == "keep 1"
    assert word([one, g, two], gold, tools=[]) == "keep 1"
    assert word([two, two, g], gold, tools=[]) == f"refuse {2 / 3:g} wrong_value"
    assert word([one, g], gold, tools=[]) == f"refuse {2 / 3:g} wrong_count"
    assert word([one, one, g, g], gold, tools=[]) == "refuse 0.75 wrong_count"


@given(st.integers(0, 2**32))
def test_the_order_never_matters(seed: int) -> None:
    rng = Random(seed)
    golds = [Gold("f", {"a": rng.sample(range(4), rng.randint(1, 3))}) for _ in range(rng.randint(1, 5))]
    calls = [Call("f", {"a": rng.choice(gold.allowed["a"])}) for gold in golds]
    rng.shuffle(calls)
    assert matched(calls, golds, loose=True) == (len(golds), "")


def test_no_call_wanted() -> None:
    assert word("Sure, it is 7.", []) == "keep 1"
    assert word([("weather.get", CITY)], []) == "refuse 0 unwanted_call"
    assert word("Sure, it is 7.", expect="none") == "keep 1"
    assert word('<tool_call>{"name": "f", "arguments": {}}</tool_call>', expect="none") == "refuse 0 unwanted_call"
    assert word("<tool_call>{", expect="none") == "refuse 0 broken_call"
    assert word("Sure, it is 7.", GOLD) == "refuse 0 no_call"


def test_valid_needs_no_wanted_calls() -> None:
    assert word([("weather.get", CITY)], expect="valid") == "keep 1"
    assert word([("weather.get", {**CITY, "hours": [1, 2], "limit": 3, "where": {"lat": 1}})], expect="valid") == "keep 1"
    assert word([("weather.get", {**CITY, "hours": ["1"]})], expect="valid") == "refuse 0 wrong_type"
    assert word([("weather.get", {**CITY, "where": {"lat": "x"}})], expect="valid") == "refuse 0 wrong_type"
    assert word([("weather.put", CITY)], expect="valid") == "refuse 0 unknown_tool"
    assert word([("weather.get", CITY), ("nope", {})], expect="valid") == "refuse 0.5 unknown_tool"
    assert word([("weather.get", CITY)], expect="valid", tools=[]) == "abstain no_tools"
    assert word("no call", expect="valid") == "refuse 0 no_call"


@pytest.mark.parametrize(
    "tools", [[{"parameters": {}}], [1], {"a": 1}, [{"name": "f", "parameters": {"properties": {"a": {"type": "quux"}}}}]]
)
def test_unusable_tools_are_an_abstention(tools: Any) -> None:
    assert word([("f", {})], expect="valid", tools=tools) == "abstain bad_tools"


@pytest.mark.parametrize(
    "gold", ["7", "x", '"f"', "[1]", '[{"f": {"a": 1}}]', '[{"f": [], "g": []}]', "[" * 5000, '[{"name": 3}]', '{"f": 1, "f": 2}']
)
def test_unusable_gold_is_an_abstention(gold: str) -> None:
    assert word([("f", {})], gold) == "abstain no_gold"


CALL = '{"name": "f", "arguments": {"a": 1}}'
LLAMA = '{"type": "function", "name": "f", "parameters": {"a": 1}}'


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"<tool_call>\n{CALL}\n</tool_call>", 1),
        (f"Let me see.\n<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call><|im_end|>", 2),
        (LLAMA, 1),
        (f"<|python_tag|>{LLAMA}<|eom_id|>", 1),
        (f"{LLAMA}; {LLAMA}", 2),
        ('<function=f>{"a": 1}</function><|eot_id|>', 1),
        ('{"name": "f", "arguments": "{\\"a\\": 1}"}', 1),
        ("Just text.", 0),
        ('{"answer": 7}', 0),
        ("", 0),
    ],
)
def test_calls_written_as_text(text: str, count: int) -> None:
    assert written(text) == [Call("f", {"a": 1})] * count


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{CALL}",
        f"{CALL}</tool_call>",
        f"<tool_call>{CALL}</tool_call></tool_call>",
        "<tool_call>f(a=1)</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {"a": 1, "a": 2}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>',
        '<function=f>{"a": 1}',
        '{"name": "f", "parameters": {"a": 1}',
        f"{LLAMA}; {{",
        "<tool_call>" * 10_000,
        "<function=f>" * 10_000,
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
        f"<tool_call>{CALL}</tool_call>" * 1000,
    ],
)
def test_broken_calls_are_no_text(text: str) -> None:
    with pytest.raises(Flawed, match=r"broken_call: |too_many_calls: "):
        written(text)


@given(
    st.text(alphabet=st.sampled_from('{}[]";:,1a =/<>'))
    | st.lists(st.sampled_from(["<tool_call>", "</tool_call>", CALL, LLAMA, ";", " "])).map("".join)
)
def test_any_text_gets_a_verdict(text: str) -> None:
    assert word(text, GOLD).partition(" ")[0] in ("keep", "refuse")


def conversation(*turns: Message, gold: Any = None, **fields: Any) -> Record:
    content = Conversation(messages=(Message(role="user", content="Weather?"), *turns), tools=tuple(TOOLS))
    return Record(content=content, tests=json.dumps(gold) if gold is not None else None, **fields)


def calling(*calls: dict[str, Any], text: str = "") -> Message:
    return Message(role="assistant", content=text, tool_calls=tuple(ToolCall(name="weather.get", arguments=json.dumps(c)) for c in calls))


async def said(judge: Judge, record: Record, **settings: Any) -> str:
    (verdict,) = await judge(ToolCalls(**settings), [record])
    return verdict.reason.partition(":")[0] or verdict.outcome


async def test_calls_are_read_from_the_turns_after_the_question(judge: Judge) -> None:
    result, closing = Message(role="tool", content="{}"), Message(role="assistant", content="It is warm.")
    assert await said(judge, conversation(calling(CITY), gold=GOLD)) == "keep"
    assert await said(judge, conversation(calling(CITY), result, closing, gold=GOLD)) == "keep"
    assert await said(judge, conversation(closing, gold=GOLD)) == "no_call"
    again = Message(role="user", content="And now?")
    assert await said(judge, conversation(calling(CITY), result, closing, again, closing, gold=GOLD)) == "no_call"
    assert await said(judge, conversation(calling(CITY), result, closing, again, closing, gold=[])) == "keep"
    assert await said(judge, conversation(again, gold=GOLD)) == "no_response"
    hermes = f'<think>so <tool_call> it is</think><tool_call>{{"name": "weather.get", "arguments": {json.dumps(CITY)}}}</tool_call>'
    assert await said(judge, conversation(Message(role="assistant", content=hermes), gold=GOLD)) == "keep"


async def test_gold_is_read_from_tests_or_the_answer(judge: Judge) -> None:
    assert await said(judge, conversation(calling(CITY), answer=json.dumps(GOLD))) == "keep"
    assert await said(judge, conversation(calling(CITY), answer="sunny")) == "no_gold"
    assert await said(judge, conversation(calling(CITY))) == "no_gold"
    assert await said(judge, conversation(calling(CITY)), expect="valid") == "keep"
    assert ToolCalls().on_abstain == "refuse"


async def test_arguments_that_are_no_json_are_a_broken_call(judge: Judge) -> None:
    broken = Message(role="assistant", tool_calls=(ToolCall(name="weather.get", arguments='{"city": '),))
    assert await said(judge, conversation(broken, gold=GOLD)) == "broken_call"
    odd = Message(role="assistant", tool_calls=(ToolCall(name="\ud800", arguments='{"city": "\ud800"}'),))
    assert await said(judge, conversation(odd, gold=GOLD)) in ("unknown_tool", "wrong_name")
