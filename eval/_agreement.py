"""How far two raters agree: the share of equal labels, and Cohen's kappa, which takes out what chance alone gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..core.frozen import Frozen


class Agreement(Frozen):
    """Of a judge with the labels of a set."""

    n: int
    agreement: float
    """Share of rows on which both say the same; an abstention agrees with nothing."""
    kappa: float
    """1: always; 0: no more than by chance (a judge that says the same of everything); below: less than that."""
    classes: Mapping[str, tuple[int, int]]
    """By label: rows that the judge gave the same label, and rows in all."""


def agreement(wanted: Sequence[str], got: Sequence[str]) -> Agreement:
    """Of the labels and of what the judge said, row by row."""
    n = len(wanted)
    hits = Counter(label for label, one in zip(wanted, got, strict=True) if label == one)
    labels, given = Counter(wanted), Counter(got)
    if not n:
        return Agreement(n=0, agreement=0.0, kappa=0.0, classes={})
    share = hits.total() / n
    chance = sum(labels[label] * given[label] for label in labels) / n**2
    kappa = (share - chance) / (1 - chance) if chance < 1 else 0.0
    return Agreement(n=n, agreement=share, kappa=kappa, classes={label: (hits[label], labels[label]) for label in sorted(labels)})
