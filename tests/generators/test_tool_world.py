"""Mock tools: checked before they answer, consistent, faulty only where a seed says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import ToolCall
from datalchemy.generators._tool_world import Answered, Fault, World, validators

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "nights": {"type": "integer"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def played(*arguments: str, faults: Mapping[Fault, float] | None = None, name: str = "book") -> tuple[list[Answered], list[Sequence[str]]]:
    """The answers, and the state that each simulated call was shown."""
    seen: list[Sequence[str]] = []

    async def simulate(name: str, arguments: Mapping[str, Any], before: Sequence[str]) -> str:
        seen.append(before)
        return f'{{"booking": {len(seen)}}}'

    async def play() -> list[Answered]:
        world = World(validators([BOOK]), simulate, Random, faults or {})
        return [await world.call(ToolCall(id=str(at), name=name, arguments=one)) for at, one in enumerate(arguments)]

    return asyncio.run(play()), seen


def test_equal_calls_have_one_result_however_they_are_written() -> None:
    said, seen = played('{"city": "Oslo", "nights": 2}', '{"nights":2,"city":"Oslo"}', '{"city": "Rome"}')
    assert [one.cached for one in said] == [False, True, False]
    assert said[0].text == said[1].text != said[2].text
    assert len(seen) == 2


def test_a_later_call_is_shown_the_results_before_it() -> None:
    said, seen = played('{"city": "Oslo"}', '{"city": "Rome"}')
    assert seen == [[], [said[0].text]]


@pytest.mark.parametrize(
    "arguments",
    [
        '{"city": 3}',
        '{"nights": 2}',
        '{"city": "Oslo", "stars": 5}',
        "{",
        "[]",
        '{"city": "Oslo", "nights": NaN}',
        '{"city": "\\ud800"}',
        "[" * 100_000,
    ],
)
def test_wrong_arguments_are_told_before_anything_is_simulated(arguments: str) -> None:
    said, seen = played(arguments)
    assert said[0].outcome == "bad_arguments"
    assert not seen


def test_an_unknown_tool_is_told_and_not_simulated() -> None:
    said, seen = played("{}", name="fly")
    assert said[0].outcome == "unknown_tool"
    assert not seen


@pytest.mark.parametrize("fault", ["timeout", "rejected"])
def test_a_passing_fault_is_over_at_the_second_try(fault: Fault) -> None:
    said, seen = played('{"city": "Oslo"}', '{"city": "Oslo"}', faults={fault: 1.0})
    assert [one.outcome for one in said] == [fault, "result"]
    assert len(seen) == 1


@pytest.mark.parametrize("fault", ["empty", "changed"])
def test_a_lasting_fault_is_the_result_of_that_call(fault: Fault) -> None:
    said, _ = played('{"city": "Oslo"}', '{"city": "Oslo"}', faults={fault: 1.0})
    assert [one.outcome for one in said] == [fault, fault]
    assert said[0].text == said[1].text


def test_which_call_meets_a_fault_does_not_depend_on_the_order() -> None:
    calls = [f'{{"city": "{at}"}}' for at in range(40)]
    there, back = played(*calls, faults={"empty": 0.5})[0], played(*reversed(calls), faults={"empty": 0.5})[0]
    met = [one.outcome for one in there]
    assert met == [one.outcome for one in reversed(back)]
    assert {*met} == {"empty", "result"}


@pytest.mark.parametrize(
    "tools",
    [
        [{}],
        [BOOK, BOOK],
        [{"function": {"name": "x", "parameters": {"type": "array"}}}],
        [{"function": {"name": "x", "parameters": {"type": "object", "properties": {"a": {"type": "no such type"}}}}}],
        [{"function": {"name": "x", "parameters": {"type": "object", "$ref": "https://example.org/schema"}}}],
    ],
)
def test_tools_that_cannot_be_checked_are_refused(tools: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused, match="bad_tools"):
        validators(tools)
