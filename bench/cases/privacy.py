"""`privacy` and `redact`: speed on worked problems; precision and recall for each kind on a planted set, and no find where nothing is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from datalchemy.core.record import Record, assistant, user
from datalchemy.eval._pii.finding import find
from gauge import Line, above, below, per_core, plain, rate

from ._private_pages import CLEAN, pages
from ._private_texts import Planted, negatives, positives
from ._records import worked

SIZE = 400
"""Planted texts of each kind."""


def speed() -> Iterator[Line]:
    """The filter as a run has it; the search alone; what a hostile text costs."""
    yield above("records of 400 characters", rate("privacy", worked()), 3000)
    yield plain("planted texts of 60 characters, each with a find, in process", per_core(lambda one: find(one.text), list(positives(40))))
    long = [
        Record().derive("bench", (user("hello"), assistant(text * (10**6 // len(text)))))
        for text in ("1", "4539 5787 6362 1486 ", "12.", "@")
    ]
    yield plain("hostile texts of 1 MB", rate("privacy", long, warm=1, repeat=1))


def accuracy() -> Iterator[Line]:
    """Finds of a kind against what was planted: the right kind, at the very place."""
    planted, clean = [*positives(SIZE)], [*negatives(40)]
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for one in (*planted, *clean):
        _score(one, right, wrong, missed)
    for kind in dict.fromkeys(one.kind for one in planted):
        n, found = right[kind] + missed[kind], right[kind] + wrong[kind]
        yield above(f"{kind}: recall ({n} planted)", right[kind] / n, 0.95, "")
        yield above(f"{kind}: precision ({found} finds)", right[kind] / max(1, found), 0.99, "")
    yield from _by_page()
    flagged = sum(bool(find(one.text)) for one in clean)
    yield below(f"finds in {len(clean)} texts of numbers and code", flagged / len(clean), 0.002)
    yield below(
        "finds in 4,000 worked problems", sum(bool(find(m.text) or find(m.reasoning or "")) for r in worked() for m in r.messages), 0
    )


def _by_page() -> Iterator[Line]:
    """The same on pages that the detectors were not written against: values with their context, several a page."""
    right, planted, finds, clean = 0, 0, 0, sum(len(find(text)) for text in CLEAN)
    for page in pages(20):
        spans = find(page.text)
        hits = [
            span for span in spans for kind, start, end in page.planted if span.kind == kind and span.start <= start and span.end >= end
        ]
        right, planted, finds = right + len(hits), planted + len(page.planted), finds + len(spans)
    yield above(f"pages: recall ({planted} planted)", right / planted, 0.95, "")
    yield above(f"pages: precision ({finds} finds)", right / max(1, finds), 0.97, "")
    yield below(f"pages of numbers: finds in {len(CLEAN)}", clean, 4)


def _score(one: Planted, right: Counter[str], wrong: Counter[str], missed: Counter[str]) -> None:
    spans = find(one.text)
    hits = [
        span
        for span in spans
        if span.kind == one.kind and span.start <= one.start and span.end >= one.end and span.end - span.start <= one.end - one.start + 2
    ]
    (right if hits or not one.kind else missed)[one.kind] += 1
    for span in spans:
        if span not in hits:
            wrong[span.kind] += 1
