"""Refuse records whose parts are too short or too long."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Self

from pydantic import Field, model_validator

from ..core.backend import Capability, Model
from ..core.frozen import Frozen
from ..core.part import Check, Judge, Tools
from ..core.record import Message, Record, Verdict
from ._parts import PartName, parts_of, shown

_PARTS: tuple[PartName, ...] = ("prompt", "reasoning", "answer")


class Bounds(Frozen):
    """How long a text may be; None: no limit."""

    min_chars: int | None = Field(default=None, ge=0)
    max_chars: int | None = Field(default=None, ge=0)
    min_words: int | None = Field(default=None, ge=0)
    """Words are what stands between spaces: for Chinese or Japanese use characters."""
    max_words: int | None = Field(default=None, ge=0)
    min_tokens: int | None = Field(default=None, ge=0)
    """Of the model that `tokenizer` names."""
    max_tokens: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for unit in ("chars", "words", "tokens"):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{unit} ({least}) is above max_{unit} ({most})")
        return self

    @property
    def in_tokens(self) -> bool:
        return self.min_tokens is not None or self.max_tokens is not None

    def flaw(self, sizes: Mapping[str, int]) -> tuple[str, str]:
        """(`too_short` | `too_long`, how much), or two empty strings."""
        for unit, size in sizes.items():
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if least is not None and size < least:
                return "too_short", f"{size} {unit}, at least {least} wanted"
            if most is not None and size > most:
                return "too_long", f"{size} {unit}, at most {most} wanted"
        return "", ""


class Length(Check):
    """Bounds on prompt, reasoning and answer, and no endless paragraphs.

    Each of `prompt`, `reasoning`, `answer` takes `min_` and `max_` of `chars`, `words` and `tokens` (as the model that `tokenizer`
    names counts them); without settings an empty answer is refused and nothing else is bounded but the paragraphs. DeepSeek-R1's data dropped reasoning with long
    paragraphs without saying how long; the threshold here is ours. A record without an answer (a question) is judged by its prompt,
    and an answer that is nothing but a call of tools or a picture has no length.
    """

    prompt: Bounds = Bounds()
    reasoning: Bounds = Bounds()
    answer: Bounds = Bounds(min_chars=1)
    max_paragraph_chars: int | None = Field(default=3000, ge=1)
    """Characters without a line break at most, in reasoning and answer; null: no limit."""

    tokenizer: str = ""
    """One of the recipe's models, whose tokenizer counts tokens; needed for `min_tokens` and `max_tokens`."""

    @model_validator(mode="after")
    def _has_tokenizer(self) -> Self:
        if self._in_tokens() and not self.tokenizer:
            raise ValueError("min_tokens and max_tokens need `tokenizer`: the name of a model that counts them")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.tokenizer: frozenset()} if self.tokenizer else {}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        model = tools.model(self.tokenizer) if self._in_tokens() else None

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            verdicts = [self.check(record) for record in records]
            if model is None:
                return verdicts
            return [
                await self._counted(record, model) if verdict.keep else verdict for record, verdict in zip(records, verdicts, strict=True)
            ]

        yield judge

    def _in_tokens(self) -> list[PartName]:
        return [name for name in _PARTS if getattr(self, name).in_tokens]

    async def _counted(self, record: Record, model: Model) -> Verdict:
        """The verdict by tokens, which no process can count by itself."""
        found = parts_of(record, _PARTS)
        counts = {}
        for name in self._in_tokens():
            if name not in found and (record.response is None or (name == "answer" and _is_wordless(record.response))):
                continue
            text = found.get(name, "").strip().encode("utf-8", "replace").decode()
            counts[name] = len(await model.tokenize(text)) if text else 0
            word, detail = getattr(self, name).flaw({"tokens": counts[name]})
            if word:
                return self.refused(f"{word}: the {name} has {detail}", part=name, tokens=counts[name])
        return self.kept(**{f"{name}_tokens": count for name, count in counts.items()})

    def check(self, record: Record) -> Verdict:
        found = parts_of(record, _PARTS)
        judged = _PARTS if record.response is not None else tuple(found)
        for name in judged:
            if name == "answer" and name not in found and record.response is not None and _is_wordless(record.response):
                continue
            text = found.get(name, "").strip()
            word, detail = getattr(self, name).flaw({"chars": len(text), "words": len(text.split())})
            if word:
                return self.refused(f"{word}: the {name} has {detail}", part=name, chars=len(text))
            if name != "prompt" and (paragraph := self._paragraph(text)):
                detail = f"{len(paragraph)} characters without a line break in the {name}, at most {self.max_paragraph_chars} wanted"
                return self.refused(f"long_paragraph: {detail}: {shown(paragraph)}", part=name, chars=len(paragraph))
        return self.kept(**{f"{name}_chars": len(text) for name, text in found.items()})

    def _paragraph(self, text: str) -> str:
        """The longest paragraph, if it is too long."""
        if self.max_paragraph_chars is None or len(text) <= self.max_paragraph_chars:
            return ""
        longest = max(text.splitlines(), key=len)
        return longest if len(longest) > self.max_paragraph_chars else ""


def _is_wordless(answer: Message) -> bool:
    """Whether a turn says something without a text: by a call of tools, or by media."""
    return bool(answer.tool_calls) or any(part.type != "text" for part in answer.content if not isinstance(part, str))
