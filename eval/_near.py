"""Benchmark questions near to a record's question by meaning."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core import think
from ..core.record import PlainText, Record, user
from ._parts import PartName, shown

if TYPE_CHECKING:
    from ..core.part import Tools
    from .contamination import Contamination

EMBED_BATCH = 256
MOST_CHARS = 4000
"""Of a question that is embedded or shown to a judge."""
_VERDICT = re.compile(r"\{[^{}]*\}")


class Found(NamedTuple):
    """An item that a record overlaps."""

    share: float
    rule: str
    place: int
    """Number of the item among all items."""
    part: PartName
    overlap: str


class Near:
    """The embedded questions of all benchmarks."""

    def __init__(self, questions: list[str], matrix: Any, tools: Tools, part: Contamination) -> None:
        self._questions, self._matrix, self._tools, self._part = questions, matrix, tools, part
        self._encoder = tools.model(part.encoder)

    @classmethod
    async def of(cls, questions: list[str], tools: Tools, part: Contamination) -> Near:
        encoder = tools.model(part.encoder)
        rows: list[Any] = []
        for start in range(0, len(questions), EMBED_BATCH):
            vectors = await encoder.embed([question[:MOST_CHARS] for question in questions[start : start + EMBED_BATCH]])
            rows.append(_unit(vectors))
        import numpy as np

        return cls(questions, np.concatenate(rows), tools, part)

    async def look(self, records: Sequence[Record], found: list[list[Found]]) -> None:
        """Add what is near to each record's question."""
        texts = [(number, _question(record)) for number, record in enumerate(records)]
        texts = [(number, text) for number, text in texts if text.strip()]
        if not texts:
            return
        vectors = await self._encoder.embed([text for _, text in texts])
        near = await asyncio.to_thread(self._nearest, vectors)
        await asyncio.gather(*(self._add(text, ones, found[number]) for (number, text), ones in zip(texts, near, strict=True)))

    def _nearest(self, vectors: Sequence[Sequence[float]]) -> list[list[tuple[int, float]]]:
        """Of each vector, the items from `similarity` on, the nearest first."""
        import numpy as np

        scores = _unit(vectors) @ self._matrix.T
        most = self._part.nearest if self._part.judge else 1
        best = np.argsort(-scores, axis=1, kind="stable")[:, :most]
        return [
            [(int(place), float(row[place])) for place in places if row[place] >= self._part.similarity]
            for row, places in zip(scores, best, strict=True)
        ]

    async def _add(self, text: str, near: list[tuple[int, float]], found: list[Found]) -> None:
        for place, similarity in near:
            if not self._part.judge or await self._same(text, self._questions[place]):
                found.append(Found(min(1.0, similarity), "embedding", place, "prompt", shown(self._questions[place], 160)))
                return

    async def _same(self, text: str, question: str) -> bool:
        """Whether the judge says in both orders that two questions are the same; what cannot be read is no."""
        model = self._tools.model(self._part.judge)
        for first, second in ((text, question), (question, text)):
            asked = self._tools.render("contamination.same", first=first[:MOST_CHARS], second=second[:MOST_CHARS]).text
            reply = await model.chat((user(asked),), path="same")
            if not _yes(think.split(reply).answer):
                return False
        return True


def _question(record: Record) -> str:
    text = record.content.text if isinstance(record.content, PlainText) else record.prompt
    return text[:MOST_CHARS]


def _unit(vectors: Sequence[Sequence[float]]) -> Any:
    """Rows of length one (a row of zeros stays as it is)."""
    import numpy as np

    matrix = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1)


def _yes(said: str) -> bool:
    """Whether the last JSON object of a judge's answer is `{"same": true}`."""
    try:
        verdict = json.loads(_VERDICT.findall(said)[-1])
    except (ValueError, IndexError):
        return False
    return isinstance(verdict, dict) and verdict.get("same") is True
