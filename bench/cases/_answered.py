"""Answers with a label, as records."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Score, scored, verdicts
from mixtures import DATA

from ._records import worked


def answered(text: str, number: int = 0) -> Record:
    return Record(content=Conversation(messages=(user("?"), assistant(text))), origin=str(number))


def questions(n: int = 600) -> list[str]:
    """Word problems, as clean English text."""
    return [record.prompt for record in worked(n)]


def sentences() -> list[tuple[str, str]]:
    """(language, sentence) in 29 languages."""
    rows = [json.loads(line) for line in (DATA / "languages.jsonl").read_text("utf-8").splitlines()]
    return [(row["language"], sentence) for row in rows for sentence in row["everyday"] + row["maths"]]


def paragraphs() -> list[tuple[str, str]]:
    """(language, its sentences as one text)."""
    found: dict[str, list[str]] = {}
    for language, sentence in sentences():
        found.setdefault(language, []).append(sentence)
    return [(language, " ".join(said)) for language, said in found.items()]


def labelled(name: str) -> list[tuple[str, bool]]:
    """Texts of data/NAME.jsonl with whether the filter is to find them."""
    rows = [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()]
    return [(row["text"], row["found"]) for row in rows]


def judged(part: dict[str, Any], cases: Sequence[tuple[str, bool]]) -> Score:
    """How a filter does on (text, whether it is to be refused)."""
    said = verdicts(part, [answered(text, number) for number, (text, _) in enumerate(cases)])
    return scored([verdict.outcome == "refuse" for verdict in said], [label for _, label in cases])


def shuffled(text: str, rng: random.Random) -> str:
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)
