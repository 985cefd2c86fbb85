"""Label records by a model, or by the nearest examples: task, topic, difficulty, quality, safety, language, or axes of your own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from ..core.backend import Capability, Model, Reply, Sampling
from ..core.part import Change, Edit, Rendered, Tools
from ..core.record import PlainText, Record, user
from ..core.think import split
from ._axes import Axis, BuiltIn, built_in
from ._judge_reply import last
from ._judge_text import legible, mark, told
from ._nearest import Nearest

_EMBEDDED = 2000
"""Characters of a text that are embedded."""


class Tag(Edit):
    """Writes one label an axis into the record's labels, which become columns and can divide a target (`target: {by: topic}`).

    An axis with `examples` is decided by the nearest of them (the encoder's embeddings, no model call); all others in one call of
    the model, which is shown the record as data between random marks. A value that is not in the axis's list becomes null and
    is counted in the label `untagged`; it never fails the record.
    """

    batch: ClassVar[int] = 16
    prompts: ClassVar[tuple[str, ...]] = ("tag.classify",)

    model: str = ""
    """The model that labels; only axes with examples do without."""
    axes: tuple[BuiltIn | Axis, ...] = Field(default=("task", "topic", "difficulty", "quality", "safety", "language"), min_length=1)
    """What is labelled: names of the axes that ship, or `{name, values, about, examples}`."""
    encoder: str = "encoder"
    """The model that embeds examples and records."""
    neighbours: int = Field(default=3, ge=1)
    """Examples of a value that count, the nearest ones."""
    min_similarity: float = Field(default=0.1, ge=-1, le=1)
    """Mean cosine of the neighbours below which no value is given."""
    max_chars: int = Field(default=12_000, ge=200)
    """Of a record as the model is shown it; the middle of a longer one is left out."""
    max_tokens: int = Field(default=400, ge=1)
    """Of the model's reply; more for a model that thinks first."""

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        axes = self._axes("en")
        if len({axis.name for axis in axes}) != len(axes):
            raise ValueError("two axes have the same name")
        if wrong := next(filter(None, (axis.unknown() for axis in axes)), ""):
            raise ValueError(wrong)
        asked = [axis.name for axis in axes if not axis.examples]
        if asked and not self.model:
            raise ValueError(f"{', '.join(asked)}: an axis without `examples` needs a `model`")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        axes = self._axes("en")
        wanted: dict[str, frozenset[Capability]] = {}
        if any(axis.examples for axis in axes):
            wanted[self.encoder] = frozenset({"embed"})
        if any(not axis.examples for axis in axes):
            wanted[self.model] = wanted.get(self.model, frozenset()) | {"chat"}
        return wanted

    def _axes(self, language: str) -> list[Axis]:
        return [axis if isinstance(axis, Axis) else built_in(axis, language) for axis in self.axes]

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Change]:
        axes = self._axes(tools.language)
        asked = [axis for axis in axes if not axis.examples]
        shown = [axis for axis in axes if axis.examples]
        nearest = await Nearest.of(shown, tools.model(self.encoder), self.neighbours, self.min_similarity) if shown else None

        async def change(records: Sequence[Record]) -> Sequence[Record]:
            texts = [_text(record) for record in records]
            found = await nearest.values([_question(record)[:_EMBEDDED] for record in records]) if nearest else [{} for _ in records]
            model = tools.model(self.model) if asked else None
            return await asyncio.gather(*(self._tagged(*one, asked, model, tools) for one in zip(records, texts, found, strict=True)))

        yield change

    async def _tagged(
        self, record: Record, text: str, found: Mapping[str, str | None], asked: Sequence[Axis], model: Model | None, tools: Tools
    ) -> Record:
        if not text:
            return record
        replies: list[Reply] = []
        labels, detail = dict(found), dict[str, Any]()
        if model is not None:
            reply, wording, said = await self._said(text, asked, model, tools)
            replies.append(reply)
            detail |= {"prompt": wording.name, "template": wording.template}
            labels |= {axis.name: axis.value(said.get(axis.name)) for axis in asked}
            detail["outside"] = [axis.name for axis in asked if labels[axis.name] is None and axis.name in said]
        missing = sum(value is None for value in labels.values())
        return record.derive(self.part_name(), record.content, replies=replies, labels={**labels, "untagged": missing}, **detail)

    async def _said(self, text: str, axes: Sequence[Axis], model: Model, tools: Tools) -> tuple[Reply, Rendered, Mapping[str, Any]]:
        """The reply, and the object in it that names an axis; an object that stands in the record itself is not taken for one."""
        shown = _cut(text, self.max_chars)
        labels = "\n".join(axis.told() for axis in axes)
        form = json.dumps({axis.name: "..." for axis in axes})
        wording = tools.render("tag.classify", record=shown, labels=labels, form=form, mark=mark(tools, shown))
        schema = _schema(axes) if "json_schema" in model.capabilities else None
        sampling = Sampling(temperature=0, max_tokens=self.max_tokens)
        reply = await model.chat([user(wording.text)], path="tag", sampling=sampling, json_schema=schema)
        names = {axis.name for axis in axes}
        said = last(split(reply).answer, [shown], lambda value: value if names & set(value) else None)
        return reply, wording, said or {}


def _schema(axes: Sequence[Axis]) -> dict[str, Any]:
    properties = {axis.name: {"type": "string", "enum": list(axis.values)} for axis in axes}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _text(record: Record) -> str:
    return legible(record.content.text) if isinstance(record.content, PlainText) else told(record.messages)


def _question(record: Record) -> str:
    """What is embedded: the last question, or all there is."""
    return legible(record.prompt) or _text(record)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}\n[...]\n{text[-most // 3 :]}"
