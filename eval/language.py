"""Refuse records that are not, or not throughout, in the target language."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, NamedTuple

from pydantic import Field, field_validator

from ..core.errors import WorkerFault, nearest
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown
from ._prose import LANGUAGES, foreign_spans, pieces, scripts_of, size, without_code, without_script, words_in

TIMEOUT_S = 120.0
"""Of one batch in the worker; the model reads about two million characters a second."""
CERTAINTY = 50
"""How many times likelier than the target language another one must be."""


class _Part(NamedTuple):
    """One part of a record, taken apart."""

    name: PartName
    foreign: list[tuple[str, str, float]]
    """(language or script, text, words) of each foreign span found so far."""
    judged: list[str]
    """Pieces for the language model."""
    words: float


class Language(Filter):
    """Every part in the target language, with no foreign sentence in between.

    Numbers, formulas, code, URLs and names are left out first. Runs in another script are found in process (an English
    text with Chinese, Cyrillic ... words in it, or a Chinese text with an English clause of four words or more); sentences in the same
    script go to a language model in a worker process. The score is the share of words in the target language (the language
    consistency of DeepSeek-R1). A record with too little text to tell is an abstention.
    """

    batch: ClassVar[int] = 64

    target: str = ""
    """ISO 639 code (`en`, `de`, `zh`); absent: the language of the recipe."""
    parts: tuple[PartName, ...] = ("reasoning", "answer")
    """What is judged, each part for itself; a record without an answer (a question) is judged by its prompt."""
    min_share: float = Field(default=0.95, ge=0, le=1)
    """Share of words in the target language at least."""
    max_spans: int = Field(default=0, ge=0)
    """Foreign sentences or runs of foreign script tolerated in a part, as long as the share is met."""
    min_letters: int = Field(default=20, ge=1)
    """Shorter sentences are judged together, as one text; below this in all there is nothing to judge."""
    min_confidence: float = Field(default=0.5, gt=0, le=1)
    """How sure the model must be of another language (0 to 1) to call a sentence foreign."""

    @field_validator("target")
    @classmethod
    def _known(cls, target: str) -> str:
        if target and not scripts_of(target):
            raise ValueError(f"unknown language {target!r}; {nearest(target, set(' '.join(LANGUAGES.values()).split()))}")
        return target

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        target = self._known(self.target or tools.language)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            read = [[self._taken(name, text, target) for name, text in parts_of(record, self.parts).items()] for record in records]
            texts = list(dict.fromkeys(piece for parts in read for part in parts for piece in part.judged))
            try:
                told = await self._told(texts, target, tools) if texts else {}
            except WorkerFault as fault:
                failed = f"detector_failed: {fault}"
                return [self._verdict(parts, {}, target, "" if not any(part.judged for part in parts) else failed) for parts in read]
            return [self._verdict(parts, told, target) for parts in read]

        yield judge

    def _taken(self, name: PartName, text: str, target: str) -> _Part:
        native = scripts_of(target)
        bare = without_code(text)
        spans = foreign_spans(bare, native)
        for script in {span.script for span in spans}:
            bare = without_script(bare, script)
        found = pieces(bare, names=target in ("de", "lb"))
        long = [piece for piece in found if size(piece) >= self.min_letters]
        short = " ".join(piece for piece in found if size(piece) < self.min_letters)
        judged = [*long, short] if size(short) >= self.min_letters else long
        words = sum(map(words_in, found)) + sum(span.words for span in spans)
        return _Part(name, [(span.script, span.text, span.words) for span in spans], judged, words)

    async def _told(self, texts: list[str], target: str, tools: Tools) -> dict[str, str]:
        """The language of those texts that are foreign."""
        question = {"target": target, "texts": texts}
        answers = await tools.workers.call(f"{__package__}._language_worker:identify", question, timeout_s=TIMEOUT_S)
        return {
            text: language
            for text, (language, sure, own) in zip(texts, answers, strict=True)
            if language not in (target, "zxx") and sure >= self.min_confidence and own * CERTAINTY <= sure
        }

    def _verdict(self, parts: list[_Part], told: dict[str, str], target: str, failed: str = "") -> Verdict:
        by = self.part_name()
        lowest, evidence = 1.0, {}
        for part in parts:
            foreign = part.foreign + [(told[piece], piece, words_in(piece)) for piece in part.judged if piece in told]
            share = max(0.0, 1 - sum(words for _, _, words in foreign) / part.words) if part.words else 1.0
            lowest = min(lowest, share)
            if not foreign or (len(foreign) <= self.max_spans and share >= self.min_share):
                continue
            language, text, _ = max(foreign, key=lambda span: span[2])
            evidence = {"part": part.name, "language": language, "span": shown(text), "spans": len(foreign)}
            word = "wrong_language" if share < 0.5 else "mixed_language"
            reason = f"{word}: {share:.0%} {target} in the {part.name}, {language}: {shown(text)}"
            return Verdict(by=by, outcome="refuse", score=lowest, reason=reason, evidence=evidence)
        if failed:
            return Verdict(by=by, outcome="abstain", reason=failed)
        if not any(part.judged or part.foreign for part in parts):
            return Verdict(by=by, outcome="abstain", reason="too_little_text: nothing to judge besides numbers and formulas")
        return Verdict(by=by, outcome="keep", score=lowest)
