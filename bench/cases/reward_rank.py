"""reward_rank: ranking within each prompt, with a model whose scale moves from prompt to prompt."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, plain, scored

from ._judges import first_rate, judged
from ._rewards import pairs, reward_model

PART = {"use": "reward_rank", "top_k": 1}


def speed() -> Iterator[Line]:
    records, _ = pairs(1000)
    yield plain("2,000 answers to 1,000 prompts, a double that answers at once", first_rate(PART, records, reward=reward_model("fast")))


def accuracy() -> Iterator[Line]:
    records, right = pairs(500)
    for noise, least in ((0.0, 1.0), (0.1, 0.85)):
        found = judged(PART, records, reward=reward_model("oracle", noise=noise))
        share = scored([one.keep for one in found], right).accuracy
        yield above(
            f"1,000 sums, a model that errs in {noise:.0%} and whose scale moves with the prompt: the better of two", share, least, ""
        )
