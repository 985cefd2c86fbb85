"""Runs in a worker process: the first solutions of a puzzle (python-constraint2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from constraint import AllDifferentConstraint, BacktrackingSolver, Constraint, Problem

from ._puzzle import Puzzle, Sum, read_puzzle
from ._statements import Rule, Unreadable

ROUNDING = 1e-9


def solve(text: str) -> dict[str, Any]:
    """Of the puzzle in a JSON text: at most two solutions, what is asked for and could be answered, or the `fault` that makes it unreadable."""
    try:
        puzzle = read_puzzle(json.loads(text, parse_constant=_no_number))
        found = [{name: one[name] for name in puzzle.domains} for one in islice(solutions(puzzle), 2)]
    except (Unreadable, ValueError, RecursionError) as error:
        return {"fault": str(error)}
    except (TypeError, OverflowError) as error:
        return {"fault": f"a constraint compares what cannot be compared ({error})"}
    return {"solutions": found, "ask": puzzle.ask, "values": {name: puzzle.domains[name] for name in puzzle.ask}}


def _no_number(name: str) -> float:
    raise Unreadable(f"{name} is no value")


def solutions(puzzle: Puzzle) -> Iterator[dict[str, Any]]:
    """All solutions, one after the other."""
    if not all(rule({}) for scope, rule in puzzle.rules if not scope):
        return iter(())
    problem = Problem(BacktrackingSolver())
    for name, domain in puzzle.domains.items():
        problem.addVariable(name, list(domain))
    for names in puzzle.different:
        problem.addConstraint(AllDifferentConstraint(), list(names))
    for total in puzzle.sums:
        problem.addConstraint(_Bounded(total), list(total.names))
    for scope, rule in puzzle.rules:
        if scope:
            problem.addConstraint(_Ruled(rule), list(scope))
    found: Iterator[dict[str, Any]] = problem.getSolutionIter()
    return found


class _Ruled(Constraint):  # type: ignore[misc]
    """One of our rules; what is false of a partial assignment stays false."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def __call__(self, variables: Any, domains: Any, assignments: Any, forwardcheck: Any = False) -> bool:
        said = self._rule(assignments)
        if said is None and forwardcheck:
            return bool(self.forwardCheck(variables, domains, assignments))
        return said is not False


class _Bounded(Constraint):  # type: ignore[misc]
    """A sum, cut as soon as the values that are left cannot reach its bound."""

    def __init__(self, total: Sum) -> None:
        self._total = total
        self._weights = dict(zip(total.names, total.weights, strict=True))

    def __call__(self, variables: Any, domains: Any, assignments: Any, forwardcheck: Any = False) -> bool:
        low = high = 0.0
        open_left = False
        for name in variables:
            weight = self._weights[name]
            if name in assignments:
                low += weight * assignments[name]
                high += weight * assignments[name]
                continue
            open_left = True
            ends = weight * min(domains[name]), weight * max(domains[name])
            low, high = low + min(ends), high + max(ends)
        wanted, bound = self._total.total, self._total.bound
        if (bound != "at_least" and low > wanted + ROUNDING) or (bound != "at_most" and high < wanted - ROUNDING):
            return False
        return bool(self.forwardCheck(variables, domains, assignments)) if open_left and forwardcheck else True
