"""From which cosine similarity on two texts count as the same: measured for the encoder at hand on labelled pairs that ship."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from ..core.backend import Model

PRECISION = 0.95
"""Share of the pairs above the threshold that must really be the same: a record refused wrongly is lost."""


class Pair(NamedTuple):
    a: str
    b: str
    same: bool


class Point(NamedTuple):
    """What a threshold gives."""

    threshold: float
    precision: float
    recall: float


def pairs() -> list[Pair]:
    """Written for this project: questions said in two ways, and pairs that look alike and are not the same."""
    lines = files(__package__).joinpath("same_meaning.jsonl").read_text("utf-8").splitlines()
    return [Pair(**json.loads(line)) for line in lines]


async def similarities(encoder: Model) -> list[float]:
    """Cosine of each pair."""
    import numpy as np

    labelled = pairs()
    a = unit(await encoder.embed([pair.a for pair in labelled]))
    b = unit(await encoder.embed([pair.b for pair in labelled]))
    return [float(one) for one in np.sum(a * b, axis=1)]


def curve(cosines: Sequence[float], same: Sequence[bool], steps: Sequence[float]) -> list[Point]:
    """Precision and recall of each threshold."""
    points = []
    for step in steps:
        found = [label for cosine, label in zip(cosines, same, strict=True) if cosine >= step]
        points.append(Point(step, sum(found) / len(found) if found else 1.0, sum(found) / max(1, sum(same))))
    return points


def threshold(cosines: Sequence[float], same: Sequence[bool]) -> Point:
    """The lowest threshold (in hundredths) from which on the precision stays at PRECISION or above."""
    best = Point(1.0, 1.0, 0.0)
    for point in reversed(curve(cosines, same, [step / 100 for step in range(30, 100)])):
        if point.precision < PRECISION:
            break
        best = point
    return best


async def calibrated(encoder: Model) -> Point:
    """The threshold of an encoder."""
    return threshold(await similarities(encoder), [pair.same for pair in pairs()])


def unit(vectors: Sequence[Sequence[float]]) -> Any:
    """Rows of length one; a row of zeros (nothing the encoder knows) stays as it is."""
    import numpy as np

    rows = np.asarray(vectors, dtype=np.float32).reshape(len(vectors), -1)
    rows = np.where(np.isfinite(rows), rows, 0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)
