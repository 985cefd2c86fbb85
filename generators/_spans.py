"""Spans of a document: pieces that end where a paragraph, a sentence or a word does, with their places in the text."""

from __future__ import annotations

import re
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from ..core.errors import Refused

_ENDS = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？][”’」』）]*\s*"),
    re.compile(r"\s+"),
)
"""Where a text may be cut, the best places first."""
LONGEST = 1_000_000
"""Characters of a document that are looked at."""


class Span(NamedTuple):
    """A stretch of a document: `document[start:end] == text`, without blanks at its ends."""

    start: int
    end: int
    text: str

    @property
    def hash(self) -> str:
        """16 hex digits of a hash of its text."""
        return blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def pieces(text: str, *, least: int, most: int) -> list[Span]:
    """The text from start to end in spans of at most `most` characters, in order, none overlapping; shorter ones than `least` are left out.

    A cut falls in the later half of the room there is, at the end of a paragraph where one ends there, else of a line, a sentence, a word.
    """
    text, found, start = text[:LONGEST], [], 0
    while start < len(text):
        end = _cut(text, start, most)
        if (span := _trimmed(text, start, end)).end - span.start >= least:
            found.append(span)
        start = end
    return found


def chosen(text: str, rng: Random, *, count: int, least: int, most: int) -> list[Span]:
    """`count` spans (all, where there are fewer) drawn by `rng`, in the order of the text. Raises Refused(`too_short`) where there is none."""
    found = pieces(text, least=least, most=most)
    if not found:
        raise Refused("too_short", f"the document has no stretch of {least} characters; lower the least length or leave such seeds out")
    return sorted(rng.sample(found, min(count, len(found))))


def _cut(text: str, start: int, most: int) -> int:
    """Where the span that begins at `start` ends."""
    limit = start + most
    if limit >= len(text):
        return len(text)
    for pattern in _ENDS:
        ends = [match.end() for match in pattern.finditer(text, start + most // 2, limit)]
        if ends:
            return max(start + 1, ends[-1])
    return limit


def _trimmed(text: str, start: int, end: int) -> Span:
    """The span without the blanks around it."""
    inner = text[start:end]
    begin = start + len(inner) - len(inner.lstrip())
    stripped = inner.strip()
    return Span(begin, begin + len(stripped), stripped)
