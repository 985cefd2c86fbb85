"""Looking for personal data in records: short texts here, long ones in a worker process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ...core.part import Tools
from ...core.record import Record
from .finding import find
from .places import PlaceName, visited
from .spans import Kind, Span

IN_PROCESS = 16_000
"""Characters of one batch that are searched at once here (4 ms); more goes to a worker."""
TIMEOUT_S = 60.0
SECRETS: frozenset[Kind] = frozenset({"key", "url_login"})

Text = tuple[str, str]
"""A text and what stands before it."""


class Wanted(NamedTuple):
    """What is looked for, and where."""

    kinds: tuple[Kind, ...]
    places: tuple[PlaceName, ...]
    regions: tuple[str, ...]
    private_ips: bool
    allow: tuple[str, ...]


class Hit(NamedTuple):
    """A span and the place it was found in."""

    place: PlaceName
    span: Span


def texts_in(record: Record, places: Collection[PlaceName]) -> list[tuple[PlaceName, Text]]:
    """All texts of a record, by place."""
    found: list[tuple[PlaceName, Text]] = []

    def visit(place: PlaceName, text: str, before: str) -> str:
        found.append((place, (text, before)))
        return text

    visited(record, places, visit)
    return found


async def scan(texts: Iterable[Text], wanted: Wanted, tools: Tools) -> dict[Text, list[Span]]:
    """The spans of each text that has any. Raises WorkerFault."""
    each = list(dict.fromkeys(texts))
    if sum(len(text) for text, _ in each) <= IN_PROCESS:
        spans = [find(text, wanted.kinds, regions=wanted.regions, private=wanted.private_ips, before=before) for text, before in each]
    else:
        question = {
            "texts": [(_unicode(text), _unicode(before)) for text, before in each],
            "kinds": wanted.kinds,
            "regions": wanted.regions,
            "private": wanted.private_ips,
        }
        told = await tools.workers.call(f"{__package__}.finding:search", question, timeout_s=TIMEOUT_S)
        spans = [[Span(*span) for span in found] for found in told]
    kept = {
        text: [span for span in found if not _allowed(text[0][span.start : span.end], wanted.allow)]
        for text, found in zip(each, spans, strict=True)
    }
    return {text: found for text, found in kept.items() if found}


def hits_of(texts: Sequence[tuple[PlaceName, Text]], found: dict[Text, list[Span]]) -> list[Hit]:
    return [Hit(place, span) for place, text in texts for span in found.get(text, ())]


def told(hits: Sequence[Hit]) -> str:
    """`2 email in the prompt, 1 phone in the answer`: how many of what, where, and never what they are."""
    counted = Counter((hit.place, hit.span.kind) for hit in hits)
    parts = [f"{count} {kind} in the {place}" for (place, kind), count in counted.most_common(6)]
    return ", ".join([*parts, *(["..."] if len(counted) > 6 else [])])


def counts(hits: Iterable[Hit]) -> dict[str, int]:
    """How many of each kind, those of one kind told apart where that is known (`national_id.us_ssn`)."""
    return dict(sorted(Counter(f"{hit.span.kind}.{hit.span.sort}" if hit.span.sort else hit.span.kind for hit in hits).items()))


def _allowed(value: str, allow: tuple[str, ...]) -> bool:
    lower = value.casefold()
    return any(lower == one.casefold() or (one.startswith("@") and lower.endswith(one.casefold())) for one in allow)


def _unicode(text: str) -> str:
    """Lone surrogates, which JSON cannot carry, as `?`: of the same length."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
