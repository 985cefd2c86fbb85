"""near_duplicates: unlike texts of 60 words; twins planted at known similarities, found as often as the bands say and never below."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.eval._shingles import chance
from gauge import Line, above, below, plain, rate, verdicts

from ._texts import jaccard, record, texts, twin

UNLIKE = 8000
PAIRS = 1000
WORDS = 200


def speed() -> Iterator[Line]:
    records = [record(words, n) for n, words in enumerate(texts(UNLIKE))]
    yield plain("8,000 different texts of 60 words", rate({"use": "near_duplicates"}, records, warm=0, repeat=1))
    yield plain("the same, numbers: agree", rate({"use": "near_duplicates", "numbers": "agree"}, records, warm=0, repeat=1))
    yield plain("the same, bloom", rate({"use": "near_duplicates", "bloom": 10 * UNLIKE}, records, warm=0, repeat=1))


def accuracy() -> Iterator[Line]:
    for changes in (3, 5, 8, 10):
        similarity = jaccard(WORDS, changes)
        share = _refused(changes, 0.7)
        line = f"pairs at Jaccard {similarity:.2f} refused (`similarity: 0.7`; the bands say {chance(similarity, 14, 8):.3f})"
        yield above(line, share, round(chance(similarity, 14, 8) - 0.05, 3), "")
    yield below(f"pairs at Jaccard {jaccard(WORDS, 14):.2f} refused (`similarity: 0.7`)", _refused(14, 0.7), 0, "")
    yield below("unlike texts refused", 1 - _kept(UNLIKE), 0, "")


def _refused(changes: int, similarity: float) -> float:
    """Share of planted twins that are refused."""
    base = texts(PAIRS, WORDS, changes)
    records = [record(words, n) for text in base for n, words in enumerate((text, twin(text, changes)))]
    found = verdicts({"use": "near_duplicates", "similarity": similarity}, records)
    return sum(verdict.outcome == "refuse" for verdict in found[1::2]) / PAIRS


def _kept(count: int) -> float:
    found = verdicts({"use": "near_duplicates"}, [record(words, n) for n, words in enumerate(texts(count))])
    return sum(verdict.keep for verdict in found) / count
