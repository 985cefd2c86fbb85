"""Judging one answer on an absolute scale: a score for each criterion, and their weighted mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from ..core.frozen import Frozen
from ..core.part import Tools
from ..core.record import Conversation, PlainText, Record, Verdict, assistant, user
from ._judge_reply import scores
from ._judge_text import legible, said, told
from ._judging import Judging, schema

STANDARD: Mapping[str, float] = {"correctness": 2.0, "completeness": 1.0, "clarity": 1.0}
"""The criteria that the wording describes where a recipe has none of its own."""


class Criterion(Frozen):
    """One thing that is looked at."""

    name: str = Field(min_length=1, max_length=60)
    what: str = Field(min_length=1)
    """In words for the judge: what earns a high score, what a low one."""
    weight: float = Field(default=1.0, gt=0)


class Shown(NamedTuple):
    """What a judge gets to see of a record."""

    task: str
    answer: str
    gold: str


class Opinion(NamedTuple):
    """What one judge thinks of an answer."""

    score: float
    scores: Mapping[str, float]
    reason: str
    by: str


class ScoreJudging(Judging):
    """A judge that scores one answer by itself."""

    prompts: ClassVar[tuple[str, ...]] = ("judge.score",)

    rubric: tuple[Criterion, ...] = Field(default=(), max_length=20)
    """Criteria, each `{name, what, weight}`; absent: correctness (counts double), completeness and clarity."""
    scale: tuple[int, int] = (1, 10)
    """The lowest and the highest score."""
    min_score: float = 7
    """A weighted mean below this is a refusal."""
    reference: bool = True
    """Whether the judge sees the record's reference answer, where it has one."""

    @model_validator(mode="after")
    def _on_its_scale(self) -> Self:
        low, high = self.scale
        if not low < high or not low <= self.min_score <= high:
            raise ValueError("`scale` rises, and `min_score` lies on it")
        names = [one.name.casefold() for one in self.rubric]
        if len(set(names)) < len(names):
            raise ValueError("two criteria of the rubric have the same name")
        return self

    def threshold(self) -> float:
        return self.min_score

    def probe(self, task: str, answer: str, good: str) -> tuple[Record, ...]:
        return (Record(content=Conversation(messages=(user(task), assistant(answer)))),)

    def shown(self, record: Record) -> Shown | Verdict:
        """What the judge sees, or the verdict that needs none: nothing there, too little, too much."""
        if (huge := self.oversized(record)) is not None:
            return huge
        gold = legible(record.answer or "") if self.reference else ""
        if isinstance(record.content, PlainText):
            seen = Shown("", legible(record.content.text), gold)
        elif record.response is not None:
            seen = Shown(told(record.messages[:-1]), said(record.response, thinking=self.thinking), gold)
        elif self.rubric and record.prompt.strip():
            seen = Shown("", told(record.messages), gold)
        else:
            return self.verdict("abstain", "nothing_to_judge: the record has no answer (a question needs a rubric of its own)")
        if (longest := max(map(len, seen))) > self.max_chars:
            return self.verdict("abstain", f"too_long: {longest:,} characters, at most {self.max_chars:,}")
        if self.hollow(seen.answer):
            return self.verdict(
                "refuse", "too_little_text: nothing but punctuation or phrases that promise an answer", float(self.scale[0])
            )
        return seen

    async def opinion(self, seen: Shown, tools: Tools, model: str, sample: int = 0) -> Opinion | None:
        """One judge's opinion; None where its replies cannot be read."""
        low, high = self.scale
        weights = {one.name: one.weight for one in self.rubric} or STANDARD
        numbers = {name: {"type": "number", "minimum": low, "maximum": high} for name in weights}
        inner = {"type": "object", "properties": numbers, "required": list(numbers), "additionalProperties": False}
        values = {
            "task": seen.task, "answer": seen.answer, "gold": seen.gold, "low": str(low), "high": str(high),
            "rubric": "\n".join(f"- {one.name}: {legible(one.what)}" for one in self.rubric),
            "names": ", ".join(f"{json.dumps(name, ensure_ascii=False)}: N" for name in weights),
        }  # fmt: skip
        found = await self.ask(
            tools, model, "judge.score", values, scores(list(weights), low, high), path="score", schema=schema(scores=inner), sample=sample
        )
        if found is None:
            return None
        given, reply = found
        mean = sum(given[name] * weight for name, weight in weights.items()) / sum(weights.values())
        return Opinion(round(mean, 4), given, reply.reason, reply.by)
