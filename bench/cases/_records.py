"""Records that cases measure with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from datalchemy.core.record import Conversation, Record, assistant, user

PROBLEMS = Path(__file__).parents[2] / "recipes" / "data" / "word-problems.jsonl"


@cache
def worked(n: int = 4000) -> list[Record]:
    """Word problems with a worked solution of about 300 characters, each with a number of its own."""
    rows = [json.loads(line) for line in PROBLEMS.read_text().splitlines()]
    return [_worked(rows[i % len(rows)], i) for i in range(n)]


def _worked(row: dict[str, str], number: int) -> Record:
    question, gold = row["question"], str(row["answer"])
    thinking = f"This is problem {number}. We read what is given: {question} We work it out step by step and check it, and come to {gold}."
    return Record(
        content=Conversation(messages=(user(f"{number}. {question}"), assistant(f"So the answer is \\boxed{{{gold}}}.", thinking))),
        answer=gold,
        origin=str(number),
        labels={"finish_reason": "stop"},
    )
