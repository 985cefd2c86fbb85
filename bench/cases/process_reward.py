"""process_reward: taking apart and tagging; a wrong step planted among right ones, found by a model that errs."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply, Request
from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, scored

from ._judges import first_rate, judged, truth


def speed() -> Iterator[Line]:
    records, _ = solutions(2000)
    part = {"use": "process_reward"}
    yield plain("2,000 answers of 6 steps, a double that answers at once", first_rate(part, records, process_reward=steps_model("fast")))


def accuracy() -> Iterator[Line]:
    records, wrong = solutions(1000)
    labels = [at is None for at in wrong]
    for aggregate, cut in (("min", 0.5), ("product", 0.2), ("last", 0.5)):
        part = {"use": "process_reward", "aggregate": aggregate, "min_score": cut}
        found = judged(part, records, process_reward=steps_model("oracle", spread=0.2))
        share = scored([one.keep for one in found], labels).accuracy
        what = f"1,000 answers, half with one wrong step, {aggregate} at {cut:g}, accuracy"
        yield plain(what, share, "") if aggregate == "last" else above(what, share, 0.9, "")
        if aggregate == "min":
            hits = [one.evidence["weakest"] == at + 1 for one, at in zip(found, wrong, strict=True) if at is not None]
            yield above("the wrong step is the one named weakest", sum(hits) / len(hits), 0.9, "")


def steps_model(name: str, spread: float = 0.0) -> Scripted:
    """Of a right step about 0.9, of a wrong one about 0.1, each off by a draw of `spread` at most twice."""

    def answer(request: Request, seed: int | None) -> Reply:
        text = str(request.messages[-1]["content"])
        rng = Random(f"{name}{text}")
        chances = [(0.9 if truth(step) else 0.1) + rng.gauss(0, spread) for step in text.split(request.step_tag)[:-1]]
        return Reply(values=tuple(min(1.0, max(0.0, chance)) for chance in chances))

    return Scripted(name=f"{name}-{spread}", function=answer)


def solutions(n: int, steps: int = 6) -> tuple[list[Record], list[int | None]]:
    """Chains of sums, every other one with a wrong step, and which step that is."""
    rng, records, wrong = Random(3), [], list[int | None]()
    for number in range(n):
        bad = rng.randrange(steps) if number % 2 else None
        lines, at = [], rng.randrange(10, 99)
        for step in range(steps):
            more = rng.randrange(10, 99)
            at, before = at + more + (1 if step == bad else 0), at
            lines.append(f"Then {before} + {more} = {at}.")
        turns = (user(f"{number}. Add up as you are told."), assistant("\n\n".join(lines)))
        records.append(Record(content=Conversation(messages=turns), origin=str(number)))
        wrong.append(bad)
    return records, wrong
