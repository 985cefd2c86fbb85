"""readability: texts spoilt in known ways, and clean ones in 29 languages."""

from __future__ import annotations

import random
from collections.abc import Iterator

from gauge import Line, above, plain, rate

from ._answered import judged, paragraphs, questions
from ._records import worked


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "readability"}, worked()))


def _spoilt(text: str, rng: random.Random) -> str:
    """One of the ways in which scraped or broken text looks wrong."""
    words = text.split()
    return rng.choice(
        [
            lambda: text.upper(),
            lambda: "\n".join(f"{' '.join(words[at : at + 5])} ..." for at in range(0, len(words), 5)),
            lambda: "\n".join(f"- {' '.join(words[at : at + 5])}" for at in range(0, len(words), 5)),
            lambda: " ".join(f"#{word}" if at % 3 == 0 else word for at, word in enumerate(words)),
            lambda: " ".join("".join(words[at : at + 4]) for at in range(0, len(words), 4)),
            lambda: " ".join(f"{word} {'|' * 6}" for word in words),
            lambda: " ".join(text.replace(" ", "")),
        ]
    )()


def accuracy() -> Iterator[Line]:
    rng = random.Random(3)
    texts = [" ".join(questions()[at : at + 4]) for at in range(0, 600, 4)]
    score = judged({"use": "readability"}, [(text, False) for text in texts] + [(_spoilt(text, rng), True) for text in texts])
    yield above(f"{score.n} texts, half of them spoilt in one of seven ways, precision", score.precision, 0.95, "")
    yield above("the same, recall", score.recall, 0.95, "")
    clean = judged({"use": "readability"}, [(text, False) for _, text in paragraphs()])
    yield above("paragraphs in 29 languages, kept", clean.accuracy, 1.0, "")
