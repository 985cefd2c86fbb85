"""Texts with twins planted in them, at a known similarity."""

from __future__ import annotations

from functools import cache
from random import Random

from datalchemy.core.record import PlainText, Record

PARTS = ("ba", "do", "fi", "gu", "ka", "lo", "mi", "nu", "pa", "ro", "si", "tu", "ve", "wa", "zo", "che")
WORDS = [a + b + c for a in PARTS for b in PARTS for c in ("", "n", "rt", "l")]
N = 3
"""Words of the n-grams by which the similarities below are meant."""


@cache
def texts(count: int, words: int = 60, seed: int = 2) -> list[list[str]]:
    """Unlike texts."""
    draw = Random(seed)
    return [draw.choices(WORDS, k=words) for _ in range(count)]


def twin(text: list[str], changes: int, seed: int = 3) -> list[str]:
    """The text with so many words changed, far enough from each other and from the ends that each breaks N n-grams."""
    places = Random(f"{seed}{text[0]}{text[1]}").sample(range(N, len(text) - N, N), changes)
    return [f"other{at}" if at in places else word for at, word in enumerate(text)]


def jaccard(words: int, changes: int) -> float:
    """Of a text and its twin."""
    whole, broken = words - N + 1, N * changes
    return (whole - broken) / (whole + broken)


def record(words: list[str], number: object) -> Record:
    return Record(content=PlainText(text=" ".join(words)), origin=str(number))
