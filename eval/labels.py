"""Label records by a scorer of your own: a function, or a model that scores."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ..core.backend import Capability
from ..core.errors import RecipeError, WorkerFault
from ..core.part import Change, Edit, Tools
from ..core.plug import admitted
from ..core.record import Label, Record
from ._conversation import scores
from ._judge_text import legible
from ._parts import parts_of

_LONGEST = 500
"""Characters of a label that is a text."""


class Labels(Edit):
    """Writes what a scorer says of each record into a label: toxicity, licence, readability, whatever it knows.

    The scorer is a Python function (`function: their_pkg.scores:toxicity`, admitted like plug-ins by DATALCHEMY_PLUGINS), or a
    `model` with the capability `score` (a reward model or a classifier). The function runs in a worker process and is given a
    list of `{"prompt", "reasoning", "answer"}`; it gives a list of numbers, texts or nulls, one for each. What it cannot score
    is null. Use `by_label` to refuse by the label, or `target: {by: ...}` to ask for shares of it.
    """

    batch: ClassVar[int] = 32

    label: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """The column."""
    function: str = Field(default="", pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)?$")
    """`module:function` that scores."""
    model: str = ""
    """A model that scores."""
    timeout_s: float = Field(default=60, gt=0)
    """Of one batch of the function; one that takes longer is ended, and its records are tried one by one."""

    @field_validator("function")
    @classmethod
    def _is_admitted(cls, function: str) -> str:
        if function:
            try:
                admitted(function.partition(":")[0])
            except RecipeError as error:
                raise ValueError(str(error)) from error
            if find_spec(function.partition(":")[0].partition(".")[0]) is None:
                raise ValueError(f"there is no module {function.partition(':')[0]}")
        return function

    @model_validator(mode="after")
    def _one_scorer(self) -> Self:
        if bool(self.function) == bool(self.model):
            raise ValueError("labels need exactly one of `function` and `model`")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.model: frozenset({"score"})} if self.model else {}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Change]:
        async def change(records: Sequence[Record]) -> Sequence[Record]:
            said = await (self._by_model(records, tools) if self.model else self._by_function(records, tools))
            return [self._labelled(record, *one) for record, one in zip(records, said, strict=True)]

        yield change

    def _labelled(self, record: Record, value: Label, why: str) -> Record:
        detail: dict[str, Any] = {"why": why} if why else {}
        return record.derive(self.part_name(), record.content, labels={self.label: value}, scorer=self.function or self.model, **detail)

    async def _by_model(self, records: Sequence[Record], tools: Tools) -> list[tuple[Label, str]]:
        found = await scores(records, tools.model(self.model), thinking=False)
        return [(None, one) if isinstance(one, str) else (one, "") for one in found]

    async def _by_function(self, records: Sequence[Record], tools: Tools) -> list[tuple[Label, str]]:
        rows = [{name: legible(text) for name, text in parts_of(record, ("prompt", "reasoning", "answer")).items()} for record in records]
        try:
            said = await tools.workers.call(self.function, rows, timeout_s=self.timeout_s) if rows else []
        except WorkerFault as fault:
            if len(records) == 1:
                return [(None, f"scorer_failed: {str(fault)[:200]}")]
            return [one for record in records for one in await self._by_function([record], tools)]
        if not isinstance(said, list) or len(said) != len(records):
            return [(None, f"bad_scorer: {len(records)} records were given, and no list of as many values came back")] * len(records)
        return [_label(value) for value in said]


def _label(value: Any) -> tuple[Label, str]:
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value)):
        return value, ""
    if isinstance(value, str):
        return legible(value)[:_LONGEST], ""
    return None, f"bad_scorer: a label is a number, a text or null, and not {type(value).__name__}"
