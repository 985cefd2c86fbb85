"""The corpus that ember is trained on: conversations composed by a program, the same for the same seed.

Problems come from `problems/`; this module is the door to them and to the split.  Whether a question may be
trained on is decided by a hash of its words, so held-out questions never occur in training, whatever the seed.
"""

import hashlib
from collections.abc import Iterator
from random import Random

from .problems.catalog import KINDS, TOPICS
from .problems.compose import Problem
from .problems.compose import problem as _any_problem
from .problems.parse import recognise, truth
from .scenes import COT_SUFFIX, SCENES, Conversation, Turn, held_out

__all__ = [
    "COT_SUFFIX",
    "KINDS",
    "TOPICS",
    "Conversation",
    "Problem",
    "Turn",
    "conversations",
    "digest",
    "held_out",
    "held_out_problems",
    "problem",
    "topic_of",
    "truth",
]


def problem(rng: Random, topic: str | None = None) -> Problem:
    """Compose one problem, of any kind or on a topic; it may fall on either side of the split."""
    return _any_problem(rng, topic)


def held_out_problems(seed: int, n: int) -> list[Problem]:
    """The first `n` distinct problems of a seed that training never sees."""
    rng = Random(f"held-out:{seed}")
    found: dict[str, Problem] = {}
    while len(found) < n:
        made = _any_problem(rng)
        if held_out(made.question):
            found.setdefault(made.question, made)
    return list(found.values())


def topic_of(question: str) -> str | None:
    """The topic of a well-formed problem."""
    found = recognise(question)
    return found[0].topic if found else None


def conversations(seed: int, n: int) -> Iterator[Conversation]:
    """`n` training conversations; the i-th depends on the seed and i alone."""
    shares = [scene.share for scene in SCENES]
    for index in range(n):
        rng = Random(f"{seed}:{index}")
        yield rng.choices(SCENES, shares)[0].compose(rng)


def digest(seed: int, n: int) -> str:
    """The sha256 of the whole corpus, as it is written out for training."""
    total = hashlib.sha256()
    for conversation in conversations(seed, n):
        for turn in conversation:
            total.update(f"{turn.role}\x1f{turn.text}\x1f{turn.muted}\x1e".encode())
        total.update(b"\x1d")
    return total.hexdigest()
