"""How far apart the texts of a set are, in the space of an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[Any]
    """One row a text."""

BLOCK = 1024
"""Rows compared with all others at a time."""


class Spread(NamedTuple):
    """Of at least two texts."""

    mean_distance: float
    """Mean cosine distance of two texts, 0 to 2."""
    effective: float
    """Texts that would spread as far if each were unlike all others (the Vendi score, arXiv 2210.02410, with cosine similarity)."""
    near_duplicates: float
    """Share of texts with another one at `threshold` or above."""


def spread(vectors: Vectors, threshold: float = 0.95) -> Spread | None:
    """None for fewer than two texts. Vectors need not be normalised; those of length 0 count as like nothing."""
    import numpy as np

    count = len(vectors)
    if count < 2:
        return None
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors, dtype=np.float64), where=norms > 0)
    total = float(np.square(unit.sum(axis=0)).sum() - np.square(unit).sum())
    values = np.linalg.eigvalsh(unit.T @ unit / count)
    shares = values[values > 1e-12]
    entropy = float(-(shares * np.log(shares)).sum())
    near = 0
    for at in range(0, count, BLOCK):
        likeness = unit[at : at + BLOCK] @ unit.T
        likeness[np.arange(len(likeness)), np.arange(at, at + len(likeness))] = -1.0
        near += int((likeness.max(axis=1) >= threshold).sum())
    return Spread(1 - total / (count * (count - 1)), float(np.exp(entropy)), near / count)
