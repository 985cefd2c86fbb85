"""Texts as sets of hashed n-grams, and MinHash signatures of the sets, many texts at a time (numpy).

A signature holds for each of bands x rows hash functions the least hash of the set; two sets agree in one of them with the
probability of their Jaccard similarity, and in a whole band of r rows with its r-th power: some of b bands agree with
1 - (1 - s^r)^b. What agrees is a candidate; the sets themselves decide.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import cache
from typing import Any, Literal, NamedTuple

from ._ngrams import characters, ngrams, normal, stretches, tokens

SCHEME = "multiply-shift-32/1"
"""Names how hashes are made; it changes whenever they do, so that a stored index of another kind is not mixed with them."""
_SLICE = 1 << 15
"""Hashes that are worked on together: what stays in the processor's cache."""
_TOGETHER = 1 << 16
"""Characters of all texts that are read together, for the same reason; a longer text is read alone."""
LONGEST = 2_000_000
"""Characters of a text that are compared; what follows is not read."""


class Scheme(NamedTuple):
    """Everything that signatures depend on."""

    unit: Literal["words", "chars"]
    n: int
    bands: int
    rows: int
    mask_numbers: bool
    seed: int = 1

    def told(self) -> dict[str, Any]:
        return {"scheme": SCHEME, **self._asdict()}


class Sketch(NamedTuple):
    """A text as it is compared."""

    shingles: Any
    """Hashes of its n-grams, 32 bits each, in any order, some twice; of a shorter text one hash of the whole. Empty: nothing to compare."""
    bands: Any
    """One 64-bit key a band."""

    def grams(self) -> frozenset[int]:
        """The set that is compared."""
        return frozenset(self.shingles.tolist())


def sketches(texts: Sequence[str], scheme: Scheme) -> list[Sketch]:
    """One sketch a text."""
    import numpy as np

    parts: list[Any] = []
    start = size = 0
    for at, text in enumerate(texts):
        if size and size + len(text) > _TOGETHER:
            parts.append(_numbered(texts[start:at], start, scheme))
            start, size = at, 0
        size += len(text)
    if texts:
        parts.append(_numbered(texts[start:], start, scheme))
    keys = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
    owner, shingles = (keys >> np.uint64(32)).astype(np.int64), keys.astype(np.uint32)
    starts = np.flatnonzero(_changes(owner))
    some = owner[starts]
    bands = np.zeros((len(texts), scheme.bands), dtype=np.uint64)
    bands[some] = _bands(_signatures(shingles, starts, scheme), scheme)
    ends = [*starts[1:].tolist(), len(shingles)]
    sets = {at: shingles[begin:end] for at, begin, end in zip(some.tolist(), starts.tolist(), ends, strict=False)}
    empty = np.empty(0, dtype=np.uint32)
    return [Sketch(sets.get(at, empty), row) for at, row in enumerate(bands)]


def _numbered(texts: Sequence[str], first: int, scheme: Scheme) -> Any:
    """Number of the text (upper 32 bits, counted from `first`) and hash of an n-gram (lower 32), by text."""
    import numpy as np

    return _grams([text[:LONGEST] for text in texts], scheme) + (np.uint64(first) << np.uint64(32))


def _changes(column: Any) -> Any:
    """Where a column has another value than before."""
    import numpy as np

    new = np.ones(len(column), dtype=bool)
    np.not_equal(column[1:], column[:-1], out=new[1:])
    return new


def jaccard(one: Set[int], other: Set[int]) -> float:
    """Of two sets of shingles: common ones by all there are."""
    both = len(one & other)
    return both / max(1, len(one) + len(other) - both)


def chance(similarity: float, bands: int, rows: int) -> float:
    """How probably two sets of that similarity become candidates."""
    return float(1 - (1 - similarity**rows) ** bands)


def _grams(texts: Sequence[str], scheme: Scheme) -> Any:
    """Number of the text (upper 32 bits) and hash of an n-gram (lower 32), for every n-gram there is, by text."""
    import numpy as np

    read = tokens(texts, mask_numbers=scheme.mask_numbers) if scheme.unit == "words" else characters(texts)
    hashes, at = ngrams(read, scheme.n)
    owner = read.owner[at].astype(np.uint64)
    counts = np.bincount(read.owner.astype(np.int64), minlength=len(texts))
    short = np.flatnonzero((counts > 0) & (counts < scheme.n))
    ends = np.cumsum(counts)
    keys = (owner << np.uint64(32)) | (hashes >> np.uint64(32))
    bare = [(number, _plain_hash(texts[number])) for number in np.flatnonzero(counts == 0).tolist() if texts[number].strip()]
    if not len(short) and not bare:
        return keys
    whole = stretches(read, (ends - counts)[short], ends[short])
    rest = np.array(bare, dtype=np.uint64).reshape(-1, 2)
    keys = np.concatenate([
        keys,
        (short.astype(np.uint64) << np.uint64(32)) | (whole >> np.uint64(32)),
        (rest[:, 0] << np.uint64(32)) | rest[:, 1],
    ])  # fmt: skip
    return keys[np.argsort(keys >> np.uint64(32), kind="stable")]


def _plain_hash(text: str) -> int:
    """Of a text without a word (signs, emoji)."""
    from hashlib import blake2b

    body = "".join(normal(text).split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(body, digest_size=4).digest(), "big")


def _signatures(shingles: Any, starts: Any, scheme: Scheme) -> Any:
    """The least hash of each set under each function: sets x (bands x rows)."""
    import numpy as np

    factors, offsets = _functions(scheme.bands * scheme.rows, scheme.seed)
    out = np.full((len(factors), len(starts)), 0xFFFFFFFF, dtype=np.uint32)
    for begin in range(0, len(shingles), _SLICE):
        part = shingles[begin : begin + _SLICE]
        first = max(0, int(np.searchsorted(starts, begin, side="right")) - 1)
        last = int(np.searchsorted(starts, begin + len(part), side="left"))
        cuts = np.maximum(starts[first:last] - begin, 0)
        work, least = np.empty(len(part), dtype=np.uint32), np.empty(last - first, dtype=np.uint32)
        for number in range(len(factors)):
            np.multiply(part, factors[number], out=work)
            np.add(work, offsets[number], out=work)
            np.minimum.reduceat(work, cuts, out=least)
            np.minimum(out[number, first:last], least, out=out[number, first:last])
    return out.T


def _bands(signatures: Any, scheme: Scheme) -> Any:
    """One key a band: a hash of the tuple of its rows (not of their sum, which forgets the order) and of its number."""
    import numpy as np

    rows = signatures.reshape(-1, scheme.bands, scheme.rows).astype(np.uint64)
    keys = np.broadcast_to(np.arange(1, scheme.bands + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15), rows.shape[:2]).copy()
    for row in range(scheme.rows):
        keys ^= rows[:, :, row]
        keys *= np.uint64(0xBF58476D1CE4E5B9)
        keys ^= keys >> np.uint64(29)
    keys[keys == 0] = 1
    return keys


@cache
def _functions(count: int, seed: int) -> tuple[Any, Any]:
    """Factors (odd, so that a function is a permutation of 32-bit numbers) and offsets."""
    import numpy as np

    draw = np.random.Generator(np.random.PCG64(seed))
    factors = draw.integers(0, 1 << 32, count, dtype=np.uint32) | np.uint32(1)
    return factors, draw.integers(0, 1 << 32, count, dtype=np.uint32)
