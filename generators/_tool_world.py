"""A world of mock tools: calls are checked before anything answers them, equal calls have equal results, faults are drawn by seed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import jsonschema_rs

from ..core.errors import Refused
from ..core.record import ToolCall

Fault = Literal["timeout", "rejected", "empty", "changed"]
Outcome = Literal["result", "unknown_tool", "bad_arguments", "timeout", "rejected", "empty", "changed"]
PASSING: frozenset[Fault] = frozenset({"timeout", "rejected"})
"""Faults that are over when the same call is made again; the others stay, as the result of that call."""
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=1 << 20, dfa_size_limit=1 << 22)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a tool said to one call."""

    text: str
    outcome: Outcome
    cached: bool = False


Simulate = Callable[[str, Mapping[str, Any], Sequence[str]], Awaitable[str]]
"""Of a tool's name, its arguments and the results so far, in order (the world's state): JSON text of the result."""


def validators(tools: Sequence[Mapping[str, Any]]) -> dict[str, jsonschema_rs.Validator]:
    """By name, what checks the arguments of each tool (OpenAI form). Raises Refused(`bad_tools`)."""
    found: dict[str, jsonschema_rs.Validator] = {}
    for tool in tools:
        function = tool.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
            raise Refused("bad_tools", "a tool needs `function` with a `name`")
        if name in found:
            raise Refused("bad_tools", f"two tools are called {name[:60]}")
        schema = function.get("parameters", {"type": "object"})
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            raise Refused("bad_tools", f"{name[:60]}: `parameters` is no schema of an object")
        try:
            found[name] = jsonschema_rs.validator_for(dict(schema), pattern_options=_PATTERNS, offline=True)
        except (ValueError, RecursionError, jsonschema_rs.ReferencingError) as error:
            raise Refused("bad_tools", f"{name[:60]}: {error}"[:200]) from error
    return found


def canonical(name: str, arguments: Mapping[str, Any]) -> str:
    """One text for equal calls, whatever the order and spacing in which their arguments are written.

    Raises ValueError for what no JSON or UTF-8 can hold (NaN, a lone surrogate).
    """
    text = json.dumps([name, arguments], sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode().decode()


@dataclass(slots=True)
class World:
    """The tools of one conversation. `rng` gives the randomness of a path; a fault depends on the call, not on when it is made."""

    checks: Mapping[str, jsonschema_rs.Validator]
    simulate: Simulate
    rng: Callable[[str], Random]
    faults: Mapping[Fault, float] = field(default_factory=dict)
    """The share of distinct calls that meet each fault; together at most 1."""
    _results: dict[str, Answered] = field(default_factory=dict)
    _passed: set[str] = field(default_factory=set)

    async def call(self, call: ToolCall) -> Answered:
        """The answer to one call. Calls of one conversation are made one after another, so that each sees the state before it."""
        check = self.checks.get(call.name)
        if check is None:
            return Answered(_error(f"unknown tool {call.name[:60]}"), "unknown_tool")
        try:
            arguments = json.loads(call.arguments)
            wrong = next((error.message for error in check.iter_errors(arguments)), "")
            key = canonical(call.name, arguments)
        except (ValueError, RecursionError) as error:
            wrong, key = str(error), ""
        if wrong:
            return Answered(_error(f"bad arguments: {wrong}"[:300]), "bad_arguments")
        if (known := self._results.get(key)) is not None:
            return Answered(known.text, known.outcome, cached=True)
        return await self._first(call.name, arguments, key)

    async def _first(self, name: str, arguments: Mapping[str, Any], key: str) -> Answered:
        fault = self._fault(key)
        if fault in PASSING and key not in self._passed:
            self._passed.add(key)
            said = "timed out, try again" if fault == "timeout" else "429 too many requests, try again"
            return Answered(_error(said), fault)
        if fault == "empty":
            made = Answered("", "empty")
        else:
            text = await self.simulate(name, arguments, [one.text for one in self._results.values()])
            made = Answered(json.dumps({"data": text, "version": 2}), "changed") if fault == "changed" else Answered(text, "result")
        self._results[key] = made
        return made

    def _fault(self, key: str) -> Fault | None:
        drawn = self.rng(f"fault.{key}").random()
        for fault, share in self.faults.items():
            if (drawn := drawn - share) < 0:
                return fault
        return None


def _error(text: str) -> str:
    return json.dumps({"error": text})
