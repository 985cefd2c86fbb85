"""repetition: loops put into worked solutions by a program, and the same without."""

from __future__ import annotations

import random
from collections.abc import Iterator

from gauge import Line, above, plain, rate

from ._answered import judged, questions
from ._records import worked


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "repetition"}, worked()))


def _looped(text: str, rng: random.Random) -> str:
    """The text, stuck: a run of its own words again and again, to the end, or until it finds out."""
    words = text.split()
    at = rng.randrange(len(words) // 3, len(words) - 8)
    run = words[at : at + rng.randrange(2, 8)]
    loop = run * rng.randrange(-(-40 // len(run)), 80)
    return " ".join(rng.choice([words[:at] + loop, words[:at] + loop + run[:1], [*words[:at], *loop, *loop, *words[at:]]]))


def accuracy() -> Iterator[Line]:
    rng = random.Random(8)
    texts = [" ".join(questions()[at : at + 2]) for at in range(0, 600, 2)]
    score = judged({"use": "repetition"}, [(text, False) for text in texts] + [(_looped(text, rng), True) for text in texts])
    yield above("300 texts and the same with a loop, precision", score.precision, 0.98, "")
    yield above("the same, recall", score.recall, 0.95, "")
