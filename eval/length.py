"""Refuse records whose parts are too short or too long."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ..core.frozen import Frozen
from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown

_PARTS: tuple[PartName, ...] = ("prompt", "reasoning", "answer")


class Bounds(Frozen):
    """How long a text may be; None: no limit."""

    min_chars: int | None = Field(default=None, ge=0)
    max_chars: int | None = Field(default=None, ge=0)
    min_words: int | None = Field(default=None, ge=0)
    """Words are what stands between spaces: for Chinese or Japanese use characters."""
    max_words: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for unit in ("chars", "words"):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{unit} ({least}) is above max_{unit} ({most})")
        return self

    def flaw(self, text: str) -> tuple[str, str]:
        """(`too_short` | `too_long`, how much), or two empty strings."""
        for unit, size in (("chars", len(text)), ("words", len(text.split()))):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if least is not None and size < least:
                return "too_short", f"{size} {unit}, at least {least} wanted"
            if most is not None and size > most:
                return "too_long", f"{size} {unit}, at most {most} wanted"
        return "", ""


class Length(Check):
    """Bounds on prompt, reasoning and answer, and no endless paragraphs.

    Each of `prompt`, `reasoning`, `answer` takes `min_chars`, `max_chars`, `min_words`, `max_words`; without settings an
    empty answer is refused and nothing else is bounded but the paragraphs. DeepSeek-R1's data dropped reasoning with long
    paragraphs without saying how long; the threshold here is ours. A record without an answer (a question) is judged by its prompt.
    """

    prompt: Bounds = Bounds()
    reasoning: Bounds = Bounds()
    answer: Bounds = Bounds(min_chars=1)
    max_paragraph_chars: int | None = Field(default=3000, ge=1)
    """Characters without a line break at most, in reasoning and answer; null: no limit."""

    def check(self, record: Record) -> Verdict:
        found = parts_of(record, _PARTS)
        judged = _PARTS if record.response is not None else tuple(found)
        for name in judged:
            text = found.get(name, "").strip()
            word, detail = getattr(self, name).flaw(text)
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
