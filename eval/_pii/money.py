"""Payment cards and bank accounts (IBAN)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Span, in_formula, near, words

_GROUPED = re.compile(
    r"(?<![A-Za-z0-9_.-])(?=(\d{4}([ .-]|  )\d{4}\2\d{4}\2\d{4}(?:\2\d{3})?|\d{4}([ -])\d{6}\3\d{5}|\d{4}([ -])\d{6}\4\d{4})(?![A-Za-z0-9_-]))"
)
_MORE_BEFORE, _MORE_AFTER = re.compile(r"\d{4}[ -]$"), re.compile(r"[ -]\d{4}(?!\d)")
_BARE = re.compile(r"(?<![A-Za-z0-9_.-])\d{13,19}(?![A-Za-z0-9_-])")
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:50[0-9]{2}|5[6-9]\d\d|6[0-9]{3})\d{8,15}|9792\d{12}|220[0-4]\d{12}"
)
"""Visa, Mastercard, American Express, Discover, Diners, JCB, UnionPay, Maestro and RuPay, Troy, Mir: prefixes with their lengths."""
TEST_CARDS = (
    "4242424242424242", "4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "30569309025904",
    "3530111333300000", "4012888888881881", "5105105105105100", "371449635398431", "6011000990139424", "38520000023237",
)  # fmt: skip
"""Numbers that payment processors document for tests; they are nobody's."""
_SAID = words(
    "card", "cards", "visa", "mastercard", "amex", "maestro", "credit", "debit", "payment", "pan", "cc", "ccnum", "card_number", "cardnumber",
    "carte", "tarjeta", "karte", "kreditkarte", "cartão", "卡号", "信用卡", "银行卡", "カード", "카드",
)  # fmt: skip

_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_IBAN = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=IBAN))(?=([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30})(?![a-z0-9]))")
_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK", "21": "CH CR HR LI LV",
        "22": "BG BH DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL", "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST",
        "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HU LB PL SV", "29": "BR EG PS QA UA", "30": "JO KW MU",
        "31": "MT SC", "32": "LC NI", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
"""Of IBANs by country (ISO 13616 registry)."""
TEST_IBANS = (
    "GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606", "NL91ABNA0417164300", "ES9121000418450200051332",
    "IT60X0542811101000000123456", "CH9300762011623852957", "BE68539007547034", "AT611904300234573201", "IE29AIBK93115212345678",
    "GB29NWBK60161331926819", "SE4550000000058398257466",
)  # fmt: skip
"""Examples of the registry and its documentation."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812."""
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(int(digit) for digit in digits[-1::-2]) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def cards(text: str) -> Iterator[Span]:
    """Numbers with a known prefix, its length and a check digit, in groups or beside a word, and never in a formula."""
    for found in _GROUPED.finditer(text):
        yield from _card(text, *found.span(1), found[1])
    for found in _BARE.finditer(text):
        yield from _card(text, *found.span(), found[0])


def _card(text: str, start: int, end: int, said: str) -> Iterator[Span]:
    digits = re.sub(r"\D", "", said)
    if not _BRANDS.fullmatch(digits) or not luhn(digits) or digits in TEST_CARDS:
        return
    sure = near(text, start, end, _SAID)
    if not sure and (_MORE_BEFORE.search(text, max(0, start - 6), start) or _MORE_AFTER.match(text, end)):
        return  # one of many groups of four digits
    if sure or (not in_formula(text, start, end) and len(digits) in (15, 16) and len(set(digits)) > 2):
        yield Span("card", start, end)


def ibans(text: str) -> Iterator[Span]:
    """A known country, its length, and the check digits of ISO 7064 (mod 97); in small letters where the word IBAN is said."""
    if "iban" in text.lower():
        text = text.translate(_UPPER)
    for found in _IBAN.finditer(text):
        length = _LENGTHS.get(found[1][:2])
        if length is None:
            continue
        at = [i for i, char in enumerate(found[1]) if char not in " -"][:length]
        bare = "".join(found[1][i] for i in at)
        end = found.start(1) + at[-1] + 1
        if len(bare) == length and not text[end : end + 1].isalnum() and bare not in TEST_IBANS and _mod97(bare):
            yield Span("iban", found.start(1), end)


def _mod97(bare: str) -> bool:
    return int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1
