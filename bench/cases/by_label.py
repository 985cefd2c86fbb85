"""`by_label`: records a second (what it decides is arithmetic; the tests hold it)."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, rate

from ._records import worked


def speed() -> Iterator[Line]:
    yield above("records", rate({"use": "by_label", "label": "finish_reason", "allow": ["stop"]}, worked()), 20_000)
