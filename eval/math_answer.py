"""Refuse records whose final answer is not the reference answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field

from ..core.backend import Capability
from ..core.errors import WorkerFault
from ..core.part import Filter, Judge, Tools, Workers
from ..core.record import Outcome, Record, Verdict
from ._answers import Answer, agree, algebra, objection, read
from ._boxes import boxes, marked
from ._equivalence import equivalent, may_be_asked
from ._parts import parts_of, shown
from ._worked import textual

MOST_GOLDS = 20
"""Alternatives of a reference answer that count."""


class MathAnswer(Filter):
    r"""Compare the final answer with the record's reference answer.

    Only what follows the thinking is read: the last `\boxed{}`, or, with `extract: auto`, what stands after `####`, in
    `<answer>` tags, or after "The answer is" near the end. Equal texts, numbers, ratios, dates and times are decided at once (`1,234` is
    `1234`, `\frac{1}{2}` is `0.5`, units and currency signs may be left out; `7%` is `0.07` and not `7`); everything else goes to
    math-verify in a worker process that is killed at `timeout_s`. Refused in any case: boxes with different values, `7 or 8`,
    `\pm 7`, a free equation (`8=7`), a sum or integral that was left to the reader, an answer over `max_chars`. A reference may be a
    JSON list of texts, any of which will do. Without a reference, or when the verifier cannot decide in time, it abstains.
    What the rules call wrong can be shown to a `judge`; its word is marked as such. Score: 1 right, 0 wrong.
    """

    prompts: ClassVar[tuple[str, ...]] = ("math.equivalent",)
    version: ClassVar[str] = "3"

    extract: Literal["auto", "boxed"] = "auto"
    r"""Where the answer is looked for; `boxed` reads nothing but `\boxed{}`."""
    timeout_s: float = Field(default=5, gt=0)
    """Seconds that one comparison may take."""
    max_chars: int = Field(default=300, ge=1, le=2000)
    """A longer final answer is refused unread."""
    judge: str = ""
    """A model that is asked about answers which the rules call wrong; absent: nobody is. It never overrules the guards."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a reference answer, or whose comparison ran out of time."""

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.judge: frozenset({"chat"})} if self.judge else {}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judged(record, tools) for record in records))

        yield judge

    async def _judged(self, record: Record, tools: Tools) -> Verdict:
        golds = self._golds(record)
        if isinstance(golds, str):
            return self._verdict("abstain", golds)
        got = self._got(record)
        if isinstance(got, str):
            return self._verdict("refuse", got, got="", expected=_either(golds))
        verdict = await self._by_rules(got, golds, tools.workers)
        if self.judge and verdict.reason.startswith("wrong_answer") and may_be_asked(got.raw, _either(golds)):
            return await self._by_judge(record, got, golds, verdict, tools)
        return verdict

    async def _by_rules(self, got: Answer, golds: list[Answer], workers: Workers) -> Verdict:
        """Right where it is one of the references; else what is said of the first (an abstention outweighs a refusal)."""
        if (same := next((gold for gold in golds if agree(got, gold)), None)) is not None:
            return self._compared(got, golds, "string" if got.text == same.text else "number", "")
        doubtful: Verdict | None = None
        refused: Verdict | None = None
        for gold in golds:
            if reason := objection(got, gold):
                by = "string" if got.value is None or gold.value is None else "number"
                refused = refused or self._compared(got, golds, by, _of_all(reason, got, golds))
                continue
            verdict = await self._verified(got, gold, golds, workers)
            if verdict.keep or verdict.reason.startswith("verifier_"):
                return verdict  # whatever was too much for one comparison is not tried against twenty references
            if verdict.outcome == "abstain":
                doubtful = doubtful or verdict
            else:
                refused = refused or verdict
        chosen = doubtful or refused
        assert chosen is not None
        return chosen

    async def _verified(self, got: Answer, gold: Answer, golds: list[Answer], workers: Workers) -> Verdict:
        pair = {"gold": algebra(gold), "got": algebra(got)}
        try:
            said = await workers.call(f"{__package__}._math_worker:equal", pair, timeout_s=self.timeout_s)
        except WorkerFault as fault:
            word = {"timeout": "verifier_timeout", "died": "verifier_died"}.get(fault.reason, "verifier_failed")
            return self._verdict("abstain", f"{word}: {got.raw} against {gold.raw}: {fault}", got=got.raw, expected=gold.raw)
        if said == "gold_unreadable":
            return self._verdict("abstain", f"unreadable_gold: {gold.raw}", got=got.raw, expected=gold.raw)
        wrong = "" if said == "equal" else f"wrong_answer: got {got.raw}, expected {_either(golds)}"
        return self._compared(got, golds, "math_verify", wrong)

    async def _by_judge(self, record: Record, got: Answer, golds: list[Answer], ruled: Verdict, tools: Tools) -> Verdict:
        """The judge's word on what the rules refuse."""
        same = await equivalent(record, got.raw, [gold.raw for gold in golds], self.judge, tools)
        if same is None:
            return self._verdict("abstain", f"judge_unreadable: {ruled.reason}", got=got.raw, expected=_either(golds), by="judge")
        return self._compared(got, golds, "judge", "" if same else ruled.reason)

    def _golds(self, record: Record) -> list[Answer] | str:
        """The references: one, or any of a JSON list of texts."""
        written = textual(record.answer or "").strip()
        found = [self._gold(one) for one in _alternatives(written)]
        return [one for one in found if isinstance(one, Answer)] or str(found[0])

    def _gold(self, written: str) -> Answer | str:
        if not written:
            return "no_gold: the record has no reference answer"
        found = (boxes(written) or [marked(written) or written])[-1]
        if len(found) > self.max_chars:
            return f"no_gold: no final answer found in the reference: {shown(written)}"
        return read(found)

    def _got(self, record: Record) -> Answer | str:
        final = textual(parts_of(record, ("answer",)).get("answer", "")) if record.response is not None else ""
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

    def _compared(self, got: Answer, golds: list[Answer], by: str, wrong: str) -> Verdict:
        outcome: Outcome = "refuse" if wrong else "keep"
        return self._verdict(outcome, wrong, 0.0 if wrong else 1.0, got=got.raw, expected=_either(golds), by=by)

    def _verdict(self, outcome: Outcome, reason: str = "", score: float | None = None, **evidence: str) -> Verdict:
        if outcome == "refuse":
            score = 0.0
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason, evidence=evidence)


def _alternatives(written: str) -> list[str]:
    """The texts of a JSON list of texts, or the text itself (`[1, 2]` is an interval)."""
    if not written.startswith("["):
        return [written]
    try:
        several = json.loads(written)
    except (ValueError, RecursionError):
        return [written]
    if not isinstance(several, list) or not several or not all(isinstance(one, str) and one.strip() for one in several):
        return [written]
    return [one.strip() for one in several[:MOST_GOLDS]]


def _either(golds: list[Answer]) -> str:
    return shown(" or ".join(dict.fromkeys(gold.raw for gold in golds)), 300)


def _of_all(reason: str, got: Answer, golds: list[Answer]) -> str:
    """A plain `wrong_answer` names all references."""
    return f"wrong_answer: got {got.raw}, expected {_either(golds)}" if reason.startswith("wrong_answer") else reason
