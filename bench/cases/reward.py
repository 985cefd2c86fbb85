"""reward and its way to the store; what a cut through raw scores makes of them, beside a rank within each prompt."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, plain, scored

from ._judges import first_rate, judged
from ._rewards import pairs, reward_model


def speed() -> Iterator[Line]:
    records, _ = pairs(1000)
    model = reward_model("fast")
    yield plain("2,000 answers, a double that answers at once, scores stored", first_rate({"use": "reward"}, records, reward=model))


def accuracy() -> Iterator[Line]:
    records, right = pairs(500)
    found = judged({"use": "reward", "min_score": 0}, records, reward=reward_model("oracle", noise=0.1))
    share = scored([one.keep for one in found], right).accuracy
    yield plain("1,000 sums, a model that errs in 10 % and whose scale moves with the prompt: cut at 0", share, "")
