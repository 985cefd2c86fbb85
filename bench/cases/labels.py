"""`labels` around a scorer that answers at once (its own speed and accuracy are the scorer's)."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, plain, rate

from ._records import worked


def speed() -> Iterator[Line]:
    part = {"use": "labels", "label": "score", "model": "m"}
    yield plain(
        "by a model that answers at once, stored answers", rate(part, worked(2000), models={"m": {"use": "scripted", "mode": "digest"}})
    )
