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
from ._prose import LANGUAGES, foreign_spans, pieces, rivals, scripts_of, size, without_code, without_script, words_in

TIMEOUT_S = 120.0
"""Of one batch in the worker; the model reads about two million characters a second."""
CERTAINTY = 50
"""How many times likelier than the target language another one must be."""


_WORKER = f"{__package__}._language_worker:look"


class _Found(NamedTuple):
    """A clause in another language: which, and from which word to which."""

    language: str
    start: int
    end: int


class _Part(NamedTuple):
    """One part of a record, taken apart."""

    name: PartName
    foreign: list[tuple[str, str, float]]
    """(language or script, text, words) of each foreign span found so far."""
    judged: list[str]
    """Pieces for the language model."""
    pieces: list[str]
    """All pieces in their order, short ones too."""
    words: float


class Language(Filter):
    """Every part in the target language, with no foreign sentence in between.

        Numbers, formulas, code, URLs and names are left out first. Runs in another script are found in process (an English
        text with Chinese, Cyrillic ... words in it, or a Chinese text with an English clause of four words or more); sentences in the same
        script go to a language model in a worker process, which also looks for clauses in another language within them (English, German, French
    ... in one sentence) word by word. The score is the share of words in the target language (the language
        consistency of DeepSeek-R1). A record with too little text to tell is an abstention.
    """

    version: ClassVar[str] = "2"
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

    clauses: bool = True
    """Whether clauses of three words or more within a sentence are looked for, or whole sentences (of 12 words at most) only."""
    min_evidence: float = Field(default=12, gt=0)
    """How much likelier another language must make a clause, in nats; no word counts for more than five."""

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
                within = await self._within(read, target, tools) if texts and self.clauses else {}
            except WorkerFault as fault:
                failed = f"detector_failed: {fault}"
                return [self._verdict(parts, {}, {}, target, "" if not any(part.judged for part in parts) else failed) for parts in read]
            return [self._verdict(parts, told, within, target) for parts in read]

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
        return _Part(name, [(span.script, span.text, span.words) for span in spans], judged, found, words)

    async def _told(self, texts: list[str], target: str, tools: Tools) -> dict[str, str]:
        """The language of those texts that are foreign."""
        question = {"target": target, "texts": texts}
        answers = await tools.workers.call(_WORKER, question, timeout_s=TIMEOUT_S)
        return {
            text: language
            for text, (language, sure, own) in zip(texts, answers, strict=True)
            if language not in (target, "zxx") and sure >= self.min_confidence and own * CERTAINTY <= sure
        }

    async def _within(self, read: list[list[_Part]], target: str, tools: Tools) -> dict[str, list[_Found]]:
        """Clauses of other languages in each part, by its text."""
        against = rivals(target)
        runs = list(dict.fromkeys(" ".join(part.pieces) for parts in read for part in parts if part.judged))
        if not against or not runs:
            return {}
        question = {"target": target, "runs": runs, "rivals": against, "least": self.min_evidence}
        answers = await tools.workers.call(_WORKER, question, timeout_s=TIMEOUT_S)
        return {run: [_Found(*span) for span in spans] for run, spans in zip(runs, answers, strict=True)}

    def _verdict(self, parts: list[_Part], told: dict[str, str], within: dict[str, list[_Found]], target: str, failed: str = "") -> Verdict:
        by = self.part_name()
        lowest, evidence = 1.0, dict[str, object]()
        for part in parts:
            foreign = part.foreign + _foreign(part, told, within.get(" ".join(part.pieces), []))
            share = max(0.0, 1 - sum(words for _, _, words in foreign) / part.words) if part.words else 1.0
            lowest = min(lowest, share)
            if not foreign or (len(foreign) <= self.max_spans and share >= self.min_share):
                continue
            language, text, _ = max(foreign, key=lambda span: span[2])
            evidence = {"part": part.name, "language": language, "span": shown(text), "spans": len(foreign)}
            evidence["found"] = [{"language": code, "text": shown(said)} for code, said, _ in foreign[:5]]
            word = "wrong_language" if share < 0.5 else "mixed_language"
            reason = f"{word}: {share:.0%} {target} in the {part.name}, {language}: {shown(text)}"
            return Verdict(by=by, outcome="refuse", score=lowest, reason=reason, evidence=evidence)
        if failed:
            return Verdict(by=by, outcome="abstain", reason=failed)
        if not any(part.judged or part.foreign for part in parts):
            return Verdict(by=by, outcome="abstain", reason="too_little_text: nothing to judge besides numbers and formulas")
        return Verdict(by=by, outcome="keep", score=lowest)


def _foreign(part: _Part, told: dict[str, str], clauses: list[_Found]) -> list[tuple[str, str, float]]:
    """(language, text, words) of each foreign clause, and of each foreign piece that no clause is in: a clause says more exactly where."""
    words = " ".join(part.pieces).split()
    named = {clause: clause.language for clause in clauses}
    found, at = list[tuple[str, str]](), 0
    for piece in part.pieces:
        end = at + len(piece.split())
        if piece in told:
            inside = [clause for clause in clauses if clause.start < end and at < clause.end]
            named.update(dict.fromkeys(inside, told[piece]))  # a whole piece tells close relatives better apart
            found += [] if inside else [(told[piece], piece)]
        at = end
    found += [(language, " ".join(words[clause.start : clause.end])) for clause, language in named.items()]
    found += [(told[piece], piece) for piece in part.judged if piece in told and piece not in part.pieces and not clauses]
    return [(language, text, words_in(text)) for language, text in found]
