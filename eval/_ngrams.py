"""Texts as sequences of hashed words, many texts at a time, and the hashes of all their n-grams (numpy).

A word is a run of letters, digits and marks after NFKC and case folding; of scripts without spaces each character is a
word. Hashes are polynomials modulo 2^64 over code points (of a word) and over mixed word hashes (of an n-gram), so that a
running sum gives the hash of any stretch. Two different stretches share a hash with a chance of 2^-64.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[Any]

OTHER, LETTER, DIGIT, ALONE = 0, 1, 2, 3
"""Kinds of character; one that stands ALONE is a word of its own."""
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0x20000, 0x3134F),
)  # fmt: skip
"""Thai, Lao, Burmese, Khmer, Kana and Han."""
_CHAR_BASE, _WORD_BASE, _NUMBER = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x5851F42D4C957F2D


class Tokens(NamedTuple):
    """The words of several texts, in one row."""

    hashes: Words
    """Of each word (uint64)."""
    starts: Words
    ends: Words
    """Where each word stands in `joined`."""
    owner: Words
    """The number of the text that each word belongs to."""
    sums: Words
    """Running sums for the hashes of stretches; one longer than `hashes`."""
    joined: str
    """The normalised texts, one after the other."""


def tokens(texts: Sequence[str], *, mask_numbers: bool = False) -> Tokens:
    """Read texts; with `mask_numbers` every number (`1,234.5`, too) is the same word."""
    import numpy as np

    parts = [normal(text) for text in texts]
    joined = "\n".join(parts)
    chars = _codes(joined)
    kinds = np.take(_kinds(), chars)
    starts, ends = _words(kinds)
    hashes = _stretches(_sums(chars, _CHAR_BASE), starts, ends, _CHAR_BASE)
    bounds = np.cumsum([len(part) + 1 for part in parts], dtype=np.int64)
    if mask_numbers and len(starts):
        hashes, starts, ends = _masked(hashes, starts, ends, kinds, bounds)
    owner = np.repeat(np.arange(len(parts)), np.diff(np.searchsorted(starts, bounds), prepend=0))
    return Tokens(hashes, starts, ends, owner, _sums(hashes, _WORD_BASE), joined)


def _codes(text: str) -> Words:
    """Its code points, a byte each where that is enough."""
    import numpy as np

    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _words(kinds: Words) -> tuple[Words, Words]:
    """Where words begin and where they end (after the last character), by the kinds of the characters."""
    import numpy as np

    edged = np.zeros(len(kinds) + 2, dtype=np.uint8)  # nothing before the first character, nothing after the last
    edged[1:-1] = kinds
    inside = edged != OTHER
    changes = inside[1:] != inside[:-1]
    alone = edged == ALONE
    if not alone.any():
        edges = np.flatnonzero(changes)
        return edges[::2], edges[1::2]
    changes |= alone[1:] | alone[:-1]
    return np.flatnonzero(changes[:-1] & inside[1:-1]), np.flatnonzero(changes[1:] & inside[1:-1]) + 1


def characters(texts: Sequence[str]) -> Tokens:
    """Texts read character by character: each one (white space run together) is a word."""
    import numpy as np

    parts = [" ".join(normal(text).split()) for text in texts]
    joined = "".join(parts)
    hashes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    starts = np.arange(len(hashes))
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return Tokens(hashes, starts, starts + 1, owner, _sums(hashes, _WORD_BASE), joined)


def normal(text: str) -> str:
    """A text as it is compared: NFKC, case folded."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def ngrams(read: Tokens, n: int) -> tuple[Words, Words]:
    """Hashes of all n-grams that lie within one text, and where (the number of the first word)."""
    import numpy as np

    count = len(read.hashes) - n + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    whole = read.owner[:count] == read.owner[n - 1 :]
    at = np.flatnonzero(whole)
    return _stretches(read.sums, at, at + n, _WORD_BASE), at


def stretches(read: Tokens, begin: Words, end: Words) -> Words:
    """The hashes of stretches of words, from `begin` to before `end`."""
    return _stretches(read.sums, begin, end, _WORD_BASE)


def _masked(hashes: Words, starts: Words, ends: Words, kinds: Words, bounds: Words) -> tuple[Words, Words, Words]:
    """All numbers as one word; the parts of a number with points and commas are one."""
    import numpy as np

    digits = np.concatenate(([0], np.cumsum(kinds == DIGIT)))
    number = digits[ends] - digits[starts] == ends - starts
    touching = np.zeros(len(starts), dtype=bool)
    touching[1:] = number[1:] & number[:-1] & (starts[1:] - ends[:-1] == 1) & ~np.isin(ends[:-1] + 1, bounds)
    hashes = np.where(number, np.uint64(_NUMBER), hashes)
    last = np.append(~touching[1:], True)
    return hashes[~touching], starts[~touching], ends[last]


def _sums(values: Words, base: int) -> Words:
    import numpy as np

    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    sums[1:] = values
    sums[1:] *= _powers(base, len(values))[0][: len(values)]
    return np.add.accumulate(sums, out=sums)


def _stretches(sums: Words, begin: Words, end: Words, base: int) -> Words:
    """Hash of each stretch, whatever its place, mixed so that all bits are good."""
    import numpy as np

    hashes = (sums[end] - sums[begin]) * _powers(base, len(sums))[1][begin] + (end - begin).astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(factor)
    return np.asarray(hashes ^ (hashes >> np.uint64(31)))


def _powers(base: int, count: int) -> tuple[Words, Words]:
    """The powers of `base` modulo 2^64 and of its inverse, at least `count` of them."""
    return _powers_of(base, max(16, (count - 1).bit_length()))


@cache
def _powers_of(base: int, bits: int) -> tuple[Words, Words]:
    import numpy as np

    def series(factor: int) -> Words:
        steps = np.full(1 << bits, factor, dtype=np.uint64)
        steps[0] = 1
        return np.multiply.accumulate(steps)

    return series(base), series(pow(base, -1, 1 << 64))


@cache
def _kinds() -> Words:
    """The kind of each code point."""
    import numpy as np

    kinds = np.zeros(0x110000, dtype=np.uint8)
    for code in range(0x32000):
        char = chr(code)
        if char.isdecimal():
            kinds[code] = DIGIT
        elif char.isalnum() or unicodedata.category(char)[0] == "M":
            kinds[code] = LETTER
    for first, last in _UNSPACED:
        block = kinds[first : last + 1]
        block[block == LETTER] = ALONE
    return kinds
