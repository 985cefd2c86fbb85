"""Plain readings of answers that are no formulas: dates and times of day, ratios, numbers in words."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_YEAR = r"(?P<year>\d{4})"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = [
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"{_MONTH}\.?\s+{_DAY},?\s+{_YEAR}",
        rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}\.?,?\s+{_YEAR}",
        rf"{_YEAR}-(?P<number>\d{{1,2}})-{_DAY}",
    )
]
_TIME = re.compile(r"(\d{1,2})(?::([0-5]\d))?(?::([0-5]\d))?\s*(?:(a|p)\.?\s*m\.?)?", re.IGNORECASE | re.ASCII)
_RATIO = re.compile(r"\d{1,30}(?:\.\d{1,30})?(?:\s*(?::|\\colon|\bto\b)\s*\d{1,30}(?:\.\d{1,30})?)+", re.ASCII)
_BETWEEN = re.compile(r"\s*(?::|\\colon|\bto\b)\s*")
_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SPELLED = re.compile(
    rf"(?:(?P<tens>{'|'.join(_TENS)})(?:[- ](?P<ones>{'|'.join(_UNITS[1:10])}))?|(?P<small>{'|'.join(_UNITS)}))(?![A-Za-z-])", re.IGNORECASE
)


def moment(text: str) -> str:
    """`2024-03-05` of a date with a year, `15:30:00` of a time of day; "" where the text is neither."""
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            told = match.groupdict()
            month = int(told["number"]) if told.get("number") else _MONTHS.index(told["month"][:3].lower()) + 1
            try:
                return date(int(told["year"]), month, int(told["day"])).isoformat()
            except ValueError:
                return ""
    if (match := _TIME.fullmatch(text)) is None or not (match[2] or match[4]):
        return ""
    hour, half = int(match[1]), (match[4] or "").lower()
    if hour > 23 or (half and not 1 <= hour <= 12):
        return ""
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    return f"{hour:02d}:{match[2] or '00'}:{match[3] or '00'}"


def has_half(text: str) -> bool:
    """Whether a time of day says which half of the day it is in."""
    return (match := _TIME.fullmatch(text)) is not None and match[4] is not None


def ratio(text: str) -> tuple[Fraction, ...]:
    """`3:4`, `3 to 4`, `1:2:3`; empty where the text is none."""
    return tuple(Fraction(part) for part in _BETWEEN.split(text)) if _RATIO.fullmatch(text) else ()


def proportional(one: tuple[Fraction, ...], other: tuple[Fraction, ...]) -> bool:
    """Whether two ratios are the same."""
    return len(one) == len(other) and all(a * other[0] == b * one[0] for a, b in zip(one, other, strict=True)) and any(one) == any(other)


def with_digits(text: str) -> str:
    """`7 apples` of `seven apples`, `21` of `twenty-one`: a whole number below a hundred at the beginning."""
    if not (match := _SPELLED.match(text)):
        return text
    tens, ones = match["tens"], match["ones"] or match["small"]
    number = (10 * (_TENS.index(tens.lower()) + 2) if tens else 0) + (_UNITS.index(ones.lower()) if ones else 0)
    return f"{number}{text[match.end() :]}"
