"""Refuse records whose question was also answered in another way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field

from ..core.part import Filter, Judge, Tools
from ..core.record import PlainText, Record, Verdict
from ._answers import Answer, agree, read
from ._boxes import boxes, marked
from ._clusters import clusters
from ._compared import numbers
from ._finished import finished
from ._ngrams import normal
from ._parts import parts_of, shown
from ._shingles import Scheme, sketches

MOST = 200
"""Different answers of one group that another one is compared with at most."""


class Conflict(Filter):
    """Group records by nearly equal prompts and look whether their answers agree.

    It looks at the whole finished set. Prompts are the same where their n-grams are (true Jaccard similarity) and their numbers agree. The
    answers are compared by final answer (boxed, after `####`, "the answer is"); those that have none are compared as texts, and
    only with each other. Score: the share of the group that gives the record's answer, 1 where nobody says otherwise.
    """

    closing: ClassVar[bool] = True

    keep: Literal["majority", "none"] = "majority"
    """Of a group in conflict: those with the answer of more than half stay; or none."""
    similarity: float = Field(default=0.9, gt=0, le=1)
    """Jaccard similarity of word 3-grams from which two prompts are the same; 1: the same words."""
    compare: Literal["final", "text"] = "final"
    """What must agree: the final answer where there is one; or always the whole text of the answer (without its thinking)."""
    max_chars: int = Field(default=1000, ge=1)
    """A longer final answer is compared as a text."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await finished(asyncio.to_thread(self._judged, records))

        yield judge

    def _judged(self, records: Sequence[Record]) -> list[Verdict]:
        answers = [self._answer(record) for record in records]
        prompts = [_question(record) if answer is not None else "" for record, answer in zip(records, answers, strict=True)]
        signs = [(numbers(prompt), isinstance(answer, str)) for prompt, answer in zip(prompts, answers, strict=True)]
        groups = clusters(sketches(prompts, Scheme("words", 3, 14, 8, False)), self.similarity, signs)
        verdicts = [self._alone(prompt) for prompt in prompts]
        for group in groups:
            for at, verdict in zip(group, self._told([answers[at] or "" for at in group]), strict=True):
                verdicts[at] = verdict
        return verdicts

    def _alone(self, prompt: str) -> Verdict:
        if prompt.strip():
            return Verdict(by=self.part_name(), outcome="keep", score=1.0, evidence={"answers": 1})
        return Verdict(by=self.part_name(), outcome="abstain", reason="nothing_to_compare: no prompt with an answer")

    def _answer(self, record: Record) -> Answer | str | None:
        """The final answer, else the text (folded); None where there is no answer, or one without a question."""
        if record.response is None or isinstance(record.content, PlainText):
            return None
        text = parts_of(record, ("answer",)).get("answer", "")
        if not text.strip():
            return None
        if self.compare == "final":
            found = boxes(text)
            final = found[-1] if found else marked(text)
            if final and len(final) <= self.max_chars:
                return read(final, letters=True)
        return " ".join(normal(text).split())

    def _told(self, answers: Sequence[Answer | str]) -> list[Verdict]:
        """Verdicts of one group."""
        first: list[Answer | str] = []
        known: dict[Answer | str, int] = {}
        kind: list[int] = []
        for answer in answers:
            if answer not in known:
                known[answer] = next((at for at, other in enumerate(first[:MOST]) if _same(answer, other)), len(first))
                if known[answer] == len(first):
                    first.append(answer)
            kind.append(known[answer])
        times = Counter(kind)
        counts = [times[at] for at in range(len(first))]
        top = max(range(len(first)), key=lambda at: counts[at])
        clear = 2 * counts[top] > len(answers)
        return [self._verdict(first, counts, at, top if clear else None) for at in kind]

    def _verdict(self, answers: Sequence[Answer | str], counts: Sequence[int], mine: int, top: int | None) -> Verdict:
        size = sum(counts)
        share, told = counts[mine] / size, {"answers": size, "different": len(counts), "agree": counts[mine]}
        if len(counts) == 1 or (self.keep == "majority" and mine == top):
            return Verdict(by=self.part_name(), outcome="keep", score=share, evidence=told)
        if top is None or self.keep == "none":
            said = ", ".join(_shown(answer) for answer in answers[:4])
            reason = f"conflict: {size} answers to one question, {len(counts)} different: {said}"
        else:
            reason = (
                f"conflict: {counts[top]} of {size} answers to this question say {_shown(answers[top])}, this one {_shown(answers[mine])}"
            )
        return Verdict(by=self.part_name(), outcome="refuse", score=share, reason=reason, evidence=told)


def _question(record: Record) -> str:
    """All that was said before the answer: "go on" asks something else in every conversation."""
    return "\n".join(message.text for message in record.messages[:-1])


def _same(one: Answer | str, other: Answer | str) -> bool:
    """Two final answers that agree, or equal texts; the two kinds are never in one group."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return agree(one, other)


def _shown(answer: Answer | str) -> str:
    return shown(answer if isinstance(answer, str) else answer.raw, 60)
