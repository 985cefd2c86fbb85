"""semantic_duplicates: questions by their meaning, with the static encoder; held-out pairs that its threshold was not measured on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from datalchemy.core.record import Conversation, Record, user
from gauge import Line, above, plain, rate, scored, verdicts

from ._texts import record, texts

HELD_OUT = Path(__file__).parents[1] / "data" / "same_meaning.jsonl"


def speed() -> Iterator[Line]:
    records = [record(words, n) for n, words in enumerate(texts(6000, 20))]
    yield plain("6,000 different texts of 20 words", rate({"use": "semantic_duplicates", "similarity": 0.97}, records, warm=0, repeat=1))
    large = {"use": "semantic_duplicates", "similarity": 0.97, "flat": 1000}
    yield plain("the same by clusters (flat: 1000)", rate(large, records, warm=0, repeat=1))


def accuracy() -> Iterator[Line]:
    pairs = [json.loads(line) for line in HELD_OUT.read_text().splitlines()]
    found = []
    for pair in pairs:
        two = [Record(content=Conversation(messages=(user(pair[side]),)), origin=side) for side in "ab"]
        found.append(verdicts({"use": "semantic_duplicates"}, two)[1].outcome == "refuse")
    score = scored(found, [pair["same"] for pair in pairs])
    yield above(f"{score.n} held-out pairs: precision", score.precision, 0.9, "")
    yield plain("the same: recall (a static encoder at that precision)", score.recall, "")
