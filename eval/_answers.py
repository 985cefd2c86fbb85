r"""A final answer, read: its number where it is one, its unit, and when two answers are plainly the same or not."""

from __future__ import annotations

import re
from fractions import Fraction
from string import ascii_lowercase
from typing import NamedTuple

_FORMAT = re.compile(r"(?<!\\)\\(?:(?:left|right|displaystyle|limits|quad|qquad)(?![A-Za-z])|[,;:! ()\[\]])|~")
_TEXT = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}")
_DEGREES = re.compile(r"\^\s*\{?\s*(?:\\circ|°)\s*\}?|\\degree|°")
_SYMBOL = re.compile(
    r"(?:\x01[^\x01\x02=]*\x02|[A-Za-z]|\\(?!frac|sqrt)[A-Za-z]+|[A-Za-z]{3,}(?: [A-Za-z]+){0,3})(?:_\{?\w+\}?)?(?:\([A-Za-z]\))?\s*=(?!=)\s*"
)
_EQUATION = re.compile(r"(?<![<>!:=\\])=(?!=)")
_FUNCTIONS = re.compile(r"and|or|(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|log|exp|sqrt|max|min|gcd|lcm|mod|deg|det|inf")
_MAGNITUDES = {"dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ABBREVIATED = {
    "h": "hour", "hr": "hour", "sec": "second", "s": "second", "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "ml": "milliliter", "l": "liter", "in": "inch", "ft": "foot", "feet": "foot",
    "yd": "yard", "mi": "mile", "lb": "pound", "oz": "ounce", "mph": "mile per hour",
}  # fmt: skip
_SHORT_UNITS = r"mm|cm|dm|km|mi|ft|in|yd|mg|kg|lb|oz|ml|mL|cl|dl|hr|hrs|sec|min|mph|Hz"
_UNIT = re.compile(
    rf"(?P<body>.*[\d}})])(?:\s*\x01(?P<text>[^\x01\d]*(?:\^?\{{?[23]\}}?)?)\x02(?P<power>\s*\^\s*\{{?[23]\}}?)?"
    rf"|\s*(?P<short>(?:{_SHORT_UNITS})(?:\^?\{{?[23]\}}?)?(?:/[A-Za-z]+)?)"
    r"|\s+(?P<words>[A-Za-z]{3,}(?:[ /\-.·]+[A-Za-z]+)*(?:\^?\{?[23]\}?)?))",
    re.DOTALL,
)
_SEVERAL = re.compile(r"\b(?:or|and)\b|\\pm|\\mp|±|\\lor\b|\\vee\b", re.IGNORECASE)
_UNEVALUATED = re.compile(r"\\(?:int|sum|prod|lim)(?![A-Za-z])")
_TERM = r"[.,()\s]*\d[\d.,()\s]*"
_SUM = re.compile(rf"{_TERM}(?:(?:[+\-*]|\\times(?!\s*10\s*\^)|\\cdot(?!\s*10\s*\^)){_TERM})+")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_POWER = r"(?:[eE](?P<e>[+-]?\d{1,3})|\\(?:times|cdot)10\^\{?(?P<ten>[+-]?\d{1,3})\}?)"
_NUMBER = re.compile(rf"(?P<sign>[+-]?)(?P<whole>{_DIGITS})(?:/(?P<below>\d+)|{_POWER})?")
_FRACTION = re.compile(
    rf"(?P<sign>[+-]?)(?P<whole>\d+)?\\frac(?:\{{(?P<minus>-?)(?P<top>{_DIGITS})\}}|(?P<top1>\d))(?:\{{(?P<below>{_DIGITS})\}}|(?P<below1>\d))"
)
_MIXED = re.compile(r"([+-]?)(\d+) +(\d+)/(\d+)")


class Answer(NamedTuple):
    """An answer as it was written, taken apart."""

    raw: str
    """As written, without delimiters and without a lone symbol before `=`."""
    text: str
    """Normalised for comparison: no spaces, no formatting commands; letters folded where it is words."""
    value: Fraction | None
    """The number, where it plainly is one (its unit left out)."""
    unit: str
    percent: bool
    exact: bool
    """Whether the number was written without a decimal point."""
    math: str
    """LaTeX for a computer algebra system: without unit and text."""
    worded: bool
    """Whether plain words remain that are no function names: a text, not a formula."""


def read(written: str, *, letters: bool = False) -> Answer:
    """Take an answer apart; never raises. With `letters`, `7 m` is seven metres (in a reference it may be a product)."""
    tidy = _tidied(written)
    if (lone := _SYMBOL.match(tidy)) and not _EQUATION.search(tidy, lone.end()):
        tidy = tidy[lone.end() :]
    body, currency = _without_currency(tidy)
    body, percent = _without_percent(body)
    body, unit = _without_unit(body, letters)
    first, _, rest = unit.partition(" ")
    value = _number(body)
    if value is not None and first in _MAGNITUDES:
        value, unit = value * _MAGNITUDES[first], rest
    shown = re.sub(r"[\x01\x02]", "", tidy).strip()
    worded = _is_worded(shown if value is None and not unit else body)
    text = re.sub(r"[\s$]", "", shown).rstrip(".")
    text = re.sub(r"^\(([A-Za-z])\)$", r"\1", text)
    math = re.sub(r"\x01(?!\s*(?:and|or)\s*\x02)[^\x01\x02]*\x02", "", body).strip() if value is None else body
    return Answer(
        raw=shown,
        text=text.casefold() if worded else text,
        value=value,
        unit=unit or currency,
        percent=percent,
        exact="." not in body,
        math=math,
        worded=worded,
    )


def same_number(one: Answer, other: Answer) -> bool:
    """Whether two numbers are equal: whole numbers and fractions exactly, decimals within their sixth digit."""
    if one.value is None or other.value is None or not _same_unit(one.unit, other.unit):
        return False
    if one.value == other.value:
        return True
    gap = abs(one.value - other.value)
    small = gap <= Fraction(5, 10**7) and gap <= max(abs(one.value), abs(other.value)) / 10**6
    return small and not (one.exact and other.exact)


def agree(one: Answer, other: Answer) -> bool:
    """Whether two answers are plainly the same."""
    return (bool(one.text) and one.text == other.text) or (one.percent == other.percent and same_number(one, other))


def objection(got: Answer, gold: Answer) -> str:
    """Why `got` can plainly not be `gold` (a reason that starts with a stable word), or `""` where algebra must decide."""
    wrong = f"wrong_answer: got {got.raw}, expected {gold.raw}"
    if _SEVERAL.search(got.raw) and not _SEVERAL.search(gold.raw) and "," not in gold.raw:
        return f"several_answers: {got.raw}"
    if _EQUATION.search(got.raw) and not _EQUATION.search(gold.raw):
        return f"free_equation: {got.raw} is an equation, expected {gold.raw}"
    if got.percent != gold.percent or (got.value is not None and gold.value is not None):
        return wrong
    if got.math.startswith("\\{") and not gold.math.startswith("\\{"):
        return wrong
    if _UNEVALUATED.search(got.math) and not _UNEVALUATED.search(gold.math):
        return f"unevaluated: {got.raw}, expected {gold.raw}"
    if gold.value is not None and _SUM.fullmatch(got.math):
        return f"unevaluated: {got.raw}, expected {gold.raw}"
    if (got.worded or gold.worded) and not (_SEVERAL.search(got.raw) and _SEVERAL.search(gold.raw)):
        return wrong
    return "" if _same_unit(got.unit, gold.unit) else wrong


def algebra(answer: Answer) -> str:
    """The LaTeX to give to a computer algebra system: `1 and 2` as the list `1,2`."""
    return re.sub(r"\s*,?\s*\b(?:and|or)\b\s*", ",", re.sub(r"\\?\$|[\x01\x02]", " ", answer.math))


def _is_worded(text: str) -> bool:
    """Words rather than products of symbols: `xy`, `abc` and function names are formulas, `no` and `Monday` are words."""
    if re.fullmatch(r"[A-Za-z ]{2,}", text) and re.search(r"[aeiouAEIOU]", text):
        return True
    words = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{3,}", re.sub(r"\\(?:begin|end)\s*\{\w+\*?\}", "", text))
    return any(not _FUNCTIONS.fullmatch(word) and word.lower() not in ascii_lowercase for word in words)


def _tidied(written: str) -> str:
    text = written.strip().replace("−", "-").replace("–", "-").replace("\\%", "%").replace("{,}", ",").rstrip(". ")
    text = re.sub(r"\\[dt]frac(?![A-Za-z])", r"\\frac", text)
    text = re.sub(r"\\(?:,|!)(?=\d{3})", "", text)
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing):
            text = text[len(opening) : -len(closing)]
            break
    text = _FORMAT.sub(" ", _TEXT.sub("\x01\\1\x02", text))
    return _DEGREES.sub(" \x01degrees\x02", text).strip().rstrip(".").strip()


def _without_currency(text: str) -> tuple[str, str]:
    for sign, name in (("\\$", "dollar"), ("$", "dollar"), ("€", "euro"), ("£", "pound"), ("¥", "yen")):
        bare = text.removeprefix("-").lstrip()
        if bare.startswith(sign):
            return ("-" if text.startswith("-") else "") + bare.removeprefix(sign).lstrip(), name
    return text, ""


def _without_percent(text: str) -> tuple[str, bool]:
    bare = re.sub(r"\s*(?:%|\x01\s*(?:%|percent)\s*\x02|\bpercent)\s*$", "", text)
    return bare, bare != text


def _without_unit(text: str, letters: bool) -> tuple[str, str]:
    """The text without a trailing unit, and the unit: lower case, singular."""
    if letters and (letter := re.fullmatch(r"(.*\d)\s+([mgshLl])", text)):
        return letter[1], letter[2].lower()
    match = _UNIT.fullmatch(text)
    if match is None:
        return text, ""
    unit = next(match[name] for name in ("text", "short", "words") if match[name] is not None)
    words = re.sub(r"(met|lit)re", r"\1er", unit.lower()).replace("\\", " ").split()
    if set(words) & {"or", "and", "more", "less", "least", "most", "plus", "minus", "times"} or not words:
        return text, ""
    return match["body"].strip(), " ".join(word.rstrip("s.") or word for word in words) + re.sub(r"[\s^{}]", "", match["power"] or "")


def _same_unit(one: str, other: str) -> bool:
    """Equal, one of them absent, or one the beginning or end of the other (`min` of `minute`, `apple` of `red apple`)."""
    short, long = sorted((_ABBREVIATED.get(one, one), _ABBREVIATED.get(other, other)), key=len)
    return not short or short == long or (len(short) > 2 and (long.startswith(short) or long.endswith(" " + short)))


def _number(body: str) -> Fraction | None:
    if mixed := _MIXED.fullmatch(body.strip()):
        sign, whole, top, below = mixed.groups()
        return _ratio(sign, Fraction(int(whole)), top, below)
    text = re.sub(r"\s", "", body)
    text = text[1:-1] if re.fullmatch(r"\{[^{}]*\}", text) else text
    if match := _FRACTION.fullmatch(text):
        return _ratio(
            match["sign"] + match["minus"] if match["minus"] else match["sign"],
            Fraction(int(match["whole"] or 0)),
            match["top"] or match["top1"],
            match["below"] or match["below1"],
        )
    if (match := _NUMBER.fullmatch(text)) is None:
        return None
    if match["below"]:
        return _ratio(match["sign"], Fraction(0), match["whole"], match["below"])
    value = Fraction(_plain(match["whole"])) * Fraction(10) ** int(match["e"] or match["ten"] or 0)
    return -value if match["sign"] == "-" else value


def _ratio(sign: str, whole: Fraction, top: str, below: str) -> Fraction | None:
    under = Fraction(_plain(below))
    if not under:
        return None
    value = whole + Fraction(_plain(top)) / under
    return -value if sign.count("-") == 1 else value


def _plain(digits: str) -> str:
    return digits.replace(",", "").rstrip(".") or "0"
