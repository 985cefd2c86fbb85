"""E-mail addresses, and URLs with a login in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Span

_LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u052f\u0590-\u05ff\u0620-\u064a\u0900-\u097f"
_LOCAL = re.compile(rf"[{_LETTERS}0-9._%+'-]{{1,64}}\Z")
_DOMAIN = re.compile(
    rf"(?:[{_LETTERS}0-9](?:[{_LETTERS}0-9-]{{0,61}}[{_LETTERS}0-9])?\.){{1,8}}[{_LETTERS}]{{2,24}}(?![A-Za-z0-9]|[_-][A-Za-z0-9]|\(\w*[,)=])"
)
_AT = re.compile(r"@|%40|&#64;|&#x40;|&commat;", re.IGNORECASE)
"""Also as URLs and HTML write it."""
_SAID = re.compile(
    r"(?<![\w.])[A-Za-z0-9._+-]{1,64} at ([A-Za-z0-9-]{1,63}(?: dot [A-Za-z0-9-]{1,63}){0,2} dot (?:com|org|net|edu|gov|io|info|biz))(?![\w-])",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    r"(?<![\w.])[A-Za-z0-9._+-]{1,64} ?[\[({<] ?at ?[\])}>] ?[A-Za-z0-9-]{1,63}(?: ?(?:[\[({] ?dot ?[\])}]|\.) ?[A-Za-z0-9-]{1,63}){1,4}",
    re.IGNORECASE,
)
_SPELLED_AT = re.compile(r"[\[({<] ?at ?[\])}>]", re.IGNORECASE)
_GENERIC = re.compile(
    r"com|org|net|edu|gov|mil|int|info|biz|name|pro|app|dev|xyz|online|shop|site|tech|store|blog|cloud|email|museum|travel|jobs|mobi|asia",
    re.IGNORECASE,
)
_FILES = re.compile(r"png|jpe?g|gif|svg|webp|js|ts|css|html|py|md|txt|json|ya?ml|csv|pdf|zip|exe", re.IGNORECASE)
_RESERVED = re.compile(r"(?:.*\.)?(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost)", re.IGNORECASE)
_LOGIN = re.compile(r"""([^\s/?#@:'"<>{}$*]{0,256}):([^\s/?#@'"<>{}$*]{1,256})@(?=[\w\[])""")
_PLACEHOLDER = re.compile(r"user(?:name)?:(?:pass(?:word|wd)?|pw|pwd|secret)|\W*(?:x+|\.+):?(?:x+|\.+)\W*", re.IGNORECASE)


def emails(text: str) -> Iterator[Span]:
    """Around each `@`; addresses in reserved domains (example.com, .test, .invalid) belong to nobody."""
    for sign in _AT.finditer(text):
        at = sign.start()
        local = _LOCAL.search(text, max(0, at - 64), at) if at else None
        domain = _DOMAIN.match(text, sign.end(), at + 255) if local else None
        if local and domain and _is_address(text, local, domain):
            start = local.start() + len(local[0]) - len(local[0].lstrip(".'%-"))
            yield Span("email", start, domain.end())
    if " dot " in text or " DOT " in text:
        for found in _SAID.finditer(text):
            if not _RESERVED.fullmatch(re.sub(" dot ", ".", found[1], flags=re.IGNORECASE)):
                yield Span("email", *found.span())
    if _SPELLED_AT.search(text):
        for found in _SPELLED.finditer(text):
            host = re.sub(r" ?[\[({] ?dot ?[\])}] ?", ".", found[0][_SPELLED_AT.search(found[0]).end() :], flags=re.IGNORECASE)  # type: ignore[union-attr]
            if not _RESERVED.fullmatch(host.strip()):
                yield Span("email", *found.span())


def _is_address(text: str, local: re.Match[str], domain: re.Match[str]) -> bool:
    name, host = local[0].strip(".'%-"), domain[0]
    first, _, top = host.rpartition(".")
    if not name or _RESERVED.fullmatch(host) or _FILES.fullmatch(top):
        return False
    before = text[max(0, local.start() - 300) : local.start()].rpartition(" ")[2]
    if before.endswith(("@", "//")) or ("://" in before and before.endswith(":")) or (name == "git" and text.startswith(":", domain.end())):
        return False  # a handle of a social network, the login of a URL, a place to clone from
    known = len(top) == 2 or _GENERIC.fullmatch(top) is not None
    return (known and (len(name) > 1 or len(first) > 1)) or (len(name) > 2 and len(first) > 2)


def url_logins(text: str) -> Iterator[Span]:
    """`name:password` between `://` and `@`; placeholders are none."""
    at = text.find("://")
    while at >= 0:
        found = _LOGIN.match(text, at + 3, at + 3 + 600)
        if found and not _PLACEHOLDER.fullmatch(found[0][:-1]):
            yield Span("url_login", found.start(), found.end() - 1)
        at = text.find("://", at + 3)
