"""Pairs of a reference and an answer, equal or not, of every kind of answer, drawn by a seeded program; and a list of traps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import gcd
from typing import NamedTuple


class Pair(NamedTuple):
    """`got` as the content of a box."""

    kind: str
    gold: str
    got: str
    equal: bool


MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
UNITS = [("cm", "centimeters"), ("kg", "kilograms"), ("hours", "hrs"), ("miles", "mi"), ("apples", "apples"), ("m^2", "square meters")]
WORDS = ["Monday", "Tuesday", "Friday", "red", "blue", "Alice", "Berlin", "increasing", "even", "rhombus"]
PER_KIND = 60
"""Pairs of each kind, half of them equal."""


def pairs(seed: int = 1) -> list[Pair]:
    """All of them, in an order that does not depend on anything but the seed."""
    rng = random.Random(seed)
    found: list[Pair] = []
    for kind, draw in KINDS.items():
        for _ in range(PER_KIND // 2):
            gold, right, wrong = draw(rng)
            found += [Pair(kind, gold, rng.choice(right), True), Pair(kind, gold, rng.choice(wrong), False)]
    return found


Drawn = tuple[str, list[str], list[str]]


def _integer(rng: random.Random) -> Drawn:
    n = rng.randint(-99999, 999999)
    return str(n), [f"{n:,}", f"{n}.0", f"x={n}", f"{n:,}".replace(",", "{,}"), f"${n}$", f"\\text{{{n}}}", f" {n}. "], [
        str(n + 1), str(-n or 1), f"{n}0", f"{n}%", f"{n}.5"]  # fmt: skip


def _decimal(rng: random.Random) -> Drawn:
    n = rng.randint(1, 9999) * 2 + 1
    value = Fraction(n, 1000)
    return f"{n / 1000}", [f"\\frac{{{value.numerator}}}{{{value.denominator}}}", f"{n / 1000}0", f"{value.numerator}/{value.denominator}"], [
        f"{(n + 1) / 1000}", f"{n / 100}", f"-{n / 1000}", f"{n}"]  # fmt: skip


def _fraction(rng: random.Random) -> Drawn:
    a, b, k = rng.randint(1, 40), rng.randint(2, 40), rng.randint(2, 5)
    return f"\\frac{{{a}}}{{{b}}}", [f"{a}/{b}", f"\\dfrac{{{a * k}}}{{{b * k}}}", f"\\tfrac{{{a}}}{{{b}}}", f"\\frac{{-{a}}}{{-{b}}}", f"{{{a}}}/{{{b}}}"], [
        f"\\frac{{{a + 1}}}{{{b}}}", f"-\\frac{{{a}}}{{{b}}}", f"\\frac{{{b}}}{{{a}}}" if a != b else "7", f"{a}"]  # fmt: skip


def _mixed(rng: random.Random) -> Drawn:
    whole, below = rng.randint(1, 20), rng.randint(3, 12)
    top = rng.randint(1, below - 1)
    return f"{whole}\\frac{{{top}}}{{{below}}}", [f"\\frac{{{whole * below + top}}}{{{below}}}", f"{whole} {top}/{below}", f"{whole * below + top}/{below}"], [
        f"\\frac{{{whole * top}}}{{{below}}}", f"{whole}", f"{whole + 1} {top}/{below}"]  # fmt: skip


def _percent(rng: random.Random) -> Drawn:
    n = rng.randint(2, 99)
    return (
        f"{n}\\%",
        [f"{n}%", f"{n} \\%", f"{n} percent", f"{n}.0\\%", f"{n}\\text{{ percent}}", f"0.{n:02d}"],
        [f"{n}", f"{n + 1}\\%", f"0.{n - 1:02d}"],
    )


def _currency(rng: random.Random) -> Drawn:
    n, c = rng.randint(1, 5000), rng.randint(10, 99)
    return f"\\${n}.{c}", [f"{n}.{c}", f"${n:,}.{c}", f"{n}.{c} dollars", f"\\$ {n}.{c}", f"{n}.{c}\\text{{ dollars}}"], [
        f"{n}.{c} euros", f"{n}", f"\\${c}.{c}" if n != c else "7", f"{n}.{c} cents"]  # fmt: skip


def _unit(rng: random.Random) -> Drawn:
    n, (short, long) = rng.randint(2, 900), rng.choice(UNITS)
    other = rng.choice([unit for unit, _ in UNITS if unit != short])
    return f"{n}\\text{{ {short}}}", [f"{n}", f"{n} {short}", f"{n}\\ \\mathrm{{{short}}}", f"{n} {long}"], [
        f"{n} {other}", f"{n + 1} {short}", f"{n}0 {long}"]  # fmt: skip


def _science(rng: random.Random) -> Drawn:
    a, e = rng.randint(11, 99), rng.randint(3, 9)
    value = a * 10 ** (e - 1)
    return f"{a / 10} \\times 10^{{{e}}}", [f"{value}", f"{value:,}", f"{a / 10}e{e}", f"{a}\\cdot 10^{{{e - 1}}}", f"{a / 10}*10^{e}"], [
        f"{a / 10} \\times 10^{{{e + 1}}}", f"{a / 10} \\times 10^{{-{e}}}", f"{a / 10}", f"{value + 1}"]  # fmt: skip


def _root(rng: random.Random) -> Drawn:
    a, b = rng.randint(2, 9), rng.choice([2, 3, 5, 6, 7, 10, 11])
    return f"{a}\\sqrt{{{b}}}", [f"\\sqrt{{{a * a * b}}}", f"\\sqrt{b} \\cdot {a}" if b < 10 else f"\\sqrt{{{b}}}\\cdot {a}", f"\\frac{{{a * b}}}{{\\sqrt{{{b}}}}}"], [
        f"{a}\\sqrt{{{b + 4}}}", f"{a + 1}\\sqrt{{{b}}}", f"{a * b}", f"-{a}\\sqrt{{{b}}}"]  # fmt: skip


def _pi(rng: random.Random) -> Drawn:
    a, b = rng.randint(2, 40), rng.choice([3, 5, 7, 9])
    return f"\\frac{{{a}\\pi}}{{{b}}}", [f"\\frac{{{a}}}{{{b}}}\\pi", f"{a}\\pi/{b}", f"\\frac{{{2 * a}\\pi}}{{{2 * b}}}"], [
        f"\\frac{{{a}}}{{{b}}}", f"\\frac{{{a + 1}\\pi}}{{{b}}}", f"{a}\\pi"]  # fmt: skip


def _polynomial(rng: random.Random) -> Drawn:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    x = rng.choice("xyn")
    return f"({x}+{a})({x}-{b})", [f"{x}^2{a - b:+d}{x}-{a * b}".replace("+0" + x, ""), f"({x}-{b})({x}+{a})", f"-({b}-{x})({x}+{a})"], [
        f"{x}^2{a - b:+d}{x}+{a * b}", f"({x}+{a + 1})({x}-{b})", f"{a}", f"({x}+{a})({x}-{b})=0"]  # fmt: skip


def _interval(rng: random.Random) -> Drawn:
    a = rng.randint(-9, 9)
    b = a + rng.randint(2, 9)
    return f"({a}, {b}]", [f"\\left({a},{b}\\right]", f"({a},\\ {b}]", f"x \\in ({a}, {b}]"], [
        f"[{a}, {b}]", f"({a}, {b})", f"({a}, {b + 1}]", f"({b}, {a}]", f"{b}"]  # fmt: skip


def _inequality(rng: random.Random) -> Drawn:
    a = rng.randint(-30, 30)
    return f"x > {a}", [f"{a} < x", f"x>{a}", f"({a}, \\infty)"], [f"x < {a}", f"x \\ge {a}", f"x > {a + 1}", f"{a}"]


def _solutions(rng: random.Random) -> Drawn:
    a, b, c = rng.sample(range(-20, 60), 3)
    return f"\\{{{a}, {b}, {c}\\}}", [f"\\{{{c}, {a}, {b}\\}}", f"\\left\\{{ {b},{a},{c} \\right\\}}", f"{c}, {b}, {a}"], [
        f"\\{{{a}, {b}\\}}", f"\\{{{a}, {b}, {c + 1}\\}}", f"{a}"]  # fmt: skip


def _list(rng: random.Random) -> Drawn:
    a, b = sorted(rng.sample(range(-20, 60), 2))
    return f"{a}, {b}", [f"{a},{b}", f"{a} \\text{{ and }} {b}", f"x = {a}, {b}", f"{b}, {a}", f"x={a} \\text{{ or }} x={b}"], [
        f"{a}", f"{a}, {b + 1}", f"{a}, {b}, {b + 1}"]  # fmt: skip


def _point(rng: random.Random) -> Drawn:
    a, b = rng.sample(range(-20, 60), 2)
    return f"({a}, {b})", [f"\\left({a},{b}\\right)", f"({a}.0, {b})", f"(x, y) = ({a}, {b})", f"({a},\\,{b})"], [
        f"({b}, {a})", f"({a}, {b + 1})", f"({a}, {b}, 0)", f"{a}"]  # fmt: skip


def _matrix(rng: random.Random) -> Drawn:
    a, b, c, d = (rng.randint(-9, 9) for _ in range(4))
    return f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}", [
        f"\\begin{{bmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{bmatrix}}", f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&{d}\\end{{pmatrix}}"], [
        f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d + 1} \\end{{pmatrix}}", f"\\begin{{pmatrix}} {a} \\\\ {b} \\end{{pmatrix}}", f"{a}"]  # fmt: skip


def _equation(rng: random.Random) -> Drawn:
    a, b = rng.randint(2, 9), rng.randint(1, 30)
    return (
        f"y = {a}x + {b}",
        [f"y={a}x+{b}", f"y = {b} + {a}x", f"{a}x + {b}", f"{a}x+{b}=y"],
        [f"y = {a}x - {b}", f"y = {a + 1}x + {b}", f"{b}"],
    )


def _ratio(rng: random.Random) -> Drawn:
    a, b = rng.randint(2, 9), rng.randint(10, 19)
    a, b = a // gcd(a, b), b // gcd(a, b)
    return f"{a}:{b}", [f"{a} : {b}", f"{a} \\text{{ to }} {b}", f"{a}\\colon {b}"], [f"{b}:{a}", f"{a + 1}:{b}", f"{a}:{b}:1", f"{b}"]


def _date(rng: random.Random) -> Drawn:
    day, month, year = rng.randint(13, 28), rng.randint(1, 12), rng.randint(1900, 2030)
    name = MONTHS[month - 1]
    return f"{name} {day}, {year}", [f"{day} {name} {year}", f"{year}-{month:02d}-{day}", f"\\text{{{name} {day}, {year}}}", f"{name[:3]} {day}, {year}"], [
        f"{name} {day - 1}, {year}", f"{day} {name} {year + 1}", f"{MONTHS[month % 12]} {day}, {year}", f"{year}"]  # fmt: skip


def _time(rng: random.Random) -> Drawn:
    hour, minute = rng.randint(1, 11), rng.randint(10, 59)
    return f"{hour}:{minute} PM", [f"{hour + 12}:{minute}", f"{hour}:{minute} p.m.", f"{hour}:{minute}\\text{{ pm}}"], [
        f"{hour}:{minute} AM", f"{hour}:{minute - 1} PM", f"{hour}"]  # fmt: skip


def _letter(rng: random.Random) -> Drawn:
    letter = rng.choice("ABCDE")
    other = rng.choice([one for one in "ABCDE" if one != letter])
    return (
        letter,
        [f"({letter})", f"\\text{{{letter}}}", f"\\textbf{{({letter})}}", f"{letter}."],
        [other, f"({other})", f"{letter}, {other}"],
    )


def _word(rng: random.Random) -> Drawn:
    word = rng.choice(WORDS)
    other = rng.choice([one for one in WORDS if one != word])
    return (
        f"\\text{{{word}}}",
        [word, word.lower(), word.upper(), f"\\textbf{{{word}}}", f"{word}."],
        [other, f"not {word}", f"{word} or {other}"],
    )


def _complex(rng: random.Random) -> Drawn:
    a, b = rng.randint(1, 20), rng.randint(2, 20)
    return (
        f"{a} + {b}i",
        [f"{b}i+{a}", f"{a}+{b}i", f"z = {a}+{b}i"],
        [f"{a} - {b}i", f"{b} + {a}i" if a != b else "1", f"{a + b}", f"{a}+{b + 1}i"],
    )


def _power(rng: random.Random) -> Drawn:
    base, exponent = rng.randint(2, 9), rng.randint(5, 12)
    return f"{base}^{{{exponent}}}", [f"{base**exponent}", f"{base**exponent:,}", f"{base}\\cdot {base}^{{{exponent - 1}}}"], [
        f"{base}^{{{exponent + 1}}}", f"{base * exponent}", f"{base**exponent + 1}"]  # fmt: skip


def _repeating(rng: random.Random) -> Drawn:
    a, b = rng.choice([(1, 3), (2, 3), (1, 7), (5, 6), (4, 9), (7, 11), (2, 13)])
    return f"\\frac{{{a}}}{{{b}}}", [f"{a / b:.7f}", f"{a / b:.9f}"], [f"{a / b:.2f}", f"{a / b + 0.001:.7f}", f"{b / a:.7f}"]


def _magnitude(rng: random.Random) -> Drawn:
    n = rng.randint(2, 900)
    word, factor = rng.choice([("million", 10**6), ("thousand", 10**3), ("billion", 10**9)])
    return (
        f"{n * factor}",
        [f"{n} {word}", f"{n}\\text{{ {word}}}", f"{n * factor:,}"],
        [f"{n}", f"{n} {'thousand' if word != 'thousand' else 'million'}"],
    )


def _angle(rng: random.Random) -> Drawn:
    n = rng.randint(2, 179)
    return f"{n}^\\circ", [f"{n}", f"{n}°", f"{n}^{{\\circ}}", f"{n} degrees"], [f"{n + 1}^\\circ", f"{n}\\%", f"{n} \\text{{ radians}}"]


def _typed(rng: random.Random) -> Drawn:
    a, b, c = rng.randint(2, 9), rng.choice([2, 3, 5, 7]), rng.randint(2, 9)
    return f"\\frac{{{a}\\sqrt{{{b}}}}}{{{c}}}", [f"{a}*sqrt({b})/{c}", f"{a}√{b}/{c}", f"({a}/{c})·√{b}"], [
        f"{a}*sqrt({b + 1})/{c}", f"{a}√{b}/{c + 1}", f"sqrt({b})/{c}", f"sqrt({a}*{b})/{c}"]  # fmt: skip


def _spelled(rng: random.Random) -> Drawn:
    n, word = rng.choice([(7, "seven"), (12, "twelve"), (21, "twenty-one"), (40, "forty"), (86, "eighty-six")])
    return (
        str(n),
        [word, word.capitalize(), f"\\text{{{word}}}", f"{word} apples"],
        [f"{word}teen", "ninety-nine", "five", f"not {word}", f"{word} or five"],
    )


def _union(rng: random.Random) -> Drawn:
    a = rng.randint(-9, 9)
    return f"(-\\infty, {a}) \\cup ({a + 3}, \\infty)", [f"({a + 3},\\infty)\\cup(-\\infty,{a})", f"(-∞, {a}) ∪ ({a + 3}, ∞)", f"(-inf, {a}) \\cup ({a + 3}, inf)"], [
        f"(-\\infty, {a}] \\cup ({a + 3}, \\infty)", f"(-\\infty, {a + 3})", f"({a}, {a + 3})", "(-\\infty, \\infty)"]  # fmt: skip


def _function(rng: random.Random) -> Drawn:
    a, b = rng.randint(2, 20), rng.randint(2, 9)
    return (
        f"\\ln {a} + {b}",
        [f"{b} + \\ln({a})", f"\\log_e({a}) + {b}", f"{b}+\\ln{{{a}}}"],
        [f"\\ln({a + b})", f"\\ln {a} - {b}", f"\\ln {a + 1} + {b}"],
    )


KINDS: dict[str, Callable[[random.Random], Drawn]] = {
    "integer": _integer, "decimal": _decimal, "fraction": _fraction, "mixed number": _mixed, "percent": _percent, "currency": _currency,
    "unit": _unit, "scientific": _science, "root": _root, "pi": _pi, "polynomial": _polynomial, "interval": _interval,
    "inequality": _inequality, "set": _solutions, "list": _list, "point": _point, "matrix": _matrix, "equation": _equation,
    "ratio": _ratio, "date": _date, "time": _time, "choice": _letter, "word": _word, "complex": _complex, "power": _power,
    "repeating": _repeating, "magnitude": _magnitude, "angle": _angle, "typed": _typed, "spelled": _spelled,
    "union": _union, "function": _function,
}  # fmt: skip

TRAPS = [
    "8=7", "7=8", "3+4=7", "x=3+4=7", "7\\%", "\\{7\\}", "\\int_0^7 1dx", "6+1", "7 or maybe 8", "7 or 8", "7 and 8", "\\pm 7", "x", "7x", "7, 8",
    "[7, 8]", "(7, 8)", "7 \\text{ or } 8", "7/8", "7!", "\\sqrt{7}", "7^2", "70", "-7", "07.5", "seven or eight", "not 7", "7 \\ne 8", "x > 7", "x \\ge 7",
    "7 < 8", "\\sum_{i=1}^{7} 1", "\\lim_{x\\to 7} x", "\\max(7, 8)", "7 + 0i + 1", "7?", "?", ":", "Solution", "Thought process:", "Let's solve this",
    "the answer", "\\boxed", "...", "7 \\cup 8", "\\emptyset", "7\\text{ or }8\\text{ or }9", "7|8", "7;8", "7\\quad 8", "7 8", "\\frac{7}{0}", "7^{\\circ\\circ}7",
    "7 = x = 8", "True", "\\text{correct}", "a \\text{ such that } a = 7 \\text{ or } a = 9", "\\infty", "7 \\to 8", "14/2+1-1", "2+5", "10-3", "7\\times 1",
]  # fmt: skip
"""What must never be taken for the reference `7`."""


def trapped() -> Iterator[Pair]:
    for trap in TRAPS:
        yield Pair("trap", "7", trap, False)
