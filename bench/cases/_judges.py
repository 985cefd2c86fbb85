"""A judge double that knows the truth of sums, with noise and a liking for what stands first; and sums for it to judge."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Request
from datalchemy.core.record import Conversation, Preference, Record, Verdict, assistant, user
from datalchemy.engine.filtering import open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.loops import to_completion

SECTION = re.compile(r"\[([0-9A-F]{12}) (\w+) BEGINS?\]\n(.*?)\n\[\1 \2 ENDS?\]", re.DOTALL)


def truth(text: str) -> bool:
    """Whether a sum is right, by the oracle; the canaries' good answers count as right."""
    found = re.search(r"(\d+) \+ (\d+) = (\d+)", text)
    return (
        int(found[1]) + int(found[2]) == int(found[3]) if found else bool(re.search("8 euros of change|short wavelengths|Canberra", text))
    )


def double(name: str, *, noise: float = 0.0, bias: float = 0.0, **more: Any) -> Scripted:
    """A model that judges sums: each verdict is wrong with the chance `noise`, and for whatever stands first with the chance `bias`."""

    def answer(request: Request, seed: int | None) -> str:
        prompt = str(request.messages[-1]["content"])
        inside = {name: text for _, name, text in SECTION.findall(prompt)}
        return json.dumps({"reason": "Added up again.", **_verdict(inside, prompt, Random(f"{name}{seed}{prompt}"), noise, bias)})

    return Scripted(name=f"{name}-{noise}-{bias}", function=answer, **more)


def _verdict(inside: Mapping[str, str], prompt: str, rng: Random, noise: float, bias: float) -> dict[str, Any]:
    def seems(text: str) -> bool:
        return truth(text) != (rng.random() < noise)

    if "ANSWER" in inside:
        return {"scores": dict.fromkeys(("correctness", "completeness", "clarity"), 9 if seems(inside["ANSWER"]) else 3)}
    first = rng.random() < bias
    if "1" in inside:
        shown = sorted(int(name) for name in inside if name.isdigit())
        worth = {n: seems(inside[str(n)]) for n in shown}
        return {"ranking": shown if first else sorted(shown, key=lambda n: not worth[n])}
    if "FINDINGS" in inside:
        a, b = (sum(map(float, re.findall(rf"{side} (\d)", inside["FINDINGS"]))) for side in "AB")
        return {"winner": "A" if first or a > b else "B" if b > a else "tie"}
    if "A" not in inside:
        return {
            "criteria": [{"title": "Result", "how": "Is it right?"}, {"title": "Path", "how": "Does it lead there?"}, {"title": "Form"}]
        }
    a, b = seems(inside["A"]), seems(inside["B"])
    if "CRITERION" in inside:
        return {"a": 5, "b": 2} if first else {"a": 2 + 2 * a, "b": 2 + 2 * b}
    return {"winner": "A" if first or a > b else "B" if b > a else "tie"}


def sums(n: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """(question, right answer, wrong answer)."""
    rng = Random(seed)
    out = []
    for at in range(n):
        a, b, off = rng.randrange(100, 1000), rng.randrange(100, 1000), rng.choice((-10, -1, 1, 10))
        out.append(
            (f"{at}. What is {a} + {b}?", f"{a} + {b} = {a + b}, so it is {a + b}.", f"{a} + {b} = {a + b + off}, so it is {a + b + off}.")
        )
    return out


def answers(n: int) -> tuple[list[Record], list[bool]]:
    """Answered sums, right and wrong in turn, and which are right."""
    made = [
        Record(content=Conversation(messages=(user(task), assistant(wrong if at % 2 else right))), origin=str(at))
        for at, (task, right, wrong) in enumerate(sums(n))
    ]
    return made, [at % 2 == 0 for at in range(n)]


def pairs(n: int) -> tuple[list[Record], list[str]]:
    """Pairs of a right and a wrong answer, and which of them is right: chosen and rejected in turn."""
    made = []
    for at, (task, right, wrong) in enumerate(sums(n)):
        chosen, rejected = (right, wrong) if at % 2 == 0 else (wrong, right)
        pair = Preference(prompt=(user(task),), chosen=(assistant(chosen),), rejected=(assistant(rejected),))
        made.append(Record(content=pair, origin=str(at)))
    return made, ["rejected" if at % 2 else "chosen" for at in range(n)]


@contextmanager
def fresh_home() -> Iterator[None]:
    """An empty response store for as long as it is measured."""
    before = os.environ.get("DATALCHEMY_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATALCHEMY_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("DATALCHEMY_HOME")
            if before is not None:
                os.environ["DATALCHEMY_HOME"] = before


def judged(part: dict[str, Any], records: Sequence[Record], **models: Any) -> list[Verdict]:
    """What the filter says of each record (which may hold verdicts of others already), from an empty store."""

    async def run() -> list[Verdict]:
        async with open_filters(FilterRecipe.build({"filters": [part], "models": models})) as opened:
            return [judgement.verdicts[-1] for judgement in await opened.judge(records)]

    with fresh_home():
        return to_completion(run())


def first_rate(part: dict[str, Any], records: Sequence[Record], **models: Any) -> float:
    """Records a second where every call is made (to a double that answers at once) and stored; the filter is open already."""

    async def run() -> float:
        async with open_filters(FilterRecipe.build({"filters": [part], "models": models})) as opened:
            began = time.perf_counter()
            await opened.judge(records)
            return len(records) / (time.perf_counter() - began)

    with fresh_home():
        return to_completion(run())


def position(found: Sequence[Verdict], labels: Sequence[str]) -> tuple[float, float, float, float]:
    """Of pairs judged in both orders: accuracy and advantage of the first place by the first order alone, accuracy of what both
    orders decided, and the share that they decided. The advantage is the share of wins of what stood first where that was wrong, less
    the share of losses where that was right."""
    alone = [one.evidence["orders"][0] for one in found]
    right = sum(one == label for one, label in zip(alone, labels, strict=True)) / len(labels)
    wrong_first = [one for one, label in zip(alone, labels, strict=True) if label == "rejected"]
    right_first = [one for one, label in zip(alone, labels, strict=True) if label == "chosen"]
    advantage = wrong_first.count("chosen") / len(wrong_first) - right_first.count("rejected") / len(right_first)
    decided = [(one.evidence["preferred"], label) for one, label in zip(found, labels, strict=True) if one.evidence["preferred"] != "tie"]
    return right, advantage, sum(one == label for one, label in decided) / max(1, len(decided)), len(decided) / len(labels)


def both_advantage(found: Sequence[Verdict], labels: Sequence[str]) -> float:
    """The same advantage, of the verdicts on which both orders agree."""
    said = [one.evidence["preferred"] for one in found]
    wrong_first = [one for one, label in zip(said, labels, strict=True) if label == "rejected"]
    right_first = [one for one, label in zip(said, labels, strict=True) if label == "chosen"]
    return wrong_first.count("chosen") / len(wrong_first) - right_first.count("rejected") / len(right_first)
