"""What a kind of problem is made of: pieces of text with slots, and the steps that compute with them.

One table serves both directions: `compose` fills the slots of a story to write a question, `parse` reads a
question back into the same slots and computes its exact answer.  A slot of one letter is a number, `{times}`
and `{frac}` are numbers written in words, the others are words (see `words`).  `x` is the running value; what
it holds after the last step is the answer.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache


@dataclass(frozen=True)
class Step:
    """One computation: `key = expr`, and what the result is called."""

    key: str
    expr: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Range:
    """The numbers a slot is drawn from."""

    slot: str
    values: tuple[Fraction, ...]


@dataclass(frozen=True)
class Piece:
    """A part of a question in one or more phrasings, with what it adds to the computation."""

    texts: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    ranges: tuple[Range, ...] = ()
    closes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """A family of problems: one opening, some events, one question."""

    kind: str
    topic: str
    openings: tuple[Piece, ...]
    asks: tuple[Piece, ...]
    events: tuple[Piece, ...] = ()
    most: int = 2
    decimals: bool = False


def piece(texts: str, steps: str = "", numbers: str = "", close: str = "") -> Piece:
    """Build a piece from plain tables: a phrasing a line, a step a line (`x = a * b: label`), ranges by comma."""
    return Piece(
        tuple(_lines(texts)),
        tuple(_step(line) for line in _lines(steps)),
        tuple(_range(part) for part in numbers.split(",") if part.strip()),
        tuple(_lines(close)),
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _step(line: str) -> Step:
    head, label = line.split(":", 1)
    key, expr = head.split("=", 1)
    return Step(key.strip(), tuple(expr.split()), label.strip())


@cache
def _range(text: str) -> Range:
    """`a 2-9`, `a 20-900/10` (in tens) or `a 2|3|6`."""
    slot, span = text.split()
    if "|" in span:
        return Range(slot, tuple(Fraction(value) for value in span.split("|")))
    bounds, _, step = span.partition("/")
    low, high = (Fraction(bound) for bound in bounds.split("-"))
    stride = Fraction(step or "1")
    return Range(slot, tuple(low + stride * count for count in range(int((high - low) / stride) + 1)))
