"""Words and sentences of a text, by rules; linear in its length."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_SHOUTED = re.compile(r"\w+(?:[-'’.]\w+)*")
_STOP = re.compile(r"[.!?]+|[。！？।]+|…+")
_CLOSING = "\"'”’»)]}*_」』）】"
_LIST_MARK = re.compile(r"(?:^|\n)[ \t]*\(?(?:\d{1,3}|[A-Za-z])$")
_WHOLE = frozenset("。！？।")
_LEADING = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "mt",
        "rev",
        "gen",
        "col",
        "capt",
        "lt",
        "sgt",
        "gov",
        "sen",
        "messrs",
        "e.g",
        "i.e",
        "cf",
        "vs",
    ]
)
"""Abbreviations that something always follows: never the end of a sentence."""
_COUNTING = frozenset(["no", "nos", "fig", "figs", "vol", "vols", "p", "pp", "art", "ch", "sec", "eq"])
"""Abbreviations before a number; words of their own elsewhere."""
_CLOSING_SHORT = frozenset(
    "al etc ed eds inc ltd co corp dept jr sr a.m p.m p.s p.p.s ph.d m.d b.a m.a u.s u.k jan feb apr aug sept oct nov".split()  # noqa: SIM905
)
"""Abbreviations that may end a sentence: they do where a capital letter follows."""
_TAIL = 12
"""Characters before a full stop that an abbreviation can have."""


def words(text: str) -> int:
    r"""Runs of letters, digits and underscores, as `\w+` finds them."""
    return sum(1 for _ in _WORD.finditer(text))


def shouted(text: str) -> int:
    """Words with letters in capitals only; a hyphenated or dotted word is one (`U.S.`, `COVID-19`, `DON'T`)."""
    return sum(match.group().isupper() for match in _SHOUTED.finditer(text))


def sentences(text: str) -> list[str]:
    """The sentences; what has no mark at its end counts as one with what follows, across line breaks."""
    found, start = [], 0
    for match in _STOP.finditer(text):
        if match.start() < start:
            continue
        end = match.end()
        while end < len(text) and text[end] in _CLOSING:
            end += 1
        if not _ends(text, start, match, end):
            continue
        if piece := text[start:end].strip():
            found.append(piece)
        start = end
    if any(character.isalnum() for character in text[start:]):
        found.append(text[start:].strip())
    return [piece for piece in found if any(character.isalnum() for character in piece)]


def _ends(text: str, start: int, mark: re.Match[str], end: int) -> bool:
    """Whether the mark ends a sentence; `end` is where what closes with it (quotes, brackets) ends."""
    stop = mark.group()
    if stop[0] in _WHOLE:
        return True
    if end < len(text) and not text[end].isspace():
        return False
    following = text[end : end + 40].lstrip()[:1]
    if len(stop) > 1 and set(stop) == {"."} and (not mark.start() or text[mark.start() - 1].isspace()):
        return False  # dots that stand alone: markup, a gap
    if stop[0] == "…" or (len(stop) > 1 and set(stop) == {"."}):
        return not following or not following.islower()
    if stop != ".":
        return True
    before = text[max(start, mark.start() - _TAIL) : mark.start()]
    if _LIST_MARK.search(before) and (mark.start() - start <= _TAIL or "\n" in before):
        return False
    word = before.split()[-1].lstrip("([\"'“‘*_").lower() if before.split() else ""
    if word in _LEADING or (len(word) == 1 and word.isalpha() and word not in "ip"):
        return not following
    if word in _COUNTING:
        return not following.isdigit()
    return word not in _CLOSING_SHORT or not following or following.isupper()
