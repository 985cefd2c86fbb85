"""Which two of several answers to one prompt make a preference pair: what they must differ in, and how they are chosen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from math import inf, log
from random import Random
from statistics import pstdev
from typing import Literal

from ..core.backend import Reply
from ..core.record import Message, Record
from ._overlap import LONGEST, words

Choose = Literal["max_min", "max_random", "right_wrong"]
_LEADS = re.compile(r"^[ \t]*(?:(?:[-*•]|>+|#{1,6})[ \t]+(?=\S)|```.*$)", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\(?\d{1,3}[.):][ \t]+(?=\S)", re.MULTILINE)
"""Items of a list where there are several; one alone may be the answer."""
_MARKUP = re.compile(
    r"\\(?:boxed|text|mathrm|mathbf|textbf|displaystyle|left|right|quad)\b|\\[()\[\],;!]|\$|(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|`"
)
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\d+(?:[.,]\d+)*|[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:['’][^\W\d_]+)*"
    r"|[+*/=<>^%≠≤≥≈×÷]|[-−](?=\s?\d)|(?<=\d)\s?[-−]"
)
"""A word, a number, a character of the languages without spaces, or a sign of mathematics: `-8` is not `8`."""
GROWN = 1.15
"""Times the length of the other one from which an answer that repeats it is a longer form of it."""
_GRAM = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and what the recipe's filters say of it."""

    number: int
    model: str
    sample: int
    reply: Reply
    said: Message
    record: Record
    score: float | None = None
    right: bool | None = None
    """Whether it is kept; None: nobody can tell."""
    flaw: str = ""
    """Why it can stand in no pair, whatever the filters say (`cut`, `empty_answer`, `repeated`)."""


@dataclass(frozen=True, slots=True)
class Pair:
    chosen: Answer
    rejected: Answer

    @property
    def gap(self) -> float | None:
        """How much better the chosen one is, in the filter's own units; None without scores."""
        if self.chosen.score is None or self.rejected.score is None:
            return None
        return self.chosen.score - self.rejected.score

    @property
    def ratio(self) -> float:
        """Words of the chosen answer for each of the rejected one."""
        return words(self.chosen.said.text) / max(0.5, words(self.rejected.said.text))

    @property
    def skew(self) -> float:
        """How far the lengths are apart, whichever is longer; 0: equal."""
        return abs(log(self.ratio)) if self.ratio > 0 else inf


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pair has to be."""

    choose: Choose
    margin: float | None
    scale: Literal["raw", "z"]
    length: Literal["ignore", "prefer", "require"]
    max_ratio: float
    alike: float | None
    chosen_from: tuple[str, ...]
    rejected_from: tuple[str, ...]

    def choice(self, answers: Sequence[Answer], count: int, rng: Random, *, balanced: bool = False) -> tuple[list[Pair], Counter[str]]:
        """Up to `count` pairs, no answer in two of them, and why the others are none.

        `balanced`: pairs of similar length only, though the rules would make do with others.
        """
        spread = pstdev([one.score for one in answers if one.score is not None] or [0.0])
        texts = {one.number: Plain(one.said.text) for one in answers}
        why = {
            (one.number, other.number): self._flaw(Pair(one, other), spread, texts)
            for one, other in permutations(answers, 2)
            if self._ranks(one, other)
        }
        strict = balanced or self.length == "require"
        found = self._taken(answers, why, count, rng, within=self.length != "ignore")
        if not strict and self.length == "prefer" and len(found) < count:
            used = {one.number for pair in found for one in (pair.chosen, pair.rejected)}
            found += self._taken([one for one in answers if one.number not in used], why, count - len(found), rng, within=False)
        reasons = Counter(reason or "length" for reason in why.values())
        return found, reasons

    def within(self, pair: Pair) -> bool:
        """Whether neither answer is longer than `max_ratio` times the other."""
        return pair.skew <= log(self.max_ratio) + 1e-9

    def _ranks(self, one: Answer, other: Answer) -> bool:
        """Whether the first could be the better one of the two."""
        if self.choose == "right_wrong":
            return one.right is True and other.right is False
        return one.score is not None and other.score is not None and one.score > other.score and one.right is not False

    def _flaw(self, pair: Pair, spread: float, texts: Mapping[int, Plain]) -> str:
        chosen, rejected = pair.chosen, pair.rejected
        if (self.chosen_from and chosen.model not in self.chosen_from) or (self.rejected_from and rejected.model not in self.rejected_from):
            return "one_sided"
        if self.margin is not None:
            gap = pair.gap
            unit = spread if self.scale == "z" else 1.0
            if gap is None or gap <= self.margin * unit:
                return "small_margin"
        return "" if self.alike is None else sameness(texts[chosen.number], texts[rejected.number], self.alike)

    def _taken(self, answers: Sequence[Answer], why: dict[tuple[int, int], str], count: int, rng: Random, *, within: bool) -> list[Pair]:
        left, found = list(answers), list[Pair]()
        while len(found) < count:
            pairs = [Pair(one, other) for one, other in permutations(left, 2) if why.get((one.number, other.number), "-") == ""]
            pairs = [pair for pair in pairs if self.within(pair)] if within else pairs
            if not pairs:
                break
            pair = self._best(pairs, rng)
            found.append(pair)
            left = [one for one in left if one not in (pair.chosen, pair.rejected)]
        return found

    def _best(self, pairs: Sequence[Pair], rng: Random) -> Pair:
        """The pair that the policy takes first; ties go to the answers drawn first."""
        if self.choose == "max_random":
            best = min((pair.chosen for pair in pairs), key=lambda one: (-(one.score or 0.0), one.number))
            return rng.choice([pair for pair in pairs if pair.chosen is best])
        return min(pairs, key=lambda pair: (*self._order(pair), pair.chosen.number, pair.rejected.number))

    def _order(self, pair: Pair) -> Iterator[float]:
        gap = -(pair.gap or 0.0)
        skew = 0.0 if self.length == "ignore" else round(pair.skew, 6)
        yield from (skew, gap) if self.choose == "right_wrong" else (gap, skew)


class Plain:
    """The words of a text without its form: case, punctuation, Markdown, list numbers, LaTeX around the terms."""

    def __init__(self, text: str) -> None:
        bare = _LEADS.sub(" ", text)
        bare = _NUMBERED.sub(" ", bare) if len(_NUMBERED.findall(bare)) > 1 else bare
        bare = _MARKUP.sub(" ", bare).casefold()
        self.words = [word.strip() for word in _WORD.findall(bare)[:LONGEST]]

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(word for word in self.words if word[0].isdigit())

    @cached_property
    def grams(self) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(self.words[at : at + _GRAM]) for at in range(max(1, len(self.words) - _GRAM + 1)))


def sameness(one: Plain, other: Plain, alike: float = 0.95) -> str:
    """`only_form` where two texts say the same in another form, `only_length` where one is the other and more, with no other number in
    it, else empty. `alike`: share of the shorter one's trigrams that the longer one holds."""
    short, long = sorted((one, other), key=lambda text: len(text.words))
    if short.words == long.words:
        return "only_form"
    if short.numbers != long.numbers:
        return ""
    if _holds(long.words, short.words):
        return "only_length"
    grown = len(long.words) >= GROWN * len(short.words)
    return "only_length" if grown and len(short.grams & long.grams) >= alike * len(short.grams) else ""


def _holds(long: Sequence[str], short: Sequence[str]) -> bool:
    """Whether the words of the one stand in the other in one stretch."""
    return "\0".join(("", *short, "")) in "\0".join(("", *long, ""))
