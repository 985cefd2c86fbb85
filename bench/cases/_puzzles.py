"""Small random puzzles, their solutions by trying everything, and harder ones of known kinds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from typing import Any

Puzzle = dict[str, Any]
PEOPLE = ["Ada", "Ben", "Cem", "Dia", "Eva", "Fay"]


def solutions(puzzle: Puzzle) -> list[dict[str, Any]]:
    """All solutions, by trying every assignment; reads the constraints with code of its own."""
    names = list(puzzle["variables"])
    every = itertools.product(*(puzzle["variables"][name] for name in names))
    tried = (dict(zip(names, values, strict=True)) for values in every)
    return [one for one in tried if all(true(constraint, one) for constraint in puzzle["constraints"])]


def true(said: Any, a: Mapping[str, Any]) -> bool:
    """Whether a statement holds."""
    if isinstance(said, str):
        return bool(a[said])
    ((kind, body),) = said.items()

    def value(term: Any) -> Any:
        return a.get(term, term) if isinstance(term, str) else term

    match kind:
        case "equal" | "not_equal":
            return (value(body[0]) == value(body[1])) == (kind == "equal")
        case "less":
            return bool(value(body[0]) < value(body[1]))
        case "next_to":
            return value(body[0]) + 1 == value(body[1]) or value(body[1]) + 1 == value(body[0])
        case "between":
            low, middle, high = sorted(value(term) for term in body)
            return low < middle < high and middle == value(body[0])
        case "all_different":
            return all(value(x) != value(y) for x, y in itertools.combinations(body, 2))
        case "sum":
            total = sum(w * value(term) for w, term in zip(body.get("weights", [1] * len(body["of"])), body["of"], strict=True))
            return total == body["equals"] if "equals" in body else total <= body["at_most"]
        case "not":
            return not true(body, a)
        case "and":
            return all(true(one, a) for one in body)
        case "or":
            return any(true(one, a) for one in body)
        case "xor":
            return sum(true(one, a) for one in body) == 1
        case "implies":
            return true(body[1], a) or not true(body[0], a)
        case "iff":
            return true(body[0], a) == true(body[1], a)
        case "count":
            return sum(true(one, a) for one in body["of"]) == body["equals"]
        case "knight" | "knave":
            return bool(a[body] == kind)
        case "says":
            return true(body[1], a) == (a[body[0]] == "knight")
    raise AssertionError(kind)


def islanders(rng: random.Random, people: int) -> Puzzle:
    """Knights and knaves, each of whom says something."""
    names = PEOPLE[:people]

    def statement(depth: int) -> Any:
        if depth == 0 or rng.random() < 0.4:
            return {rng.choice(["knight", "knave"]): rng.choice(names)}
        kind = rng.choice(["and", "or", "xor", "implies", "iff", "not", "count"])
        parts = [statement(depth - 1) for _ in range(2)]
        return {kind: parts[0] if kind == "not" else {"of": parts, "equals": rng.randint(0, 2)} if kind == "count" else parts}

    said = [{"says": [name, statement(2)]} for name in names]
    return {"variables": {name: ["knight", "knave"] for name in names}, "constraints": said}


def row(rng: random.Random, people: int, clues: int) -> Puzzle:
    """People in a row, with clues of which most hold for one arrangement."""
    names = PEOPLE[:people]
    seats = list(range(1, people + 1))
    hidden = dict(zip(names, rng.sample(seats, people), strict=True))
    constraints: list[Any] = [{"all_different": names}]
    while len(constraints) <= clues:
        a, b, c = rng.sample(names, 3)
        clue: Any = rng.choice(
            [{"less": [a, b]}, {"next_to": [a, b]}, {"between": [a, b, c]}, {"equal": [a, rng.choice(seats)]}, {"not_equal": [a, rng.choice(seats)]},
             {"sum": {"of": [a, b], "equals": rng.randint(3, 2 * people - 1)}}, {"sum": {"of": [a, b], "weights": [2, -1], "at_most": rng.randint(-1, people)}},
             {"or": [{"less": [a, b]}, {"equal": [c, rng.choice(seats)]}]}, {"implies": [{"next_to": [a, b]}, {"less": [b, c]}]},
             {"not": {"next_to": [a, c]}}]
        )  # fmt: skip
        if true(clue, hidden) or rng.random() < 0.05:
            constraints.append(clue)
    return {"variables": dict.fromkeys(names, seats), "constraints": constraints}


def drawn(number: int) -> Puzzle:
    """One of many, always the same for the same number."""
    rng = random.Random(number)
    return islanders(rng, rng.randint(2, 6)) if number % 2 else row(rng, rng.randint(3, 5), rng.randint(1, 6))


def houses() -> Puzzle:
    """Five houses, five groups of five, fourteen clues: the oldest of its kind."""
    groups = ["red green ivory yellow blue", "english spanish ukrainian norwegian japanese", "coffee tea milk juice water",
              "painter sculptor diplomat doctor violinist", "dog snails fox horse zebra"]  # fmt: skip
    same = "english red,spanish dog,coffee green,ukrainian tea,painter snails,diplomat yellow,doctor juice,japanese violinist"
    near = "sculptor fox,diplomat horse,norwegian blue"
    constraints: list[Any] = [{"all_different": group.split()} for group in groups]
    constraints += [{"equal": pair.split()} for pair in same.split(",")] + [{"next_to": pair.split()} for pair in near.split(",")]
    constraints += [{"just_before": ["ivory", "green"]}, {"equal": ["milk", 3]}, {"equal": ["norwegian", 1]}]
    names = " ".join(groups).split()
    return {"variables": {name: {"from": 1, "to": 5} for name in names}, "constraints": constraints, "ask": ["zebra", "water"]}
