"""best_of_duplicates: a finished set in which each text has a longer twin; exactly the longer ones stay."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, plain, rate, verdicts

from ._texts import record, texts, twin

COUNT = 3000


def speed() -> Iterator[Line]:
    records = [record(words, n) for text in texts(COUNT) for n, words in enumerate((text, twin(text, 1)))]
    yield plain("a set of 6,000 texts, half of them twins", rate({"use": "best_of_duplicates"}, records, warm=0, repeat=1))


def accuracy() -> Iterator[Line]:
    base = texts(COUNT)
    records = [record(words, n) for text in base for n, words in enumerate((text, [*twin(text, 1), "indeed"]))]
    found = [verdict.keep for verdict in verdicts({"use": "best_of_duplicates"}, records)]
    yield above(
        "groups of which exactly the longer text stays",
        sum(not a and b for a, b in zip(found[::2], found[1::2], strict=True)) / COUNT,
        0.995,
        "",
    )
