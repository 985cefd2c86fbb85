"""Statements about the variables of a puzzle, read into rules.

A rule takes a (partial) assignment and says True, False or None (not known yet), so that a solver can cut early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Value = str | int | float | bool
Assignment = Mapping[str, Value]
Rule = Callable[[Assignment], bool | None]
Term = Callable[[Assignment], Value | None]

MOST_DEPTH = 16
RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "at_most": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "at_least": lambda a, b: a >= b,
    "before": lambda a, b: a < b,
    "just_before": lambda a, b: b - a == 1,
    "next_to": lambda a, b: abs(a - b) == 1,
}
BOUNDS = ("equals", "at_most", "at_least")


class Unreadable(ValueError):
    """The puzzle is not in the declared form; the message says where."""


class Reader:
    """Reads one constraint and remembers the variables in it."""

    def __init__(self, domains: Mapping[str, Sequence[Value]], where: str) -> None:
        self._domains, self._where = domains, where
        self.seen: list[str] = []

    def rule(self, raw: Any, depth: int) -> Rule:
        if depth > MOST_DEPTH:
            raise Unreadable(f"{self._where}: nested deeper than {MOST_DEPTH}")
        if isinstance(raw, str):
            return _truth(self._variable(raw))
        kind, body = opened(raw, self._where)
        if kind in RELATIONS:
            return _relation(RELATIONS[kind], *self._terms(body, 2))
        match kind:
            case "not":
                inner = self.rule(body, depth + 1)
                return lambda a: None if (said := inner(a)) is None else not said
            case "and" | "or" | "xor" | "implies" | "iff":
                return self._joined(kind, self._rules(body, depth))
            case "count":
                return self._count(body, depth)
            case "sum" | "product":
                return self._arithmetic(kind, body)
            case "says":
                return self._says(body, depth)
            case _:
                return self._of_terms(kind, body)

    def _of_terms(self, kind: str, body: Any) -> Rule:
        match kind:
            case "knight" | "knave" | "spy":
                return _relation(RELATIONS["equal"], self._term(body), _constant(kind))
            case "all_different" | "all_equal":
                wanted = len if kind == "all_different" else bool
                return _among(self._terms(body), lambda values: len(set(values)) == wanted(values))
            case "between":
                return _among(self._terms(body, 3), lambda v: v[1] < v[0] < v[2] or v[2] < v[0] < v[1])
            case "apart":
                return _among(self._terms(body, 3), lambda v: abs(v[0] - v[1]) == v[2])
            case "in":
                if not isinstance(body, list) or len(body) != 2 or not isinstance(body[1], list):
                    raise self._wrong("in takes a variable and a list of values")
                values = set(map(_checked, body[1]))
                return _among([self._term(body[0])], lambda v: v[0] in values)
        raise self._wrong(f"no constraint named {kind[:40]!r}")

    def _joined(self, kind: str, rules: list[Rule]) -> Rule:
        if kind in ("implies", "iff") and len(rules) != 2:
            raise self._wrong(f"{kind} takes two statements")
        if kind == "and":
            return lambda a: _all([rule(a) for rule in rules])
        if kind == "or":
            return lambda a: _any([rule(a) for rule in rules])
        if kind == "implies":
            return lambda a: _any([None if (said := rules[0](a)) is None else not said, rules[1](a)])
        if kind == "iff":
            return lambda a: None if None in (said := [rule(a) for rule in rules]) else said[0] == said[1]
        return _counted(rules, "equals", 1)

    def _count(self, body: Any, depth: int) -> Rule:
        if not isinstance(body, dict) or len(body) != 2 or type(body.get(bound := next((w for w in BOUNDS if w in body), ""))) is not int:
            raise self._wrong("count takes `of` (statements) and equals, at_most or at_least (a whole number)")
        return _counted(self._rules(body.get("of"), depth), bound, body[bound])

    def _arithmetic(self, kind: str, body: Any) -> Rule:
        bound = next((word for word in BOUNDS if isinstance(body, dict) and word in body), "")
        if not bound or set(body) - {"of", "weights", bound}:
            raise self._wrong(f"{kind} takes `of` and equals, at_most or at_least")
        terms, total = self._terms(body.get("of")), self._term(body[bound])
        weights = body.get("weights", [1] * len(terms))
        if not numbers(weights) or len(weights) != len(terms):
            raise self._wrong("weights must be as many numbers")
        compare = RELATIONS["equal" if bound == "equals" else bound]

        def holds(values: Sequence[Any]) -> bool:
            *parts, wanted = values
            got: Any = 0 if kind == "sum" else 1
            for weight, part in zip(weights, parts, strict=True):
                got = got + weight * _number(part) if kind == "sum" else got * weight * _number(part)
            return compare(got, _number(wanted))

        return _among([*terms, total], holds)

    def _says(self, body: Any, depth: int) -> Rule:
        """A knight's (or a true) speaker's statement holds, a knave's does not, a spy's may."""
        if not isinstance(body, list) or len(body) != 2 or not isinstance(body[0], str):
            raise self._wrong("says takes a speaker and a statement")
        speaker, statement = self._variable(body[0]), self.rule(body[1], depth + 1)

        def holds(a: Assignment) -> bool | None:
            who, said = speaker(a), statement(a)
            if who == "spy":
                return True
            return None if who is None or said is None else said == (who is True or who == "knight")

        return holds

    def _rules(self, body: Any, depth: int) -> list[Rule]:
        if not isinstance(body, list) or not body:
            raise self._wrong("expected a list of statements")
        return [self.rule(one, depth + 1) for one in body]

    def _terms(self, body: Any, count: int | None = None) -> list[Term]:
        if not isinstance(body, list) or not body or (count is not None and len(body) != count):
            raise self._wrong(f"expected a list of {count or 'some'} variables or values")
        return [self._term(one) for one in body]

    def _term(self, raw: Any) -> Term:
        """A variable by its name, or a value: a number, true, false, a text that some domain holds, or `{"value": ...}`."""
        if isinstance(raw, dict) and set(raw) == {"value"}:
            return _constant(_checked(raw["value"]))
        if isinstance(raw, str) and raw in self._domains:
            return self._variable(raw)
        if isinstance(raw, str) and not any(raw in domain for domain in self._domains.values()):
            raise self._wrong(f"{raw[:40]!r} is neither a variable nor a value of one")
        return _constant(_checked(raw))

    def _variable(self, name: str) -> Term:
        if name not in self._domains:
            raise self._wrong(f"no variable named {name[:40]!r}")
        self.seen.append(name)
        return lambda a: a.get(name)

    def _wrong(self, what: str) -> Unreadable:
        return Unreadable(f"{self._where}: {what}")


def _checked(value: Any) -> Value:
    if not isinstance(value, str | int | float):
        raise Unreadable("a value is a text, a number, true or false")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        raise TypeError("a text is no number")
    return value


def _constant(value: Value) -> Term:
    return lambda a: value


def _truth(term: Term) -> Rule:
    def holds(a: Assignment) -> bool | None:
        value = term(a)
        if value is not None and not isinstance(value, bool):
            raise TypeError("a statement that is only a name needs a variable of true and false")
        return value

    return holds


def _relation(compare: Callable[[Any, Any], bool], left: Term, right: Term) -> Rule:
    def holds(a: Assignment) -> bool | None:
        one, other = left(a), right(a)
        return None if one is None or other is None else compare(one, other)

    return holds


def _among(terms: Sequence[Term], holds: Callable[[Sequence[Any]], bool]) -> Rule:
    def held(a: Assignment) -> bool | None:
        values = [term(a) for term in terms]
        return None if None in values else holds(values)

    return held


def _counted(rules: Sequence[Rule], bound: str, wanted: int) -> Rule:
    def held(a: Assignment) -> bool | None:
        said = [rule(a) for rule in rules]
        least = said.count(True)
        most = least + said.count(None)
        if bound == "at_least":
            return True if least >= wanted else (None if most >= wanted else False)
        if bound == "at_most":
            return True if most <= wanted else (None if least <= wanted else False)
        return None if least <= wanted <= most and least < most else least == wanted

    return held


def _all(said: Sequence[bool | None]) -> bool | None:
    return False if False in said else (None if None in said else True)


def _any(said: Sequence[bool | None]) -> bool | None:
    return True if True in said else (None if None in said else False)


def numbers(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def opened(raw: Any, where: str) -> tuple[str, Any]:
    if not isinstance(raw, dict) or len(raw) != 1:
        raise Unreadable(f"{where}: expected an object with one key, the kind of constraint")
    return next(iter(raw.items()))
