"""How much of a set says the same: distinct n-grams, and how much of a text stands in another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .words import ngrams, words


def distinct(texts: Iterable[str], n: int) -> float | None:
    """Distinct-n (Li et al., arXiv 1510.03055): different n-grams over all n-grams; None where there is none.

    It falls with the number of texts: compare sets of the same size only (a report measures a sample of fixed size).
    """
    grams: set[int] = set()
    total = 0
    for text in texts:
        for gram in ngrams(words(text), n):
            grams.add(hash(gram))
            total += 1
    return len(grams) / total if total else None


def overlap(texts: Sequence[str], n: int = 4) -> float | None:
    """Mean share of a text's n-grams that stand in another text of the set: like self-BLEU (arXiv 1802.01886), without its
    cost in the square of their number. None where no text has n words."""
    each = [set(map(hash, ngrams(words(text), n))) for text in texts]
    seen = Counter(gram for grams in each for gram in grams)
    shares = [sum(seen[gram] > 1 for gram in grams) / len(grams) for grams in each if grams]
    return sum(shares) / len(shares) if shares else None


def openings(texts: Iterable[str], most: int = 5, length: int = 3) -> list[tuple[str, int]]:
    """The most frequent first words: templates that a strategy falls into."""
    return Counter(" ".join(found[:length]) for text in texts if (found := words(text))).most_common(most)
