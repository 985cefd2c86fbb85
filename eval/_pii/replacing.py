"""What stands in the place of personal data: values that are reserved for nobody, keyed pseudonyms, or tags."""

from __future__ import annotations

import hmac
import re
from typing import Literal

from .money import TEST_CARDS, TEST_IBANS
from .spans import Span

How = Literal["reserved", "pseudonym", "tag"]
_AREAS = ("202", "303", "404", "505", "606", "707", "808", "909")
_NETS = ("192.0.2", "198.51.100", "203.0.113")
_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopabcdef")


class Replacer:
    """Replacements within one record (the same value gets the same one), or with a key across all of them."""

    def __init__(self, how: How, key: bytes = b"") -> None:
        self.how = how
        self._key = key
        self._given: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}

    def replaced(self, text: str, spans: list[Span]) -> str:
        """The text with each span replaced."""
        pieces, at = [], 0
        for span in spans:
            pieces += [text[at : span.start], self._instead(span, text[span.start : span.end])]
            at = span.end
        return "".join([*pieces, text[at:]])

    def _instead(self, span: Span, value: str) -> str:
        if self.how == "tag":
            return f"[{span.kind.upper()}]"
        bare = _bare(span, value)
        if self.how == "pseudonym":
            return self._pseudonym(span, bare)
        known = (span.kind + span.sort, bare)
        if known not in self._given:
            number = self._numbers[known[0]] = self._numbers.get(known[0], -1) + 1
            self._given[known] = _reserved(span, value, number)
        return self._given[known]

    def _pseudonym(self, span: Span, bare: str) -> str:
        """48 bits of an HMAC, as letters: digits could look like another number."""
        digest = hmac.digest(self._key, f"{span.kind}\0{bare}".encode("utf-8", "replace"), "sha256").hex()[:12]
        if span.sort == "ipv6":
            return f"2001:db8:{digest[:4]}:{digest[4:8]}:{digest[8:]}::"
        name = digest.translate(_LETTERS)
        return f"user-{name}@example.com" if span.kind == "email" else f"[{span.kind.upper()}-{name}]"


def _bare(span: Span, value: str) -> str:
    """The value without what does not tell two apart."""
    if span.kind in ("phone", "card"):
        return re.sub(r"\D", "", value)
    if span.kind in ("iban", "national_id", "mac"):
        return re.sub(r"[^A-Za-z0-9]", "", value).upper()
    return value.casefold() if span.kind in ("email", "ip") else value


def _reserved(span: Span, value: str, number: int) -> str:
    """RFC 2606 (domains), 5737 and 3849 (IP), 7042 (MAC), 555-01xx (phones), documented test cards and IBANs."""
    match span.kind:
        case "email":
            return f"user{number + 1}@example.com"
        case "phone":
            return f"{'+1-' if value.startswith('+') else ''}{_AREAS[number // 100 % len(_AREAS)]}-555-01{number % 100:02}"
        case "card":
            return _grouped(TEST_CARDS[number % len(TEST_CARDS)], value)
        case "iban":
            return TEST_IBANS[number % len(TEST_IBANS)]
        case "ip" if span.sort == "ipv6":
            return f"2001:db8::{number + 1:x}"
        case "ip":
            return f"{_NETS[number // 254 % len(_NETS)]}.{number % 254 + 1}"
        case "mac":
            return value[2].join(("00", "00", "5E", "00", "53", f"{number % 256:02X}"))
        case "url_login":
            return "user:password"
        case "national_id" if span.sort == "us_ssn":
            return f"987-65-432{number % 10}"
        case "key" if span.sort == "aws":
            return "AKIAIOSFODNN7EXAMPLE"
    return f"[{span.kind.upper()}]"


def _grouped(digits: str, like: str) -> str:
    separator = next((char for char in like if char in " -"), "")
    return separator.join(re.findall(r"\d{1,4}", digits)) if separator and len(digits) == 16 else digits
