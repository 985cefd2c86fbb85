"""Questions with their topic, written by hand for this bench: half of them are examples, the others are labelled by them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from datalchemy.core.record import Conversation, Record, user

FILE = Path(__file__).parents[1] / "data" / "topics.jsonl"


@cache
def rows() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in FILE.read_text("utf-8").splitlines())


def axis() -> dict[str, Any]:
    """The axis `topic` with its examples, as a recipe has it."""
    examples: dict[str, list[str]] = {}
    for row in rows():
        if row["example"]:
            examples.setdefault(row["topic"], []).append(row["text"])
    return {"name": "topic", "values": list(examples), "examples": examples}


def held_out() -> list[tuple[Record, str]]:
    some = (row for row in rows() if not row["example"])
    return [(Record(content=Conversation(messages=(user(row["text"]),)), origin=str(n)), row["topic"]) for n, row in enumerate(some)]
