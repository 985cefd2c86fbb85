"""Refuse answers that are not JSON, or not the JSON that a schema asks for."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.errors import RecipeError, WorkerFault
from ..core.part import Filter, Judge, Tools
from ..core.record import Outcome, Record, Verdict
from ._parts import parts_of
from ._worked import answers, textual


class JsonSchema(Filter):
    """One JSON value, valid under a schema: of the recipe, of a file, or of the record itself.

    JSON is read strictly: a key that occurs twice, NaN, nesting of more than 100 levels and text behind the value are each a
    reason of their own. The schema is JSON Schema (draft 2020-12 unless its `$schema` says otherwise); what it refers to is
    never fetched. All work is done in a worker process that is killed at `timeout_s`, as schemas can be made to take for ever.
    Score: 1 valid, 0 not.
    """

    batch: ClassVar[int] = 64

    json_schema: dict[str, Any] | None = None
    """The schema; absent: the record's own."""
    schema_file: str = ""
    """A JSON file with the schema, read when the recipe is; it becomes `json_schema`."""
    schema_field: str = "schema"
    """Column with the record's own schema (an object or JSON text), where the recipe has none."""
    part: Literal["response", "reference", "tests"] = "response"
    """What is judged: the answer (what follows the thinking), the record's reference answer, or its tests."""
    column: str = ""
    """Column of the record that is judged instead of `part` (text, or a value that is JSON already)."""
    form: Literal["auto", "whole", "fenced"] = "auto"
    """`whole`: the text is the JSON value; `fenced`: the last fenced block is; `auto`: either, and nothing else beside it."""
    formats: bool = False
    """Whether `format` (date, email, uri ...) is checked too."""
    timeout_s: float = Field(default=5, gt=0)
    """Seconds that one check, or one batch of them, may take."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a schema, or with an unusable one."""

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, settings: Any) -> Any:
        if not isinstance(settings, Mapping) or not settings.get("schema_file"):
            return settings
        if settings.get("json_schema") is not None:
            raise ValueError("give `json_schema` or `schema_file`, not both")
        return {**settings, "json_schema": _read(str(settings["schema_file"])), "schema_file": ""}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        fixed = None if self.json_schema is None else json.dumps(self.json_schema)
        if fixed is not None:
            await self._usable(fixed, tools)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            read = [self._question(record, fixed) for record in records]
            questions = [one for one in read if not isinstance(one, Verdict)]
            said = iter(await answers(tools.workers, f"{__package__}._json_worker:valid", questions, self.timeout_s))
            return [one if isinstance(one, Verdict) else self._verdict(next(said)) for one in read]

        yield judge

    async def _usable(self, schema: str, tools: Tools) -> None:
        """Raises RecipeError for a schema that no record could be judged by."""
        probe = {"text": "null", "schema": schema, "form": "whole", "formats": self.formats}
        (said,) = await answers(tools.workers, f"{__package__}._json_worker:valid", [probe], self.timeout_s)
        if not isinstance(said, WorkerFault) and said[0] == "unusable":
            raise RecipeError(f"this is no JSON Schema: {said[1].removeprefix('bad_schema: ')}", "json_schema")

    def _question(self, record: Record, fixed: str | None) -> Verdict | dict[str, Any]:
        """What the worker is asked, or the verdict where there is nothing to ask."""
        schema = fixed if fixed is not None else _own(record.fields.get(self.schema_field))
        if schema is None:
            return self._said("abstain", f"no_schema: neither the recipe nor the record's column {self.schema_field!r} has one")
        text = self._text(record)
        if text is None:
            return self._said("abstain", f"no_{'column' if self.column else self.part}: there is none to judge")
        return {"text": textual(text), "schema": textual(schema), "form": self.form, "formats": self.formats}

    def _text(self, record: Record) -> str | None:
        if self.column:
            return _own(record.fields.get(self.column))
        if self.part != "response":
            return record.answer if self.part == "reference" else record.tests
        if record.response is None and record.messages:
            return None
        found = parts_of(record, ("answer",))
        return found.get("answer", "" if record.response is not None else None)

    def _verdict(self, answer: tuple[str, str] | WorkerFault) -> Verdict:
        if isinstance(answer, WorkerFault):
            word = "check_timeout" if answer.reason == "timeout" else "check_failed"
            return self._said("abstain", f"{word}: {answer}"[:300])
        outcome, reason = answer
        if outcome == "unusable":
            return self._said("abstain", reason[:300])
        return self._said("keep", score=1.0) if outcome == "valid" else self._said("refuse", reason[:400], 0.0)

    def _said(self, outcome: Outcome, reason: str = "", score: float | None = None) -> Verdict:
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason)


def _own(value: Any) -> str | None:
    """A column's value as JSON text; None where it holds nothing."""
    if value is None or isinstance(value, str):
        return value or None
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return "null"


def _read(path: str) -> Any:
    try:
        text = Path(path).read_text("utf-8")
        return json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"schema_file {path!r} cannot be read as JSON: {error}") from error
