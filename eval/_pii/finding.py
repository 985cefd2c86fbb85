"""All detectors over one text."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from .addresses import emails, url_logins
from .ids import ids
from .keys import keys
from .money import cards, ibans
from .network import addresses, macs
from .phones import phones
from .spans import KINDS, Kind, Span, disjoint, folded

_NUMBER = re.compile(r"\d(?:[ .()/-]{0,3}\d){5}")
"""Six digits close together: without any there is neither card, telephone number nor most other numbers."""
_CODE = re.compile(r"[A-Za-z]{5}\d\d|[A-Za-z]\d{6}|\b[A-Za-z]{2} \d\d \d\d")
"""Numbers with letters in front."""

_SHORTEST = 6
"""Characters of the shortest thing that is found (a@b.de)."""
DEFAULT_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "IN", "CN", "JP", "KR", "BR", "AU")
"""Countries whose national telephone numbers are known, beside a word that announces one."""


def find(
    text: str, kinds: Collection[Kind] = KINDS, *, regions: Sequence[str] = DEFAULT_REGIONS, private: bool = False, before: str = ""
) -> list[Span]:
    """Where personal data stands in a text, in order, without overlaps. `before` is what stands before it (the name of a field)."""
    if len(text) < _SHORTEST:
        return []
    if before:
        shift = len(before) + 2
        spans = find(f"{before.replace('_', ' ')}: {text}", kinds, regions=regions, private=private)
        return [span._replace(start=max(0, span.start - shift), end=span.end - shift) for span in spans if span.end > shift]
    text = folded(text)
    found: list[Span] = []
    if "key" in kinds:
        found += keys(text)
    if "url_login" in kinds and "://" in text:
        found += url_logins(text)
    if "email" in kinds:
        found += emails(text)
    if "iban" in kinds:
        found += ibans(text)
    if "ip" in kinds:
        found += addresses(text, private=private)
    if "mac" in kinds:
        found += macs(text)
    numbers = _NUMBER.search(text) is not None
    if "national_id" in kinds and (numbers or _CODE.search(text)):
        found += ids(text)
    if "card" in kinds and numbers:
        found += cards(text)
    if "phone" in kinds and numbers:
        found += phones(text, regions)
    return disjoint(found) if found else []


def search(question: dict[str, Any]) -> list[list[tuple[str | int, ...]]]:
    """Runs in a worker process: the spans of each of `texts` ([text, what stands before it])."""
    options = {name: question[name] for name in ("kinds", "regions", "private")}
    return [[tuple(span) for span in find(text, before=before, **options)] for text, before in question["texts"]]
