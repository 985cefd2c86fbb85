"""The numbers of a question: where they stand, and which of them can be asked for."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
NUMBER = re.compile(_DIGITS)
_TOKEN = re.compile(rf"(?<![^\W\u3040-\u9fff])(?<![.:/,\-−–^\\{{])(?P<number>{_DIGITS})(?=(?P<behind>\S{{0,2}}))")
_LISTED = re.compile(r"^\s*\(?\d{1,2}[.)]\s", re.MULTILINE)
_CARDINALS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_FURTHER = "one|once|twice|thrice|double|triple|half|halves|quarters?|thirds?|dozens?|hundreds?|thousands?|millions?|billions?"
WORDED = re.compile(rf"(?<![\w-])(?:{'|'.join(_CARDINALS)})(?![\w-])", re.IGNORECASE)
_ORDINALS = "fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth"
NUMERAL = re.compile(
    rf"(?:{'|'.join(_CARDINALS)}|{_FURTHER}|first|second|(?:{_ORDINALS})s?|none|zero|[a-z]+(?:teen|teenth|ti(?:eth)|ty-[a-z]+))",
    re.IGNORECASE,
)
"""Words that say a number, an ordinal or a share: nothing may be changed in them."""
_BEHIND_WORD = re.compile(rf"\s*(?:(?:and an?\s+)?(?:{'|'.join(_CARDINALS)}|{_FURTHER})\b|\d+\s*/)", re.IGNORECASE)
SYMBOLS = "xynkmpqz"


class Place(NamedTuple):
    """A number in a text."""

    start: int
    end: int
    value: str
    """In digits, without separators."""


def values(text: str) -> Counter[str]:
    """How often each number stands in the text, written in digits."""
    return Counter(_plain(found) for found in NUMBER.findall(text))


def maskable(text: str) -> list[Place]:
    """Numbers that can be asked for: alone (no `3x`, `5kg`, `7:30`, `1/2`, `2nd`, `twenty-one`), and said once in the text.

    Shares and ordinals in words (`half`, `second`) and the numbers of a list are left alone, and so is a number that is said twice:
    the other place would give it away.
    """
    listed = {match.end() for match in _LISTED.finditer(text)}
    found = [
        Place(match.start("number"), match.end("number"), _plain(match["number"]))
        for match in _TOKEN.finditer(text)
        if _alone(match["behind"]) and not any(match.start() < end <= match.end("number") + 3 for end in listed)
    ]
    found += [Place(match.start(), match.end(), str(_CARDINALS[match[0].casefold()])) for match in WORDED.finditer(text)]
    said = values(text) + Counter(str(_CARDINALS[word.casefold()]) for word in WORDED.findall(text))
    once = [place for place in found if said[place.value] == 1 and not _BEHIND_WORD.match(text[place.end :])]
    return sorted(once)


def masked(text: str, place: Place, symbol: str) -> str:
    return text[: place.start] + symbol + text[place.end :]


def free_symbol(text: str) -> str | None:
    """A letter that does not occur in the text on its own or beside a digit (as in `3x`); None: all do."""
    return next((one for one in SYMBOLS if not stands(one, text)), None)


def stands(symbol: str, text: str) -> bool:
    """Whether the letter stands in the text as a symbol: with no other Latin letter beside it."""
    return bool(re.search(rf"(?<![A-Za-z]){symbol}(?![A-Za-z])", text, re.IGNORECASE))


def says(text: str, answer: str) -> bool:
    """Whether the text says this answer, as a number of its own or word for word."""
    number = NUMBER.fullmatch(answer.strip())
    if number:
        return _plain(number[0]) in values(text)
    return bool(re.search(rf"(?<!\w){re.escape(answer.strip())}(?!\w)", text, re.IGNORECASE))


def _alone(behind: str) -> bool:
    """Whether what follows the number is no part of it: a unit, a fraction, an exponent, a range or the rest of a time or date."""
    if not behind:
        return True
    if re.match(r"[A-Za-z]|[:/^*\-−–]\S|[.,]\d", behind):
        return False
    return not re.match(r"[_\\}]|st|nd|rd|th", behind)


def _plain(number: str) -> str:
    text = number.replace(",", "")
    return (text.rstrip("0").rstrip(".") if "." in text else text).lstrip("0") or "0"
