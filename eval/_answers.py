r"""A final answer, read: its number where it is one, its unit, and when two answers are plainly the same or not."""

from __future__ import annotations

import re
from fractions import Fraction
from string import ascii_lowercase
from typing import NamedTuple

from ._readings import has_half, moment, proportional, ratio, with_digits
from ._spelling import latex

_FORMAT = re.compile(r"(?<!\\)\\(?:(?:left|right|displaystyle|limits|quad|qquad)(?![A-Za-z])|[,;:! ()\[\]])|~")
_TEXT = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}")
_DEGREES = re.compile(r"\^\s*\{?\s*(?:\\circ|°)\s*\}?|\\degree|°")
_SYMBOL = re.compile(
    r"(?:\x01[^\x01\x02=]*\x02|[A-Za-z]|\\(?!frac|sqrt)[A-Za-z]+|[A-Za-z]{3,}(?: [A-Za-z]+){0,3})(?:_\{?\w+\}?)?(?:\([A-Za-z]\))?\s*=(?!=)\s*"
)
_EQUATION = re.compile(r"(?<![<>!:=\\])=(?!=)")
_TUPLE = re.compile(r"\(\s*[A-Za-z](?:\s*,\s*[A-Za-z]){1,5}\s*\)\s*=(?!=)\s*")
_BEHIND = re.compile(r"(?<=[\w})\]])\s*(?<![<>!:=\\])=\s*[A-Za-z]\s*$")
_EACH = re.compile(r"(?:(?<=^)|(?<=[,;\x01\x02 ]))([A-Za-z])(_\{?\w{1,3}\}?)?\s*=(?!=)\s*")
_FUNCTIONS = re.compile(r"and|or|(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|log|exp|sqrt|max|min|gcd|lcm|mod|deg|det|inf")
_MAGNITUDES = {"dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ABBREVIATED = {
    "h": "hour", "hr": "hour", "sec": "second", "s": "second", "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "ml": "milliliter", "l": "liter", "in": "inch", "ft": "foot", "feet": "foot",
    "yd": "yard", "mi": "mile", "lb": "pound", "oz": "ounce", "mph": "mile per hour",
}  # fmt: skip
_SHORT_UNITS = r"m(?=/)|mm|cm|dm|km|mi|ft|in|yd|mg|kg|lb|oz|ml|mL|cl|dl|hr|hrs|sec|min|mph|Hz"
_UNIT = re.compile(
    rf"(?P<body>.*[\d}})])(?:\s*\x01(?P<text>[^\x01\d]*(?:\^?\{{?[23]\}}?)?)\x02(?P<power>\s*\^\s*\{{?[23]\}}?)?"
    rf"|\s*(?P<short>(?:{_SHORT_UNITS})(?:\^?\{{?[23]\}}?)?(?:/[A-Za-z]+)?)"
    r"|\s+(?P<words>(?:(?:sq|cu)\.?\s+[A-Za-z]+|[A-Za-z]{3,})(?:[ /\-.·]+[A-Za-z]+)*(?:\^?\{?[23]\}?)?))",
    re.DOTALL,
)
_SEVERAL = re.compile(r"\b(?:or|and)\b|\\pm|\\mp|±|\\lor\b|\\vee\b", re.IGNORECASE)
_UNEVALUATED = re.compile(r"\\(?:int|sum|prod|lim)(?![A-Za-z])")
_TERM = r"[.,()\s]*\d[\d.,()\s]*"
_SUM = re.compile(rf"{_TERM}(?:(?:[+\-*/]|\\div|\\times(?!\s*10\s*\^)|\\cdot(?!\s*10\s*\^)){_TERM})+")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_POWER = r"(?:[eE](?P<e>[+-]?\d{1,3})|\\(?:times|cdot)10\^\{?(?P<ten>[+-]?\d{1,3})\}?)"
_NUMBER = re.compile(rf"(?P<sign>[+-]?)(?P<whole>{_DIGITS})(?:/(?P<below>\d+)|{_POWER})?")
_FRACTION = re.compile(
    rf"(?P<sign>[+-]?)(?P<whole>\d+)?\\frac(?:\{{(?P<minus>-?)(?P<top>{_DIGITS})\}}|(?P<top1>\d))(?:\{{(?P<below>{_DIGITS})\}}|(?P<below1>\d))"
)
_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:\s\d{3})+(?!\d|\s*/)")
_GAP = re.compile(r"(?<=\d)\s(?=\d)")
_BARE = re.compile(r"(\\(?:frac|binom))\s*(\d)\s*(\d)")
_SET = re.compile(r"\\\{[^()\[\]]*\\\}")
_SPAN = re.compile(r"[(\[][^()\[\]]*,[^()\[\]]*[)\]]")
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
    moment: str = ""
    """The date or the time of day, where it is one."""
    ratio: tuple[Fraction, ...] = ()


def read(written: str, *, letters: bool = False) -> Answer:
    """Take an answer apart; never raises. With `letters`, `7 m` is seven metres (in a reference it may be a product)."""
    tidy = _without_symbol(_tidied(written))
    body, currency = _without_currency(_spelled_out(tidy))
    body, percent = _without_percent(body)
    body, unit = _without_unit(body, letters)
    first, _, rest = unit.partition(" ")
    value = _number(body)
    if value is not None and first in _MAGNITUDES:
        value, unit = value * _MAGNITUDES[first], rest
    shown = re.sub(r"[\x01\x02]", "", tidy).strip()
    worded = _is_worded(shown if value is None and not unit else body)
    text = _closed(shown.replace("$", " ")).rstrip(".")
    text = re.sub(r"^\(([A-Za-z])\)$", r"\1", text)
    math = re.sub(r"\x01(?!\s*(?:and|or)\s*\x02)[^\x01\x02]*\x02", "", body).strip() if value is None else _closed(body)
    return Answer(
        raw=shown,
        text=text.casefold() if worded else text,
        value=value,
        unit=unit or currency,
        percent=percent,
        exact="." not in body,
        math=math,
        worded=worded,
        moment=moment(shown) if value is None or ":" in shown or "-" in shown else "",
        ratio=ratio(shown),
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
    if one.text and one.text == other.text:
        return True
    if (one.moment and other.moment) or (one.ratio and other.ratio):
        return _same_moment(one, other)
    if one.percent != other.percent:
        return _same_share(one, other)
    return same_number(one, other)


def _same_moment(one: Answer, other: Answer) -> bool:
    """Two times are the same moment, unless neither says which half of the day it means: then they may be ratios."""
    if one.moment and other.moment and (not one.ratio or not other.ratio or one.moment == other.moment):
        return one.moment == other.moment
    return bool(one.ratio and other.ratio) and not (one.moment and other.moment) and proportional(one.ratio, other.ratio)


def _same_share(one: Answer, other: Answer) -> bool:
    """`7%` is `0.07` (and not `7`), exactly."""
    percent, plain = (one, other) if one.percent else (other, one)
    return percent.value is not None and plain.value == percent.value / 100 and not plain.unit


def objection(got: Answer, gold: Answer) -> str:
    """Why `got` can plainly not be `gold` (a reason that starts with a stable word), or `""` where algebra must decide."""
    wrong = f"wrong_answer: got {got.raw}, expected {gold.raw}"
    if _SEVERAL.search(got.raw) and not _SEVERAL.search(gold.raw) and "," not in gold.raw:
        return f"several_answers: {got.raw}"
    if _EQUATION.search(got.raw) and not _EQUATION.search(gold.raw):
        return f"free_equation: {got.raw} is an equation, expected {gold.raw}"
    if (got.moment and gold.moment) or (got.ratio and gold.ratio) or bool(has_half(got.raw)) != bool(has_half(gold.raw)):
        return wrong
    if got.percent != gold.percent or (got.value is not None and gold.value is not None):
        return wrong
    if (got.math.startswith("\\{") and not gold.math.startswith("\\{")) or (_SPAN.fullmatch(got.math) and _SET.fullmatch(gold.math)):
        return wrong  # a set is neither a pair nor an interval
    if _UNEVALUATED.search(got.math) and not _UNEVALUATED.search(gold.math):
        return f"unevaluated: {got.raw}, expected {gold.raw}"
    if gold.value is not None and _SUM.fullmatch(got.math):
        return f"unevaluated: {got.raw}, expected {gold.raw}"
    if got.value is None and _GAP.search(got.text) and not _GAP.search(gold.text):
        return wrong
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
    text = latex(written.strip()).replace("\\%", "%").replace("{,}", ",").rstrip(". ")
    text = _BARE.sub(r"\1{\2}{\3}", re.sub(r"\\[dt]frac(?![A-Za-z])", r"\\frac", text))
    text = re.sub(r"\\(?:,|!)(?=\d{3})", "", text)
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing):
            text = text[len(opening) : -len(closing)]
            break
    text = _FORMAT.sub(" ", _TEXT.sub("\x01\\1\x02", text))
    return _DEGREES.sub(" \x01degrees\x02", text).strip().rstrip(".").strip()


def _closed(text: str) -> str:
    """Without blanks, but for one between two numbers: `1 234` is `1234`, but `7 8` is not `78`."""
    text = _GROUPS.sub(lambda number: re.sub(r"\s", "", number[0]), " ".join(text.split()))
    return "".join(text.split()) if _GAP.search(text) is None else re.sub(r"(?<!\d)\s|\s(?!\d)", "", text)


def _spelled_out(text: str) -> str:
    """`7 apples` of `seven apples`, whatever of it is in a `\\text`."""
    plain = re.sub(r"[\x01\x02]", "", text)
    digits = with_digits(plain)
    return text if digits == plain else digits


def _without_symbol(text: str) -> str:
    """The right side of `x = 7`, `(x, y) = (1, 2)`, `7 = x`; `1, 2` of `x = 1 or x = 2` and of `x_1 = 1, x_2 = 2`."""
    text = re.sub(r"^(?:=|\\approx(?![A-Za-z]))\s*", "", text)
    if (lone := _SYMBOL.match(text)) and not _EQUATION.search(text, lone.end()):
        return text[lone.end() :]
    if (
        (tupled := _TUPLE.match(text))
        and (letters := re.findall("[A-Za-z]", tupled[0])) == sorted(letters)
        and not _EQUATION.search(text, tupled.end())
    ):
        return text[tupled.end() :]
    if (behind := _BEHIND.search(text)) and len(_EQUATION.findall(text)) == 1:
        return text[: behind.start()]
    letters = [letter for letter, _ in _EACH.findall(text)]
    if len(letters) > 1 and len(set(letters)) == 1 and len(letters) == len(_EQUATION.findall(text)):
        return _EACH.sub("", text)
    return text


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
    unit = re.sub(r"(met|lit)re", r"\1er", unit.lower()).replace("\\", " ").replace("/", " per ")
    words = re.sub(
        r"^\s*(?:sq(?:uare|\.)?|(cu)(?:bic|\.)?)\s+([a-z]+)", lambda m: f"{m[2].rstrip('s') or m[2]}{'3' if m[1] else '2'}", unit
    ).split()
    if set(words) & {"or", "and", "more", "less", "least", "most", "plus", "minus", "times"} or not words:
        return text, ""
    power = re.sub(r"[\s^{}]", "", match["power"] or "")
    return match["body"].strip(), " ".join(_singular(re.sub(r"[\^{}]", "", word)) for word in words) + power


def _singular(word: str) -> str:
    """`meter` of `m` and `meters`, `meter2` of `m2`."""
    bare, power = (word[:-1], word[-1]) if word[-1:] in ("2", "3") else (word, "")
    bare = bare.rstrip("s.") or bare
    return _ABBREVIATED.get(bare, bare) + power


def _same_unit(one: str, other: str) -> bool:
    """Equal, one of them absent, or one the beginning or end of the other (`min` of `minute`, `apple` of `red apple`)."""
    short, long = sorted((one, other), key=len)
    if short[-1:] != long[-1:] and long[-1:] in ("2", "3") and short:
        return False
    return not short or short == long or (len(short) > 2 and (long.startswith(short) or long.endswith(" " + short)))


def _number(body: str) -> Fraction | None:
    if mixed := _MIXED.fullmatch(body.strip()):
        sign, whole, top, below = mixed.groups()
        return _ratio(sign, Fraction(int(whole)), top, below)
    text = _closed(body)
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
