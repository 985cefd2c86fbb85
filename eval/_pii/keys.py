"""Keys, tokens and passwords of services: by their prefixes, or by what is assigned to a name that says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2

from .spans import Span

_S, _E = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"
_PREFIXED = tuple(
    (sort, start, re.compile(f"{_S}{pattern}{_E}"))
    for sort, starts, pattern in (
        ("aws", ("AKIA", "ASIA", "ABIA", "ACCA"), r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
        ("github", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,255}"),
        ("github", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,255}"),
        ("gitlab", ("glpat-",), r"glpat-[\w-]{20,100}"),
        ("slack", ("xox",), r"xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
        ("slack", ("hooks.slack.com",), r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}"),
        ("google", ("AIza",), r"AIza[\w-]{35}"),
        ("google", ("GOCSPX-",), r"GOCSPX-[\w-]{28}"),
        ("google", ("ya29.",), r"ya29\.[\w-]{20,500}"),
        ("sk", ("sk-",), r"sk-(?=[\w-]{0,60}\d)(?=[\w-]{0,60}[A-Za-z])[\w-]{20,250}"),
        ("stripe", ("_live_", "_test_"), r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,250}"),
        ("huggingface", ("hf_",), r"hf_[A-Za-z0-9]{30,100}"),
        ("npm", ("npm_",), r"npm_[A-Za-z0-9]{36}"),
        ("pypi", ("pypi-",), r"pypi-[\w-]{50,300}"),
        ("sendgrid", ("SG.",), r"SG\.[\w-]{22}\.[\w-]{43}"),
        ("telegram", (":AA",), r"\d{8,10}:AA[\w-]{32,34}"),
        ("digitalocean", ("dop_v1_",), r"dop_v1_[a-f0-9]{64}"),
        ("jwt", ("eyJ",), r"(?<!-)eyJ[\w-]{8,4000}\.eyJ[\w-]{4,8000}\.[\w-]{8,4000}"),
    )
    for start in starts
)
_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_LONGEST_PEM = 16_000
_NAMES = (
    "key",
    "token",
    "secret",
    "passw",
    "pwd",
    "bearer",
    "credential",
    "kennwort",
    "contrase",
    "senha",
    "de passe",
    "парол",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
)
_ASSIGNS = ("=", ":", " is ", "earer ", "EARER ")
_ASSIGNED = re.compile(
    r"(?:key|token|secret|passw(?:or)?[dt]|kennwort|contraseña|senha|de passe|пароль|密码|密碼|パスワード|비밀번호|pwd|credentials?)(?:[_ -]?id)?[\"'`*]{0,3}\s{0,3}(?::=|=>|[:=]|is\b)\s{0,3}[\"'`]{0,3}(?:bearer )?"
    r"([A-Za-z0-9+/_=.~!@#%^&*-]{8,256})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\bbearer\s{1,3}([A-Za-z0-9._~+/=-]{20,512})", re.IGNORECASE)
_BASIC = re.compile(r"\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?basic\s{1,3}([A-Za-z0-9+/]{8,512}={0,2})", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|change_?me|redacted|dummy|insert|<|xxx|\*\*\*|\.\.\.|environ|getenv|process\.env|000000|123456",
    re.IGNORECASE,
)
_FAKE = re.compile(r"example|your|placeholder|redacted|xxxx|\*\*\*", re.IGNORECASE)
_LEAST_BITS = 3.2
"""Shannon entropy of a random-looking value, in bits a character (English words as identifiers: below 3; hex: up to 4)."""


def keys(text: str) -> Iterator[Span]:
    """Looks only where the beginning of some key stands in the text at all."""
    for sort, start, pattern in _PREFIXED:
        if start in text:
            for found in pattern.finditer(text):
                if not _FAKE.search(found[0]) and _bits(found[0]) > 2.5:
                    yield Span("key", *found.span(), sort)
    if "-----BEGIN" in text:
        for opening in _PEM.finditer(text):
            closing = _PEM_END.search(text, opening.end(), opening.end() + _LONGEST_PEM)
            end = closing.end() if closing else min(len(text), opening.end() + _LONGEST_PEM)
            yield Span("key", opening.start(), end, "pem")
    lower = text.lower()
    for found in _BASIC.finditer(text) if "authorization" in lower else ():
        yield Span("key", *found.span(1), "basic")
    if any(name in lower for name in _NAMES) and any(mark in text for mark in _ASSIGNS):
        for pattern in (_ASSIGNED, _BEARER):
            for found in pattern.finditer(text):
                value = found[1].rstrip(".!*")
                if _looks_random(value):
                    yield Span("key", found.start(1), found.start(1) + len(value), "assigned")


def _looks_random(value: str) -> bool:
    kinds = sum((any(map(str.isdigit, value)), any(map(str.islower, value)), any(map(str.isupper, value)), not value.isalnum()))
    if len(value) < 8 or kinds < 2 or not any(map(str.isdigit, value)) or _PLACEHOLDER.search(value):
        return False
    return _bits(value) >= _LEAST_BITS if len(value) >= 16 else (kinds >= 3 and _bits(value) >= 2.7)


def _bits(value: str) -> float:
    return -sum(n / len(value) * log2(n / len(value)) for n in Counter(value).values())
