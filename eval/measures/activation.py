"""Feature activation coverage (arXiv 2602.10388): which features of an anchor set a generated set activates too.

A feature is whatever an extractor gives for a text: hashed n-grams and clusters of embeddings ship; features of a sparse
autoencoder come through an adapter of one's own (a function from texts to sets of feature numbers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from .words import ngrams, words

if TYPE_CHECKING:
    from .spread import Vectors

Extractor = Callable[[Sequence[str]], list[set[int]]]
"""Texts in, one set of active features each, in the same order."""


class Activation(NamedTuple):
    """What is covered of an anchor set's features."""

    features: int
    covered: int
    missing: list[int]
    """Features of the anchor that the set lacks, the most frequent in the anchor first."""

    @property
    def share(self) -> float | None:
        """None for an anchor without features: coverage of nothing means nothing."""
        return self.covered / self.features if self.features else None


def activation(generated: Iterable[set[int]], anchor: Iterable[set[int]], least: int = 1) -> Activation:
    """Coverage of the features that at least `least` anchor texts have; never above 1, as features of the generated set
    alone do not count."""
    wanted = Counter(feature for features in anchor for feature in features)
    frequent = {feature for feature, count in wanted.items() if count >= least}
    have = {feature for features in generated for feature in features} & frequent
    missing = sorted(frequent - have, key=lambda feature: (-wanted[feature], feature))
    return Activation(len(frequent), len(have), missing)


def hashed_ngrams(texts: Sequence[str], n: int = 2, buckets: int = 1 << 20) -> list[set[int]]:
    """The n-grams of each text, hashed the same way in every process."""
    return [
        {
            int.from_bytes(blake2b(" ".join(gram).encode("utf-8", "replace"), digest_size=8).digest()) % buckets
            for gram in ngrams(words(text), n)
        }
        for text in texts
    ]


def nearest_clusters(vectors: Vectors, centres: Vectors) -> list[set[int]]:
    """The cluster that each text is nearest to."""
    import numpy as np

    def unit(rows: Vectors) -> Vectors:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        scaled: Vectors = rows / np.where(norms > 0, norms, 1)
        return scaled

    return [{int(cluster)} for cluster in (unit(vectors) @ unit(centres).T).argmax(axis=1)]


def centres(vectors: Vectors, k: int, seed: int = 0, rounds: int = 20) -> Vectors:
    """k-means over unit vectors, by faiss (spherical); at most as many clusters as there are vectors."""
    import faiss
    import numpy as np

    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    k = max(1, min(k, len(rows)))
    kmeans = faiss.Kmeans(
        rows.shape[1], k, niter=rounds, seed=seed, spherical=True, min_points_per_centroid=1, max_points_per_centroid=10_000
    )
    kmeans.train(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
    assert kmeans.centroids is not None
    return kmeans.centroids
