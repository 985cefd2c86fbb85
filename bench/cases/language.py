"""language: identification and foreign spans, on texts written for this (bench/data/languages.jsonl, clauses.jsonl)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate, scored, verdicts
from mixtures import DATA, Mixture, mixtures

from ._records import worked


def _record(text: str, number: int) -> Record:
    return Record(content=Conversation(messages=(user("?"), assistant(text))), origin=str(number))


def _sentences(kind: str) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (DATA / "languages.jsonl").read_text("utf-8").splitlines()]
    return [(row["language"], sentence) for row in rows for sentence in row[kind]]


def speed() -> Iterator[Line]:
    records = [_record(f"{sentence} {number}", number) for number in range(20) for _, sentence in _sentences("everyday")]
    yield above("short texts, one worker process", rate({"use": "language", "target": "en"}, records), 2000)
    yield plain("4,000 worked solutions", rate({"use": "language", "target": "en"}, worked()))


def _by_target(part: dict[str, Any], cases: list[Mixture]) -> list[tuple[Mixture, Any]]:
    told = []
    for target in sorted({case.target for case in cases}):
        own = [case for case in cases if case.target == target]
        records = [_record(case.text, number) for number, case in enumerate(own)]
        told += list(zip(own, verdicts({**part, "target": target}, records), strict=True))
    return told


def accuracy() -> Iterator[Line]:
    for kind in ("everyday", "maths"):
        own, foreign = [], []
        for language in sorted({language for language, _ in _sentences(kind)}):
            records = [_record(sentence, n) for n, (one, sentence) in enumerate(_sentences(kind)) if one == language]
            own += [verdict.outcome == "refuse" for verdict in verdicts({"use": "language", "target": language, "min_letters": 8}, records)]
            if language != "en":
                said = verdicts({"use": "language", "target": "en", "min_letters": 8}, records)
                foreign += [verdict.outcome == "refuse" for verdict in said]
        found = scored([*own, *foreign], [False] * len(own) + [True] * len(foreign))
        yield above(f"{kind} sentences in 29 languages: its own kept, another's refused", found.accuracy, 0.95, "")
    cases = list(mixtures(unseen=True))
    told = _by_target({"use": "language"}, cases)
    found = scored([verdict.outcome == "refuse" for _, verdict in told], [bool(case.foreign) for case, _ in told])
    yield above("one clause of another Latin-script language in 600 paragraphs, precision", found.precision, 0.95, "")
    yield above("the same, recall", found.recall, 0.9, "")
    hits = [(case, verdict) for case, verdict in told if case.foreign and verdict.outcome == "refuse"]
    named = [verdict.evidence["language"] == case.other for case, verdict in hits]
    yield plain("the same, the foreign language named right", sum(named) / len(named), "")
    words = [_overlap(case, verdict.evidence["span"]) for case, verdict in hits]
    yield plain("the same, words of the span that are the foreign clause's (F1)", sum(words) / len(words), "")


def _overlap(case: Mixture, span: str) -> float:
    wanted, got = (set(text.casefold().replace("…", "").split()) for text in (case.foreign, span))
    both = len(wanted & got)
    return 2 * both / (len(wanted) + len(got)) if both else 0.0
