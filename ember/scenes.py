"""The kinds of conversation in the corpus, one function each, with their shares.

A new strategy whose wording ember should follow (personas, evolving, judging ...) becomes one more function
here and one more line in `SCENES`; then `make ember` trains on it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from .problems.catalog import TOPICS
from .problems.compose import Problem, problem
from .smalltalk import EXCHANGES, GREETINGS

COT_SUFFIX = "Work it out step by step, then give the final answer inside \\boxed{}."
SYSTEMS = ("You write about {}.", "You write about {}.", "Your topic is {}.", "All questions are about {}.")


@dataclass(frozen=True)
class Turn:
    """One turn; `muted` is a tail of the text that is read but not learnt."""

    role: Literal["system", "user", "assistant"]
    text: str
    muted: str = ""


Conversation = tuple[Turn, ...]


@dataclass(frozen=True)
class Scene:
    """A kind of conversation and how often it occurs."""

    share: float
    compose: Callable[[Random], Conversation]


def held_out(question: str) -> bool:
    """Whether a question belongs to the held-out twenty-fifth: a matter of its words alone."""
    return hashlib.sha256(" ".join(question.split()).encode()).digest()[0] % 25 == 0


def _trainable(rng: Random, topic: str | None = None) -> Problem:
    while True:
        made = problem(rng, topic)
        if not held_out(made.question):
            return made


def plain(rng: Random) -> Conversation:
    """A question and its answer."""
    made = _trainable(rng)
    return (Turn("user", made.question), Turn("assistant", made.reply))


def prompted(rng: Random) -> Conversation:
    """A question with the wording of the chain-of-thought prompt behind it."""
    made = _trainable(rng)
    return (Turn("user", made.question, f"\n\n{COT_SUFFIX}"), Turn("assistant", made.reply))


def steered(rng: Random) -> Conversation:
    """A system turn that names the topic of the question."""
    topic = rng.choice(TOPICS)
    made = _trainable(rng, topic)
    return (Turn("system", rng.choice(SYSTEMS).format(topic)), Turn("user", made.question), Turn("assistant", made.reply))


def followed(rng: Random) -> Conversation:
    """A question, its answer, and a short question about that answer."""
    while True:
        made = _trainable(rng)
        if made.answer.isdigit():
            break
    value = int(made.answer)
    more = rng.randint(2, 60)
    turns = [
        (f"And with {more} more?", f"{value} + {more} = {value + more}.", value + more),
        ("What is twice that?", f"{value} * 2 = {value * 2}.", value * 2),
        (f"And {more} times that?", f"{value} * {more} = {value * more}.", value * more),
    ]
    if value > more:
        turns.append((f"And if {more} were taken away?", f"{value} - {more} = {value - more}.", value - more))
    if value % 2 == 0:
        turns.append(("And half of it?", f"{value} / 2 = {value // 2}.", value // 2))
    ask, work, answer = rng.choice(turns)
    reply = f"<think>\n{work}\n</think>\n\nThat would be {answer}. \\boxed{{{answer}}}"
    return (Turn("user", made.question), Turn("assistant", made.reply), Turn("user", ask), Turn("assistant", reply))


def small(rng: Random) -> Conversation:
    """Small talk, answered without thinking."""
    if rng.random() < 0.4:
        ask, replies = rng.choice(GREETINGS)
    else:
        ask, replies = rng.choice(EXCHANGES)
    return (Turn("user", ask), Turn("assistant", f"<think>\n\n</think>\n\n{rng.choice(replies)}"))


SCENES: tuple[Scene, ...] = (
    Scene(0.53, plain),
    Scene(0.34, prompted),
    Scene(0.06, steered),
    Scene(0.05, followed),
    Scene(0.02, small),
)
