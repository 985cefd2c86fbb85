"""length: counting."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, plain, rate

from ._answered import judged
from ._records import worked


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "length", "answer": {"max_words": 500}}, worked()))


def accuracy() -> Iterator[Line]:
    texts = ["word " * n for n in range(1, 80)] + ["a" * n for n in range(150, 250)]
    cases = [(text, len(text.split()) > 40 or len(text.strip()) > 200) for text in texts]
    part = {"use": "length", "answer": {"min_words": 1, "max_words": 40}, "max_paragraph_chars": 200}
    yield above(f"{len(cases)} texts around the bounds, accuracy", judged(part, cases).accuracy, 1.0, "")
