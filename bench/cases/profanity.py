"""profanity: foul words in seven disguises, and words that look like them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from datalchemy.eval._profanity_words import WORDS
from gauge import Line, above, plain, rate

from ._answered import judged, paragraphs, questions
from ._records import worked

INNOCENT = [
    "Scunthorpe",
    "Penistone",
    "Essex",
    "Sussex",
    "Middlesex",
    "cockpit",
    "peacock",
    "cocktail",
    "assess",
    "assassin",
    "classic",
    "grass",
    "passage",
    "hello",
    "shell",
    "analysis",
    "analyst",
    "therapist",
    "document",
    "circumstance",
    "cumulative",
    "title",
    "constitution",
    "Dickens",
    "Hancock",
    "shiitake",
    "mishit",
    "dickcissel",
    "Fick",
    "Wankel",
    "Titus",
    "Uranus",
    "Buttermere",
    "bassist",
    "embarrass",
    "compass",
    "massachusetts",
    "canal",
    "banal",
    "arsenal",
    "parse",
    "sparse",
    "hoarse",
    "rapeseed",
    "grape",
    "drape",
    "cucumber",
    "scrap",
    "scrape",
    "skit",
    "snigger",
    "niggard",
    "Niger",
    "Nigeria",
    "retardation",
    "countess",
    "county",
    "scuttle",
    "matsushita",
    "swank",
    "pricking",
]


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "profanity"}, worked()))


def _disguised(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        [
            word,
            word.upper(),
            word.capitalize() + "!",
            word[:at] + "*" + word[at + 1 :],
            word[:at] + word[at] * 3 + word[at:],
            "".join({"i": "1", "a": "@", "o": "0", "e": "3", "s": "$"}.get(c, c) if n else c for n, c in enumerate(word)),
            " ".join(word),
        ]
    )


def accuracy() -> Iterator[Line]:
    rng = random.Random(5)
    foul = [word for level in ("strong", "slur") for word in WORDS["en"][level].split() if len(word) > 3]
    texts = questions(400)
    cases = [(f"{text} {_disguised(rng.choice(foul), rng)} {text}", True) for text in texts]
    cases += [(f"{text} {_disguised(rng.choice(INNOCENT), rng)} {text}", False) for text in texts]
    score = judged({"use": "profanity"}, cases)
    yield above("foul and innocent words in seven spellings within 800 texts, precision", score.precision, 0.98, "")
    yield above("the same, recall", score.recall, 0.95, "")
    yield above(
        "clean paragraphs in 29 languages, kept",
        judged({"use": "profanity"}, [(text, False) for _, text in paragraphs()]).accuracy,
        1.0,
        "",
    )
