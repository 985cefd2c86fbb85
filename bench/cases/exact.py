"""exact: a look-up a record; planted twins found."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, plain, rate, scored, verdicts

from ._records import worked


def speed() -> Iterator[Line]:
    yield plain("4,000 different records", rate({"use": "exact"}, worked()))


def accuracy() -> Iterator[Line]:
    records = worked(400)
    planted = [records[i // 2] if i % 2 else records[i // 2 + 200] for i in range(400)]
    twins = [any(record.content == other.content for other in planted[:i]) for i, record in enumerate(planted)]
    found = [verdict.outcome == "refuse" for verdict in verdicts({"use": "exact"}, planted)]
    yield above("planted twins among 400 records, accuracy", scored(found, twins).accuracy, 1.0, "")
