"""refusals: a hand-written set of refusals, boilerplate and their look-alikes (bench/data/refusals.jsonl), and clean texts."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, plain, rate

from ._answered import judged, labelled, paragraphs, questions
from ._records import worked


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "refusals"}, worked()))


def accuracy() -> Iterator[Line]:
    score = judged({"use": "refusals"}, labelled("refusals"))
    yield above(f"{score.n} refusals, boilerplate and look-alikes, precision", score.precision, 0.9, "")
    yield above("the same, recall", score.recall, 0.8, "")
    clean = judged({"use": "refusals", "everywhere": True}, [(text, False) for text in questions() + [text for _, text in paragraphs()]])
    yield above(f"{clean.n} clean texts in 29 languages, kept", clean.accuracy, 1.0, "")
