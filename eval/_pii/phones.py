"""Telephone numbers: international ones, North American ones as they are written, national ones beside a word that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .spans import Span, in_formula

_INTERNATIONAL = re.compile(r"(?<![A-Za-z0-9_+^])\+(?=([1-9](?:[ ().\-/]{0,2}\d){6,16}))")
_PREFIXED = re.compile(r"(?<![A-Za-z0-9_.,+-])00(?=([1-9]\d{0,2}[ ().\-/]{1,2}\d(?:[ ().\-/]{0,2}\d){5,14}))")
"""As most of Europe dials abroad."""
_ADDED = re.compile(r"[\d)\]}=]\s?$|(?<![A-Za-z])[a-z]\s?$")
"""Before a plus sign that adds."""
_AMERICAN = re.compile(r"(?<![A-Za-z0-9_.$/+-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![A-Za-z0-9_-]|\.\d)")
_LINK = r"(?:[\s:#=.,'\"()\[\]*_-]{0,4}(?:numbers?|no|nr|num|is|are|at|on|to|me|us|him|her|them|or|my|your|our|home|work|office|cell|mobile|und|unter|ist|es|al|est|au|è|é|号码|號碼|号|為|为|是|番号|번호|는|은|का|नंबर|है)){0,5}"
_SAID = re.compile(
    r"(?<![a-z])(?:t[ée]l[ée])?(?:phone|f[oó]n[oe]?)(?:s|number|nummer|_number|no)?|(?<![a-z])(?:t[ée]l|cell|mobile?|mob|móvil|celular|cellulare|portable|handy|mobil|handynummer|rufnummer|fax|whatsapp|sms|text|call|dial|ring|contact|reach|t[ée]l[ée]phone|phone_number|contact_number)(?![a-z])"
    r"|тел(?:ефон)?|电话|電話|手机|手機|携帯|전화|휴대폰|फ़ोन|फोन|मोबाइल|هاتف|جوال",
    re.IGNORECASE,
)
_AFTER = re.compile(rf"{_LINK}[\s:#=.,'\"\[\]*_-]{{0,4}}(?=(\(?\d(?:[ ().\-/]{{0,2}}\d){{5,15}}))", re.IGNORECASE)
_WEAK = frozenset({"call", "text", "reach", "contact", "ring", "dial", "portable", "handy"})
"""Words that are also said of other numbers: what follows them must look like a telephone number, not like a count."""
_FICTION = re.compile(
    r"1\d{3}55501\d\d|447700900\d{3}|44(?:20|28|29|1\d\d)\d?\d?[49]?960\d{3}|442079460\d{3}|441632960\d{3}|61[2378]5550\d{4}|614915\d{5}|3319900\d{4}|3363998\d{4}"
)
"""Numbers set aside for films and documentation in the US and Canada, the United Kingdom, Australia and France."""


def phones(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """Numbers that are valid in the numbering plan of their country; those set aside for fiction belong to nobody."""
    if "+" in text:
        for found in _INTERNATIONAL.finditer(text):
            if not _ADDED.search(text, max(0, found.start() - 3), found.start()) and (
                end := _valid(text, found.start(), found.end(1), None)
            ):
                yield Span("phone", found.start(), end)
    for found in _PREFIXED.finditer(text) if "00" in text else ():
        if not in_formula(text, *found.span(1)) and (end := _valid(text, *found.span(1), None, plus="+")):
            yield Span("phone", found.start(), end)
    for found in _AMERICAN.finditer(text):
        if not in_formula(text, *found.span()) and _valid(text, *found.span(), "US"):
            yield Span("phone", *found.span())
    for word in _SAID.finditer(text):
        after = _AFTER.match(text, word.end(), word.end() + 120)
        if after is None:
            continue
        start, end = after.span(1)
        if word[0].lower() in _WEAK and not re.search(r"^\(|\d[ ().\-/]+\d", text[start:end]):
            continue
        if in_formula(text, end - 1, end) and not text[end : end + 1].isspace():
            continue
        for region in regions:
            if (valid := _valid(text, start, end, region)) is not None:
                if valid:
                    yield Span("phone", start, valid)
                break


def _valid(text: str, start: int, end: int, region: str | None, *, plus: str = "") -> int | None:
    """Where the longest valid number from `start` ends (what follows after a blank may be another number); 0 for fiction."""
    import phonenumbers

    for _ in range(4):
        try:
            number = phonenumbers.parse(plus + text[start:end], region)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_valid_number(number):
            return 0 if _FICTION.fullmatch(f"{number.country_code}{number.national_number}") else end
        shorter = text.rfind(" ", start + 6, end)
        if shorter < 0:
            return None
        end = shorter
    return None
