"""What was found, and what detectors look around with. All patterns here take time linear in the text."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, NamedTuple

Kind = Literal["key", "url_login", "email", "iban", "card", "national_id", "ip", "mac", "phone"]
KINDS: tuple[Kind, ...] = ("key", "url_login", "email", "iban", "card", "national_id", "ip", "mac", "phone")
"""In order of precedence: where two overlap, the earlier one counts."""


class Span(NamedTuple):
    """A place in a text. It never holds the text itself."""

    kind: Kind
    start: int
    end: int
    sort: str = ""
    """What exactly: `aws`, `us_ssn`, `ipv4`."""


_DIGITS = "".join(chr(zero + n) for zero in (0xFF10, 0x0660, 0x06F0, 0x0966) for n in range(10))
_DASHES = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
_BLANKS = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u202f\u205f\u3000"
_FOLD = str.maketrans(_DIGITS + _DASHES + _BLANKS + "＠＋：．（）", "0123456789" * 4 + "-" * len(_DASHES) + " " * len(_BLANKS) + "@+:.()")
_MATHS_BEFORE = re.compile(r"[=+*/^\\{}×÷·≈≡≤≥√_$]\s?$|[<>]\s$|\d,$|[\d)]\s?-\s?$|\.$|mod\s$")
_MATHS_AFTER = re.compile(r"\s?[=+*/^\\{}×÷·≈≡≤≥_$%]|\s[<>]|\s?-\s?\d|[.,]\d")


def folded(text: str) -> str:
    """The text with digits, dashes, blanks and `@` of other alphabets as ASCII; of the same length."""
    return text if text.isascii() else text.translate(_FOLD)


def in_formula(text: str, start: int, end: int) -> bool:
    """Whether a number stands beside an operator, or is part of a longer number."""
    return bool(_MATHS_BEFORE.search(text[max(0, start - 4) : start]) or _MATHS_AFTER.match(text[end : end + 3]))


@cache
def words(*some: str) -> re.Pattern[str]:
    """A pattern that finds any of these words, whole where they are ASCII letters."""
    plain = sorted((word for word in some if word.isascii()), key=len, reverse=True)
    other = sorted((word for word in some if not word.isascii()), key=len, reverse=True)
    whole = rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, plain))})(?![a-z0-9])" if plain else ""
    return re.compile("|".join(filter(None, [whole, *map(re.escape, other)])), re.IGNORECASE)


def near(text: str, start: int, end: int, wanted: re.Pattern[str], *, before: int = 60, after: int = 25) -> bool:
    """Whether a word that `wanted` finds stands close to the place."""
    return wanted.search(text, max(0, start - before), start) is not None or wanted.search(text, end, end + after) is not None


def disjoint(spans: list[Span]) -> list[Span]:
    """The spans in the order of the text; of two that overlap, the one of higher precedence (then the longer one)."""
    if len(spans) < 2:
        return spans
    rank = {kind: at for at, kind in enumerate(KINDS)}
    kept: list[Span] = []
    order = sorted(spans, key=lambda span: (span.start, rank[span.kind], -span.end))
    for span in order:
        while (
            kept
            and span.start < kept[-1].end
            and (rank[span.kind], span.start - span.end) < (rank[kept[-1].kind], kept[-1].start - kept[-1].end)
        ):
            kept.pop()
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept
