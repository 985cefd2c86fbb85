"""Refuse answers that do not do what the prompt's checkable instructions ask for."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ..core.errors import WorkerFault, nearest
from ..core.part import Filter, Judge, Tools
from ..core.record import Outcome, Record, Verdict
from ..formats.constraints import IDS, Constraint
from ._parts import parts_of
from ._worked import answers, textual

Asked = list[tuple[str, dict[str, Any]]]


class Instructions(Filter):
    """Check the 25 instruction types of IFEval on the answer (what follows the thinking).

    Instructions are read from the record: the columns `instruction_id_list` and `kwargs`, as IFEval's rows have them, or the
    same as JSON in `tests` (what `formats.constraints.dump` writes); those of `constraints` are asked of every record. The score
    is the share followed. An instruction that is unknown or whose parameters are unusable makes the record an abstention,
    as does a record without any instruction. The work is done in a worker process.
    """

    batch: ClassVar[int] = 64

    constraints: tuple[Constraint, ...] = ()
    """Instructions for every record, each `{id: ..., kwargs: {...}}`."""
    mode: Literal["strict", "loose"] = "strict"
    """`loose` also takes the answer without its first line, its last line or both, and without asterisks (IFEval's eight variants)."""
    require: Literal["all", "any", "share"] = "all"
    """How many must be followed; `share`: at least `min_share` of them."""
    min_share: float = Field(default=0.5, ge=0, le=1)
    """With `require: share`."""
    timeout_s: float = Field(default=10, gt=0)
    """Seconds that one answer, or one batch of them, may take."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without instructions, or with unusable ones."""

    @field_validator("constraints")
    @classmethod
    def _known(cls, constraints: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
        from ._instructions import CHECKS, Unreadable, language_of

        for one in constraints:
            if one.id not in CHECKS:
                raise ValueError(f"unknown instruction {one.id!r}; {nearest(one.id, IDS)}")
            try:
                CHECKS[one.id]("a", one.kwargs)
                language_of(one.id, one.kwargs)
            except Unreadable as error:
                raise ValueError(f"{one.id}: {error}") from error
        return constraints

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            verdicts: dict[int, Verdict] = {}
            questions: dict[int, dict[str, Any]] = {}
            for at, record in enumerate(records):
                read = self._read(record)
                if isinstance(read, Verdict):
                    verdicts[at] = read
                else:
                    questions[at] = read
            said = await answers(tools.workers, f"{__package__}._instructions_worker:followed", list(questions.values()), self.timeout_s)
            for (at, question), answer in zip(questions.items(), said, strict=True):
                verdicts[at] = self._verdict(question["asked"], answer)
            return [verdicts[at] for at in range(len(records))]

        yield judge

    def _read(self, record: Record) -> Verdict | dict[str, Any]:
        """The question for the worker, or the verdict where there is none to ask."""
        asked = _asked(record)
        if isinstance(asked, str):
            return self._said("abstain", f"bad_instruction: {asked}"[:300])
        asked = [(one.id, dict(one.kwargs)) for one in self.constraints] + asked
        if not asked:
            return self._said("abstain", "no_instructions: neither the record nor the recipe names any")
        parts = parts_of(record, ("answer",))
        if "prompt" in parts or (not record.messages and "answer" not in parts):
            return self._said("abstain", "no_response: the last turn is not the assistant's")
        text = parts.get("answer", "").strip()
        if not text:
            return self._said("refuse", "empty_answer: there is no text that could follow an instruction", 0.0)
        return {"text": textual(text), "asked": asked, "loose": self.mode == "loose"}

    def _verdict(self, asked: Asked, answer: dict[str, Any] | WorkerFault) -> Verdict:
        if isinstance(answer, WorkerFault):
            return self._said("abstain", f"check_failed: {answer}")
        if "unreadable" in answer:
            return self._said("abstain", answer["unreadable"][:300])
        flaws = {number: flaw for number, flaw in enumerate(answer["flaws"]) if flaw}
        followed = len(asked) - len(flaws)
        share = followed / len(asked)
        enough = {"all": not flaws, "any": followed > 0, "share": share >= self.min_share}[self.require]
        named = "; ".join(f"{asked[number][0]} ({flaw})" for number, flaw in list(flaws.items())[:3])
        evidence = {"followed": followed, "asked": len(asked), **({"flaws": named[:600]} if flaws else {})}
        reason = "" if enough else f"not_followed: {len(flaws)} of {len(asked)}: {named}"[:400]
        return self._said("keep" if enough else "refuse", reason, share, **evidence)

    def _said(self, outcome: Outcome, reason: str = "", score: float | None = None, **evidence: Any) -> Verdict:
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason, evidence=evidence)


def _asked(record: Record) -> Asked | str:
    """The record's own instructions, or why they cannot be read; an empty list where it has none."""
    found: Any = record.fields
    if "instruction_id_list" not in found and record.tests is not None:
        found = _loaded(record.tests)
        if not isinstance(found, Mapping) or "instruction_id_list" not in found:
            return []
    names, given = _loaded(found.get("instruction_id_list")), _loaded(found.get("kwargs"))
    if names is None:
        return []
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return "instruction_id_list must be a list of names"
    given = [{} for _ in names] if given is None else given
    if not isinstance(given, list | tuple) or len(given) != len(names):
        return f"kwargs must be a list of {len(names)} mappings, one for each instruction"
    each = [_loaded(one) or {} for one in given]
    if not all(isinstance(one, Mapping) for one in each):
        return "each of kwargs must be a mapping"
    return [(name, {key: value for key, value in one.items() if value is not None}) for name, one in zip(names, each, strict=True)]


def _loaded(value: Any) -> Any:
    """A value that may be written as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
