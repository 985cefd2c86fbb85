"""What all judges share: how a model is asked for a verdict, and when its verdict may remove a record."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import Field, model_validator

from ..core import think
from ..core.backend import Sampling
from ..core.errors import BudgetExhausted
from ..core.part import Filter, Judge, Tools
from ..core.record import Message, Outcome, Preference, Record, Verdict
from ._judge_calibration import Calibration, Labelled
from ._judge_reply import last
from ._judge_text import hollow, mark
from ._parts import shown

if TYPE_CHECKING:
    from ._judge_trust import Trust

T = TypeVar("T")

VERIFIERS = ("math_answer", "unit_tests", "logic", "instructions", "json_schema", "tool_calls", "answer_tags")
RULES = ("too_little_text", "judged_high_but_wrong")
"""Refusals that rest on no judge's word, and so need no trust in one."""
THINKING_SHARE = 5
"""How many times as long as `max_chars` a text may be together with the thinking in it."""
RETRY_TEMPERATURE = 0.7
"""Of the second try: the same request at temperature 0 would bring the same unreadable reply."""


class Said(NamedTuple):
    """What one reply came to."""

    value: Any
    reason: str
    by: str
    """The model and its revision, as the server tells them."""


class Judging(Filter):
    """A filter that asks a model for its opinion."""

    batch: ClassVar[int] = 16

    enforce: bool = False
    """Whether a refusal removes the record; needs `calibration`. `false` only labels it."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a verdict (an unreadable reply, nothing to judge)."""
    temperature: float | None = Field(default=0.0, ge=0)
    """Of the judge; `null`: as its model is set."""
    tries: int = Field(default=2, ge=1, le=5)
    """How often it is asked until its reply can be read."""
    thinking: bool = False
    """Whether the judge sees what the answer's author thought before it."""
    min_chars: int = Field(default=1, ge=0)
    """Letters and digits that an answer must have beyond phrases like "Let's solve this step by step:"; fewer are refused unasked."""
    max_chars: int = Field(default=40_000, ge=1)
    """A longer task or answer is an abstention."""
    outranked_by: tuple[str, ...] = VERIFIERS
    """Verifiers whose earlier refusal (with `enforce: false`) overrules the judge."""
    calibration: Calibration | None = None
    """Labelled records on which the judge is measured before it may gate: `{path: labelled.jsonl, min_agreement: 0.8}`."""
    canaries: bool = True
    """Whether known attacks and bad answers are judged first; a judge that takes more than 1 % of them does not gate."""

    @model_validator(mode="after")
    def _earned(self) -> Self:
        if self.enforce and self.calibration is None:
            raise ValueError(
                "a judge may only remove records after its agreement with labelled ones was measured: add "
                "`calibration: {path: labelled.jsonl}` (docs/judges.md), or leave `enforce` out to label"
            )
        if self.enforce and not self.canaries:
            raise ValueError("a judge that removes records is tried with canaries first: leave `canaries` out")
        return self

    def reads(self) -> Mapping[str, str]:
        return {"calibration": self.calibration.read(self.threshold())[1]} if self.calibration else {}

    @abstractmethod
    async def judged(self, record: Record, tools: Tools) -> Verdict:
        """What the judge says of one record, whether or not it is to be trusted."""

    async def judged_all(self, records: Sequence[Record], tools: Tools) -> Sequence[Verdict]:
        """The same for several."""
        return await asyncio.gather(*(self.judged(record, tools) for record in records))

    @abstractmethod
    def probe(self, task: str, answer: str, good: str) -> tuple[Record, ...]:
        """The first of these records has the answer to be tried; `good` is a right answer to compare it with."""

    def takes(self, verdicts: Sequence[Verdict]) -> bool:
        """Whether the verdicts on a probe's records mean that its answer is taken for a good one."""
        return verdicts[0].keep

    def label(self, row: Labelled, verdicts: Sequence[Verdict]) -> str:
        """What the verdicts on a labelled row come to, in the row's own terms."""
        if verdicts[0].outcome == "abstain":
            return "abstain"
        return str(verdicts[0].evidence.get("preferred", "")) if row.kind == "preferred" else verdicts[0].outcome

    def threshold(self) -> float | None:
        """From which score of a labelled row on it counts as `keep`; None where rows cannot be labelled by score."""
        return None

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        from ._judge_trust import trusted

        known: Trust | None = None
        with suppress(BudgetExhausted):  # it comes again with the first record, where it ends the run in good order
            known = await trusted(self, tools)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            nonlocal known
            trust = known = known or await trusted(self, tools)
            verdicts = await self.judged_all(records, tools)
            return [trust.applied(self._outranked(record, verdict)) for record, verdict in zip(records, verdicts, strict=True)]

        yield judge

    def _outranked(self, record: Record, verdict: Verdict) -> Verdict:
        """Refused where the judge likes what a verifier found wrong before."""
        wrong = next((one for one in record.verdicts if one.outcome == "refuse" and one.by.partition("#")[0] in self.outranked_by), None)
        if not verdict.keep or wrong is None:
            return verdict
        reason = f"judged_high_but_wrong: {wrong.by} said {shown(wrong.reason) or 'refuse'}"
        return verdict.model_copy(update={"outcome": "refuse", "reason": reason})

    def oversized(self, record: Record) -> Verdict | None:
        """An abstention where a text is so long, thinking and all, that it is not even to be cleaned; looks at lengths alone."""
        content = record.content
        turns = (*record.messages, *content.rejected) if isinstance(content, Preference) else record.messages
        longest = max((len(turn.text) for turn in turns), default=0) if turns else len(record.prompt)
        if max(longest, len(record.answer or "")) <= self.max_chars * THINKING_SHARE:
            return None
        return self.verdict("abstain", f"too_long: {longest:,} characters, at most {self.max_chars:,} without thinking")

    def hollow(self, text: str) -> bool:
        return hollow(text, self.min_chars)

    async def ask(
        self, tools: Tools, model: str, prompt: str, values: Mapping[str, str], read: Callable[[Mapping[str, Any]], T | None], *,
        path: str, schema: Mapping[str, Any], sample: int = 0,
    ) -> tuple[T, Said] | None:  # fmt: skip
        """Fill in a wording, ask, and read the verdict; None where no try brought a readable one.

        Values are material: they stand between marks that none of them holds.
        """
        rendered = tools.render(prompt, **{"mark": mark(tools, *values.values()), **values})
        asked = tools.model(model)
        for attempt in range(self.tries):
            reply = await asked.chat(
                [Message(role="user", content=rendered.text)],
                path=path,
                sample=sample * self.tries + attempt,
                sampling=self._sampling(attempt),
                json_schema=schema if "json_schema" in asked.capabilities else None,
            )
            answer = think.split(reply).answer
            found = last(answer, tuple(values.values()), lambda value: None if (one := read(value)) is None else (one, value))
            if found is not None:
                return found[0], Said(found[0], shown(_reason(found[1]), 300), reply.model)
        return None

    def _sampling(self, attempt: int) -> Sampling | None:
        if self.temperature is None:
            return None
        return Sampling(temperature=self.temperature if not attempt else max(self.temperature, RETRY_TEMPERATURE))

    def verdict(self, outcome: Outcome, reason: str = "", score: float | None = None, **evidence: Any) -> Verdict:
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason, evidence=evidence)


def _reason(value: Mapping[str, Any]) -> str:
    given = value.get("reason")
    return given.encode("utf-8", "replace").decode() if isinstance(given, str) else ""


def schema(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of a verdict: its reason first, so that it is thought before it is given."""
    fields = {"reason": {"type": "string"}, **properties}
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
