"""answer_tags: a look at one reply; well-formed and broken layouts, by kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate, scored, verdicts

from ._records import worked

GOOD = ("<think>a</think>{}<answer>7</answer>", "<think>\na\n</think>{}\n<answer>\n7\n</answer>\n")


def speed() -> Iterator[Line]:
    records = [
        Record(
            content=Conversation(messages=(user("1 + 6?"), assistant(f"<think>{one.messages[-1].reasoning}</think>\n<answer>7</answer>"))),
            origin=str(i),
        )
        for i, one in enumerate(worked())
    ]
    yield plain("4,000 worked solutions", rate({"use": "answer_tags"}, records))


def _labelled() -> list[tuple[str, bool]]:
    """(reply, whether it is broken): whole ones, and each with one piece left out, written twice or moved to the front."""
    rows = [(form.format(gap), False) for form, gap in product(GOOD, ("", " ", "\n\n", "\t"))]
    whole = ["<think>", "a", "</think>", "<answer>", "7", "</answer>"]
    for at, piece in enumerate(whole):
        rows.append(("".join(whole[:at] + whole[at + 1 :]), True))
        if piece.startswith("<"):
            rows.append(("".join([*whole[: at + 1], piece, *whole[at + 1 :]]), True))
            rows += [("".join([piece, *whole[:at], *whole[at + 1 :]]), True)] if at else []
    return [*rows, ("so" + "".join(whole), True), ("".join(whole) + "so", True), ("".join(whole[:3]) + "so" + "".join(whole[3:]), True)]


def accuracy() -> Iterator[Line]:
    rows = _labelled()
    records = [Record(content=Conversation(messages=(user("1 + 6?"), assistant(text))), origin=str(i)) for i, (text, _) in enumerate(rows)]
    found = [verdict.outcome == "refuse" for verdict in verdicts({"use": "answer_tags"}, records)]
    yield above(f"{len(rows)} well-formed and broken replies, accuracy", scored(found, [bad for _, bad in rows]).accuracy, 1.0, "")
