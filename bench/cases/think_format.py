"""think_format: a look at one reply; broken formats, by kind."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate, scored, verdicts

from ._records import worked

GOOD = ["<think>One and six is seven.</think>It is \\boxed{7}.", "<think>\nSix.\n\nOne more.\n</think>\n\n\\boxed{7}"]
BAD = [
    "It is \\boxed{7}.",
    "<think>One and six",
    "<think></think>\\boxed{7}",
    "<think>a</think>",
    "<think>a</think><think>b</think>7",
    "So: <think>a</think>7",
]


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "think_format"}, worked()))


def accuracy() -> Iterator[Line]:
    texts = [(text, text in BAD) for text in GOOD + BAD]
    records = [Record(content=Conversation(messages=(user("1 + 6?"), assistant(text))), origin=str(i)) for i, (text, _) in enumerate(texts)]
    found = [verdict.outcome == "refuse" for verdict in verdicts({"use": "think_format"}, records)]
    yield above("well-formed and broken replies, accuracy", scored(found, [bad for _, bad in texts]).accuracy, 1.0, "")
