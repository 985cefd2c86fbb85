"""Puzzles in their declared form, read into variables and rules; nothing of a puzzle is ever evaluated as code."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._statements import BOUNDS, Reader, Rule, Unreadable, Value, numbers, opened

MOST_VARIABLES, MOST_VALUES, MOST_RULES = 200, 1000, 2000
MOST_CHARS = 100_000


class Sum(NamedTuple):
    """A weighted sum with a bound, which a solver can cut by."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    bound: str
    total: float


class Puzzle(NamedTuple):
    """A puzzle, read."""

    domains: dict[str, list[Value]]
    rules: list[tuple[tuple[str, ...], Rule]]
    """Each with the variables that it depends on."""
    different: list[tuple[str, ...]]
    """Groups of variables that must all differ."""
    sums: list[Sum]
    ask: tuple[str, ...]
    """The variables that an answer must give."""


def read_puzzle(raw: Any) -> Puzzle:
    """Raises Unreadable."""
    if not isinstance(raw, dict) or set(raw) - {"variables", "constraints", "ask"} or not isinstance(raw.get("constraints"), list):
        raise Unreadable("a puzzle is an object with variables, constraints and perhaps ask")
    domains = _domains(raw.get("variables"))
    ask = raw.get("ask", list(domains))
    ask = [ask] if isinstance(ask, str) else ask
    if not isinstance(ask, list) or not ask or not all(isinstance(name, str) and name in domains for name in ask):
        raise Unreadable("ask must name variables")
    if len(raw["constraints"]) > MOST_RULES:
        raise Unreadable(f"more than {MOST_RULES} constraints")
    puzzle = Puzzle(domains, [], [], [], tuple(dict.fromkeys(ask)))
    for number, one in enumerate(raw["constraints"], 1):
        _add(puzzle, one, f"constraint {number}")
    return puzzle


def _domains(raw: Any) -> dict[str, list[Value]]:
    if not isinstance(raw, dict) or not 0 < len(raw) <= MOST_VARIABLES:
        raise Unreadable(f"variables must be an object with 1 to {MOST_VARIABLES} names")
    if any(len(name) > 100 for name in raw):
        raise Unreadable("a name has 100 characters at most")
    return {name: _domain(name, values) for name, values in raw.items()}


def _domain(name: str, raw: Any) -> list[Value]:
    if isinstance(raw, dict) and set(raw) == {"from", "to"} and all(type(raw[end]) is int for end in raw):
        if not 0 <= raw["to"] - raw["from"] < MOST_VALUES:
            raise Unreadable(f"the range of {name!r} is empty or wider than {MOST_VALUES} values")
        return list(range(raw["from"], raw["to"] + 1))
    if not isinstance(raw, list) or not 0 < len(raw) <= MOST_VALUES:
        raise Unreadable(f"the domain of {name!r} must be a list of 1 to {MOST_VALUES} values, or {{from, to}}")
    kinds = {
        "text" if isinstance(v, str) else "truth" if isinstance(v, bool) else "number" if isinstance(v, int | float) else "" for v in raw
    }
    if len(kinds) != 1 or "" in kinds:
        raise Unreadable(f"the values of {name!r} must all be texts, all numbers, or all true and false")
    return list(dict.fromkeys(raw))


def _add(puzzle: Puzzle, raw: Any, where: str) -> None:
    """One constraint into the puzzle: what solvers know by itself, the rest as a rule."""
    kind, body = opened(raw, where) if isinstance(raw, dict) else ("", None)
    if kind == "all_different" and (names := _names(puzzle, body)):
        puzzle.different.append(names)
    elif kind == "sum" and isinstance(body, dict) and (total := _plain_sum(puzzle, body)):
        puzzle.sums.append(total)
    else:
        reader = Reader(puzzle.domains, where)
        rule = reader.rule(raw, 0)
        puzzle.rules.append((tuple(dict.fromkeys(reader.seen)), rule))


def _names(puzzle: Puzzle, body: Any) -> tuple[str, ...] | None:
    """Variables, each once; None where it is anything else."""
    plain = isinstance(body, list) and all(isinstance(name, str) and name in puzzle.domains for name in body)
    return tuple(body) if plain and len(set(body)) == len(body) else None


def _plain_sum(puzzle: Puzzle, body: dict[str, Any]) -> Sum | None:
    """A sum of different numeric variables against a number."""
    names, weights = _names(puzzle, body.get("of")), body.get("weights", [1] * len(body.get("of", ())))
    bound = next((word for word in BOUNDS if word in body), "")
    numeric = names and not any(isinstance(puzzle.domains[name][0], str | bool) for name in names)
    if not names or not numeric or not numbers(weights) or len(weights) != len(names) or not numbers([body.get(bound)]):
        return None
    if set(body) - {"of", "weights", bound}:
        return None
    return Sum(names, tuple(weights), bound, body[bound])
