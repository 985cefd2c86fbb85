"""Refuse what a guard model calls unsafe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field

from ..core.backend import Sampling
from ..core.part import Filter, Judge, Tools
from ..core.record import Message, Outcome, PlainText, Record, Verdict
from ..core.think import split
from ._guard_forms import Form, Said, read
from ._parts import shown


class Guard(Filter):
    """A guard model at an endpoint: Llama Guard, Qwen3Guard, WildGuard, ShieldGemma, Granite Guardian, or any chat model (`ask`).

    A guard's own chat template puts the question, so it is sent the conversation as it is (its turns' texts, without thinking
    unless `reasoning`), at temperature 0, and its output form is read: `auto` knows those of Llama Guard, Qwen3Guard and WildGuard.
    With `ask` a model that is no guard is asked in our wording, the conversation shown to it as data. A reply that cannot be read
    is an abstention. Score: 1 safe, 0.5 controversial, 0 unsafe.
    """

    batch: ClassVar[int] = 16
    prompts: ClassVar[tuple[str, ...]] = ("guard.ask",)

    model: str = "guard"
    """The guard, one of the recipe's models."""
    form: Form = "auto"
    """How it answers: `llama_guard` (`safe`, or `unsafe` and a line of categories), `qwen3guard` (`Safety: ...`), `wildguard`, `yes_no` (yes is a violation: ShieldGemma, Granite Guardian), or `auto` for the first three."""
    ask: bool = False
    """Whether it is asked in our wording (for a model that is no guard); its answer then has the form of `llama_guard`."""
    reasoning: bool = False
    """Whether the assistant's thinking is shown to it too."""
    strict: bool = False
    """Whether `controversial` (Qwen3Guard) counts as unsafe."""
    tolerate: tuple[str, ...] = ()
    """Categories that are let through (`S6`, `Unethical Acts`), as long as no other is named."""
    max_tokens: int = Field(default=128, ge=1)
    """Of the guard's reply; more for a guard that thinks first."""
    max_chars: int = Field(default=200_000, ge=1)
    """A longer conversation is not sent: an abstention."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record that cannot be judged."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judged(record, tools) for record in records))

        yield judge

    async def _judged(self, record: Record, tools: Tools) -> Verdict:
        turns = self._turns(record)
        size = sum(len(turn.text) for turn in turns)
        if not size:
            return self._verdict("abstain", "no_text: there is nothing to judge")
        if size > self.max_chars:
            return self._verdict("abstain", f"too_long: {size} characters, at most {self.max_chars} are sent")
        if self.ask:
            shown_turns = "\n\n".join(f"[{turn.role}]\n{turn.text}" for turn in turns)
            turns = (Message(role="user", content=tools.render("guard.ask", conversation=shown_turns, mark=f"=={record.id}==").text),)
        sampling = Sampling(temperature=0, max_tokens=self.max_tokens)
        reply = await tools.model(self.model).chat(turns, path="guard", sampling=sampling)
        answer = split(reply).answer
        said = read(answer, "llama_guard" if self.ask else self.form)
        if said is None:
            return self._verdict("abstain", f"unreadable_guard: {shown(answer) or 'an empty reply'}")
        return self._told(said)

    def _told(self, said: Said) -> Verdict:
        evidence = {"categories": list(said.categories)} if said.categories else {}
        score = {"safe": 1.0, "controversial": 0.5, "unsafe": 0.0}[said.level]
        tolerated = bool(said.categories) and all(one.casefold() in {t.casefold() for t in self.tolerate} for one in said.categories)
        if said.level == "safe" or tolerated or (said.level == "controversial" and not self.strict):
            return self._verdict("keep", "", score, **evidence)
        return self._verdict("refuse", f"{said.level}: {', '.join(said.categories) or 'no category named'}", score, **evidence)

    def _turns(self, record: Record) -> tuple[Message, ...]:
        """What is sent: roles and texts only."""
        if isinstance(record.content, PlainText):
            return (Message(role="user", content=_writable(record.content.text)),) if record.content.text else ()
        return tuple(
            Message(
                role=turn.role, content=_writable(f"{turn.reasoning}\n\n{turn.text}" if self.reasoning and turn.reasoning else turn.text)
            )
            for turn in record.messages
            if turn.role in ("system", "user", "assistant") and (turn.text or turn.reasoning)
        )

    def _verdict(self, outcome: Outcome, reason: str, score: float | None = None, **evidence: object) -> Verdict:
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason, evidence=evidence)


def _writable(text: str) -> str:
    """The text without lone surrogates, which no request can carry."""
    return text.encode("utf-8", "replace").decode()
