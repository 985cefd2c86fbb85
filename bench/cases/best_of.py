"""best_of: what best of n gains with a reward that only knows half of the truth."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from datalchemy.core.record import Conversation, Record, Verdict, assistant, user
from gauge import Line, above, plain, rate

from ._judges import judged


def records(groups: int, n: int) -> tuple[list[Record], list[float]]:
    """Answers of a quality drawn from a normal distribution, and a reward that is the quality with as much noise."""
    rng = Random(0)
    made, worth = [], []
    for group in range(groups):
        for at in range(n):
            quality = rng.gauss(0, 1)
            verdict = Verdict(by="reward", outcome="keep", score=quality + rng.gauss(0, 1))
            turns = (user(f"Question {group}?"), assistant(f"Answer {at}."))
            made.append(Record(content=Conversation(messages=turns), origin=f"{group}/{at}", verdicts=(verdict,)))
            worth.append(quality)
    return made, worth


def speed() -> Iterator[Line]:
    yield plain("8,000 records in groups of 4", rate({"use": "best_of"}, records(2000, 4)[0]))


def accuracy() -> Iterator[Line]:
    made, worth = records(2000, 4)
    kept = [quality for verdict, quality in zip(judged({"use": "best_of"}, made), worth, strict=True) if verdict.keep]
    yield above(
        "best of 4 by a reward with as much noise as signal: mean quality (0.73 expected; of all: 0)", sum(kept) / len(kept), 0.65, ""
    )
    yield plain("answers that stay, of 2,000 prompts", len(kept), "")
