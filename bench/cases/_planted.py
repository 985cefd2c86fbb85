"""A benchmark, and texts with and without its items in them, drawn by a seeded program."""

from __future__ import annotations

import random
from dataclasses import dataclass

SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "bu",
    "da",
    "de",
    "di",
    "do",
    "du",
    "fa",
    "fe",
    "fi",
    "ga",
    "ge",
    "go",
    "ka",
    "ke",
    "ki",
    "ko",
    "la",
    "le",
    "li",
    "lo",
    "lu",
    "ma",
    "me",
    "mi",
    "mo",
    "mu",
    "na",
    "ne",
    "ni",
    "no",
    "pa",
    "pe",
    "pi",
    "po",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "si",
    "so",
    "ta",
    "te",
    "ti",
    "to",
]
COMMON = [
    "the",
    "of",
    "and",
    "a",
    "to",
    "in",
    "is",
    "was",
    "for",
    "on",
    "with",
    "as",
    "it",
    "by",
    "at",
    "from",
    "that",
    "this",
    "which",
    "how",
    "many",
    "are",
    "there",
    "if",
    "each",
    "has",
    "when",
    "then",
    "all",
    "what",
    "one",
    "two",
]
KINDS = ("verbatim", "in a longer text", "one word in ten changed", "first half", "numbers swapped", "worked solution", "short", "chinese")
"""How an item is planted."""


@dataclass(frozen=True)
class Item:
    question: str
    solution: str


class Writer:
    """Texts of made-up words, a third of them common ones, as in English."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words = ["".join(self.rng.choices(SYLLABLES, k=self.rng.randint(2, 4))) for _ in range(6000)]

    def sentence(self, least: int = 8, most: int = 22) -> str:
        rng = self.rng
        words = [rng.choice(COMMON) if rng.random() < 0.35 else rng.choice(self.words) for _ in range(rng.randint(least, most))]
        for at in range(4, len(words), 9):
            words[at] = str(rng.randint(2, 2000))
        return " ".join(words).capitalize() + rng.choice(".....?,;")

    def text(self, sentences: int) -> str:
        return " ".join(self.sentence() for _ in range(sentences))

    def chinese(self, length: int) -> str:
        return "".join(chr(self.rng.randint(0x4E00, 0x5FFF)) for _ in range(length)) + "？"

    def item(self, number: int) -> Item:
        if number % len(KINDS) == KINDS.index("short"):
            return Item(self.sentence(5, 7), str(number))
        if number % len(KINDS) == KINDS.index("chinese"):
            return Item(self.chinese(40), str(number))
        return Item(self.text(3), self.text(3))

    def planted(self, item: Item, kind: str) -> tuple[str, str]:
        """Prompt and answer of a record that holds the item."""
        question, words = item.question, item.question.split()
        match kind:
            case "in a longer text":
                question = f"{self.text(4)}\n\n{question}\n\n{self.text(4)}"
            case "one word in ten changed":
                question = " ".join(self.rng.choice(self.words) if n % 10 == 9 else word for n, word in enumerate(words))
            case "first half":
                question = " ".join(words[: len(words) // 2]) + " " + self.text(1)
            case "numbers swapped":
                question = " ".join(str(self.rng.randint(2, 2000)) if word.isdigit() else word for word in words)
            case "worked solution":
                return self.text(2), f"{self.text(1)} {item.solution} {self.text(1)}"
            case "short":
                question = question.upper().rstrip(".?,;") + " !"
            case "chinese":
                question = question[:30] + self.chinese(8)
        return question, self.text(2)
