"""Labels from the nearest labelled examples, over embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.backend import Model
from ._axes import Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Nearest:
    """The embedded examples of some axes."""

    def __init__(self, axes: Sequence[Axis], matrix: NDArray[Any], model: Model, neighbours: int, least: float) -> None:
        self._axes, self._matrix, self._model = axes, matrix, model
        self._neighbours, self._least = neighbours, least

    @classmethod
    async def of(cls, axes: Sequence[Axis], model: Model, neighbours: int, least: float) -> Nearest:
        texts = [text for axis in axes for some in axis.examples.values() for text in some]
        return cls(axes, _units(await model.embed(texts)), model, neighbours, least)

    async def values(self, texts: Sequence[str]) -> list[dict[str, str | None]]:
        """For each text the value of each axis whose nearest examples are nearest on average; None where none is near enough."""
        near = _units(await self._model.embed(list(texts))) @ self._matrix.T
        return [self._chosen(row) for row in near]

    def _chosen(self, row: NDArray[Any]) -> dict[str, str | None]:
        chosen, at = dict[str, str | None](), 0
        for axis in self._axes:
            means = dict[str, float]()
            for value, texts in axis.examples.items():
                some = sorted((float(one) for one in row[at : at + len(texts)]), reverse=True)[: self._neighbours]
                means[value] = sum(some) / len(some)
                at += len(texts)
            best = max(means, key=lambda value: means[value])
            chosen[axis.name] = best if means[best] >= self._least else None
        return chosen


def _units(vectors: Sequence[Sequence[float]]) -> NDArray[Any]:
    """Rows of length one; a row of zeros stays one."""
    import numpy as np

    matrix = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, np.where(lengths > 0, lengths, 1))
