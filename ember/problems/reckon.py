"""The arithmetic of a story: exact values of its steps, and the lines a thinker writes while computing them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from .shapes import Step
from .slots import show

LARGEST = 99999


class Unsound(ValueError):
    """A step gives a value that such a problem does not have: negative, too large, or a broken number."""


@dataclass(frozen=True)
class Done:
    """One step carried out: the terms as written, and the value (None where a term is not given)."""

    step: Step
    terms: tuple[str, ...]
    value: Fraction | None
    rest: Fraction | None = None


def carry_out(step: Step, values: Mapping[str, Fraction | None], decimals: bool) -> Done:
    """Compute a step exactly, left to right; raise `Unsound` where the result has no place in the story."""
    terms: list[str] = []
    total: Fraction | None = None
    rest: Fraction | None = None
    missing = False
    sign = "+"
    for index, token in enumerate(step.expr):
        if index % 2:
            sign = token
            terms.append("/" if token in ("//", "%") else token)
            continue
        value = Fraction(token) if token[0].isdigit() else values[token]
        if value is None:
            missing = True
            terms.append("?")
            continue
        terms.extend(_term(terms, value, token))
        if not missing:
            total, rest = (value, None) if index == 0 or total is None else _apply(total, sign, value)
    if missing or total is None:
        return Done(step, tuple(terms), None)
    return Done(step, tuple(terms), _sound(total, decimals), rest)


def _term(terms: list[str], value: Fraction, name: str) -> list[str]:
    """A term as written; a fraction that multiplies is written as a division first."""
    if name != "frac" or not terms:
        return [show(value)]
    terms[-1] = "/"
    tail = ["*", str(value.numerator)] if value.numerator > 1 else []
    return [str(value.denominator), *tail]


def _apply(left: Fraction, sign: str, right: Fraction) -> tuple[Fraction, Fraction | None]:
    if sign in ("/", "//", "%") and right == 0:
        raise Unsound("division by nothing")
    if sign == "//":
        return Fraction(left // right), left % right
    if sign == "%":
        return left % right, Fraction(left // right)
    results = {"+": left + right, "-": left - right, "*": left * right, "/": left / right if right else left}
    return results[sign], None


def _sound(value: Fraction, decimals: bool) -> Fraction:
    whole = value.denominator == 1 or (decimals and 100 % value.denominator == 0)
    if value < 0 or value > LARGEST or not whole:
        raise Unsound(str(value))
    return value


def worked(done: Done, rng: Random) -> str:
    """The computation of a step as text: `23 * 14 = 322`, sometimes with the way there."""
    expression = " ".join(done.terms)
    if done.value is None:
        return expression
    result = show(done.value)
    if done.rest is not None:
        floor = done.step.expr[-2] == "//"
        quotient, rest = (done.value, done.rest) if floor else (done.rest, done.value)
        return f"{expression} = {show(quotient)} rest {show(rest)}"
    way = _way(done.terms) if rng.random() < 0.8 else ""
    return f"{expression} = {way}{result}"


def _way(terms: tuple[str, ...]) -> str:
    """What a careful reader writes between a product or a chain and its result."""
    if len(terms) == 3 and terms[1] == "*" and all(term.isdigit() for term in terms[::2]):
        left, right = int(terms[0]), int(terms[2])
        tens, ones = divmod(right, 10)
        if left > 12 and 1 <= tens <= 9 and ones:
            return f"{left} * {tens * 10} + {left} * {ones} = {left * tens * 10} + {left * ones} = "
    if len(terms) > 3:
        first = _pair(terms[:3])
        return f"{first} {' '.join(terms[3:])} = " if first else ""
    return ""


def _pair(terms: tuple[str, ...]) -> str:
    left, right = Fraction(terms[0]), Fraction(terms[2])
    value = _apply(left, terms[1], right)[0]
    return show(value) if 100 % value.denominator == 0 else ""
