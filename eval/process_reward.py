"""Score each step of an answer by a process reward model."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..core.backend import Capability, Reply
from ..core.part import Filter, Judge, Tools
from ..core.record import Message, Record, ScoredSteps, Verdict, assistant
from ._parts import PartName, parts_of, shown

SHOWN = 32
"""Step scores that the evidence holds at most."""
_BLANK = re.compile(r"\n[ \t]*\n\s*")
_LINE = re.compile(r"\n\s*")


class ProcessReward(Filter):
    """A process reward model says of each step how likely it is right (0 to 1); the score is their minimum, product, mean or the last.

    Steps are what stands between blank lines, or the record's own where it has them. Behind each of them goes the tag at which the
    model was trained to answer; the same characters in the text itself are taken out first. Without `min_score` it only labels.
    """

    batch: ClassVar[int] = 16

    model: str = "process_reward"
    """The process reward model: `use: reward_server` in `models`."""
    aggregate: Literal["min", "product", "last", "mean"] = "min"
    """What the scores of the steps come to: the weakest step, all right together, the step with the answer, or their mean."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    """At least; absent: nothing is removed."""
    parts: tuple[PartName, ...] = ("reasoning", "answer")
    """What is taken apart into steps, one behind the other."""
    split: Literal["blank_lines", "lines"] = "blank_lines"
    """What ends a step."""
    step_tag: str = Field(default="<extra_0>", min_length=1)
    """What the model wants behind each step (`<extra_0>` of Qwen2.5-Math-PRM, `ки` of Math-Shepherd)."""
    max_steps: int = Field(default=256, ge=1)
    """An answer of more steps is an abstention."""
    on_abstain: Literal["keep", "refuse"] = "keep"
    """What happens to a record without steps, or that the model does not take; with `min_score`, `refuse` unless it is written."""

    @model_validator(mode="after")
    def _refuses_with_a_rule(self) -> Self:
        if self.min_score is not None and "on_abstain" not in self.model_fields_set:
            object.__setattr__(self, "on_abstain", "refuse")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.model: frozenset({"steps"})}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        model = tools.model(self.model)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            steps = [self._steps(record) for record in records]
            asked = {at: self._tagged(records[at], one) for at, one in enumerate(steps) if 0 < len(one) <= self.max_steps}
            replies = dict(zip(asked, await model.score(list(asked.values()), step_tag=self.step_tag), strict=True)) if asked else {}
            return [self._verdict(one, replies.get(at)) for at, one in enumerate(steps)]

        yield judge

    def _steps(self, record: Record) -> list[str]:
        if isinstance(record.content, ScoredSteps):
            texts = [step.text for step in record.content.steps]
        elif record.response is None:
            return []
        else:
            whole = "\n\n".join(parts_of(record, self.parts).values())
            texts = (_BLANK if self.split == "blank_lines" else _LINE).split(whole)
        return [clean for text in texts if (clean := _without(text, self.step_tag).strip())]

    def _tagged(self, record: Record, steps: Sequence[str]) -> tuple[Message, ...]:
        before = record.content.prompt if isinstance(record.content, ScoredSteps) else record.messages[:-1]
        turns = [turn.model_copy(update={"content": _without(turn.text, self.step_tag)}) for turn in before]
        return (*turns, assistant("".join(step + self.step_tag for step in steps)))

    def _verdict(self, steps: Sequence[str], reply: Reply | None) -> Verdict:
        by = self.part_name()
        if reply is None:
            reason = f"too_many_steps: {len(steps)}, at most {self.max_steps}" if steps else "no_steps: there is no answer to take apart"
            return Verdict(by=by, outcome="abstain", reason=reason)
        if len(reply.values) != len(steps):
            why = shown(reply.text) or f"{len(reply.values)} scores for {len(steps)} steps"
            return Verdict(by=by, outcome="abstain", reason=f"not_scored: {why}")
        score = self._together(reply.values)
        weakest = min(range(len(steps)), key=lambda at: reply.values[at])
        evidence = {"steps": [round(value, 4) for value in reply.values[:SHOWN]], "of": len(steps), "weakest": weakest + 1}
        if self.min_score is None or score >= self.min_score:
            return Verdict(by=by, outcome="keep", score=score, evidence=evidence)
        reason = (
            f"weak_step: {self.aggregate} {score:.3g}, at least {self.min_score:g} asked; "
            f"step {weakest + 1} of {len(steps)} has {reply.values[weakest]:.3g}: {shown(steps[weakest])}"
        )
        return Verdict(by=by, outcome="refuse", score=score, reason=reason, evidence=evidence)

    def _together(self, values: Sequence[float]) -> float:
        match self.aggregate:
            case "min":
                return min(values)
            case "product":
                return math.prod(values)
            case "last":
                return values[-1]
            case "mean":
                return sum(values) / len(values)


def _without(text: str, tag: str) -> str:
    """The text without the tag, also where taking one out would make another."""
    while tag in text:
        text = text.replace(tag, "")
    return text
