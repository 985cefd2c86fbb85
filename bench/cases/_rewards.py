"""Sums with a right and a wrong answer, and a reward model whose scale is another one for each prompt."""

from __future__ import annotations

from random import Random

from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply, Request
from datalchemy.core.record import Conversation, Record, assistant, user

from ._judges import sums, truth


def pairs(n: int) -> tuple[list[Record], list[bool]]:
    """Two answers to each prompt, in either order, and which of them is right."""
    rng, records, right = Random(1), [], list[bool]()
    for number, (question, good, bad) in enumerate(sums(n)):
        for text in (good, bad) if rng.random() < 0.5 else (bad, good):
            records.append(Record(content=Conversation(messages=(user(question), assistant(text))), origin=f"{number}{text is good}"))
            right.append(text is good)
    return records, right


def reward_model(name: str, noise: float = 0.0) -> Scripted:
    """One more for a right answer than for a wrong one, on a level between -8 and 8 that the prompt decides; wrong with the chance `noise`."""

    def answer(request: Request, seed: int | None) -> Reply:
        question, text = (str(message["content"]) for message in request.messages)
        level = Random(question).uniform(-8, 8)
        return Reply(values=(level + 0.5 * (1 if truth(text) != (Random(f"{name}{text}").random() < noise) else -1),))

    return Scripted(name=f"{name}-{noise}", function=answer)
