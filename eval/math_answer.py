"""Refuse records whose final answer is not the reference answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field

from ..core.errors import WorkerFault
from ..core.part import Filter, Judge, Tools, Workers
from ..core.record import Outcome, Record, Verdict
from ._answers import Answer, agree, algebra, objection, read
from ._boxes import boxes, marked
from ._parts import parts_of, shown


class MathAnswer(Filter):
    r"""Compare the final answer with the record's reference answer.

    Only what follows the thinking is read: the last `\boxed{}`, or, with `extract: auto`, what stands after `####`, in
    `<answer>` tags, or after "The answer is" near the end. Equal texts and equal numbers are decided at once (`1,234` is
    `1234`, `\frac{1}{2}` is `0.5`, units and currency signs may be left out; `7%` is not `7`); everything else goes to
    math-verify in a worker process that is killed at `timeout_s`. Refused in any case: boxes with different values, `7 or 8`,
    `\pm 7`, a free equation (`8=7`), a sum or integral that was left to the reader, an answer over `max_chars`.
    Without a reference answer, or when the verifier cannot decide in time, it abstains. Score: 1 right, 0 wrong.
    """

    batch: ClassVar[int] = 16

    extract: Literal["auto", "boxed"] = "auto"
    r"""Where the answer is looked for; `boxed` reads nothing but `\boxed{}`."""
    timeout_s: float = Field(default=5, gt=0)
    """Seconds that one comparison may take."""
    max_chars: int = Field(default=300, ge=1, le=2000)
    """A longer final answer is refused unread."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a reference answer, or whose comparison ran out of time."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judged(record, tools) for record in records))

        yield judge

    async def _judged(self, record: Record, tools: Tools) -> Verdict:
        gold = self._gold(record)
        if isinstance(gold, str):
            return self._verdict("abstain", gold)
        got = self._got(record)
        if isinstance(got, str):
            return self._verdict("refuse", got, got="", expected=gold.raw)
        if agree(got, gold):
            return self._compared(got, gold, "string" if got.text == gold.text else "number", "")
        if reason := objection(got, gold):
            return self._compared(got, gold, "string" if got.value is None or gold.value is None else "number", reason)
        return await self._verified(got, gold, tools.workers)

    async def _verified(self, got: Answer, gold: Answer, workers: Workers) -> Verdict:
        pair = {"gold": algebra(gold), "got": algebra(got)}
        try:
            said = await workers.call(f"{__package__}._math_worker:equal", pair, timeout_s=self.timeout_s)
        except WorkerFault as fault:
            word = {"timeout": "verifier_timeout", "died": "verifier_died"}.get(fault.reason, "verifier_failed")
            return self._verdict("abstain", f"{word}: {got.raw} against {gold.raw}: {fault}", got=got.raw, expected=gold.raw)
        if said == "gold_unreadable":
            return self._verdict("abstain", f"unreadable_gold: {gold.raw}", got=got.raw, expected=gold.raw)
        wrong = "" if said == "equal" else f"wrong_answer: got {got.raw}, expected {gold.raw}"
        return self._compared(got, gold, "math_verify", wrong)

    def _gold(self, record: Record) -> Answer | str:
        written = (record.answer or "").strip()
        if not written:
            return "no_gold: the record has no reference answer"
        found = (boxes(written) or [marked(written) or written])[-1]
        if len(found) > self.max_chars:
            return f"no_gold: no final answer found in the reference: {shown(written)}"
        return read(found)

    def _got(self, record: Record) -> Answer | str:
        final = parts_of(record, ("answer",)).get("answer", "") if record.response is not None else ""
        found = boxes(final)
        if not found and self.extract == "auto":
            found = [said] if (said := marked(final)) else [final.strip()] if read(final[: self.max_chars]).value is not None else []
        if not found or not found[-1]:
            return f"no_answer: no {'box' if self.extract == 'boxed' else 'final answer'} in: {shown(final[-200:]) or 'an empty text'}"
        if len(found[-1]) > self.max_chars:
            return f"answer_too_long: {len(found[-1])} characters, at most {self.max_chars}: {shown(found[-1])}"
        answers = [read(one, letters=True) for one in found if len(one) <= self.max_chars]
        odd = next((one for one in answers if not agree(one, answers[-1])), None)
        return answers[-1] if odd is None else f"several_answers: boxes with {odd.raw} and {answers[-1].raw}"

    def _compared(self, got: Answer, gold: Answer, by: str, wrong: str) -> Verdict:
        return self._verdict("refuse" if wrong else "keep", wrong, 0.0 if wrong else 1.0, got=got.raw, expected=gold.raw, by=by)

    def _verdict(self, outcome: Outcome, reason: str = "", score: float | None = None, **evidence: str) -> Verdict:
        if outcome == "refuse":
            score = 0.0
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason, evidence=evidence)
