"""Refuse texts that go round in circles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import Field

from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown

_TOKENS = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30fc]|[^\W\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30fc]+")

_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_LAST = 4000
"""Tokens of the end that are looked at for a loop."""


class Repetition(Check):
    """Repeated n-grams, loops, lines and paragraphs.

    Five measures of each part: the share of repeated n-grams (1 - distinct/total, as in the open-r1 repetition
    penalty), how often one and the same run of tokens comes back (DeepDistill dropped texts with a run of 20 tokens more than
    20 times), how often the text repeats what it ends with (a model that ran into its token limit), and the shares of lines and
    paragraphs that were there before. Tokens are words (of Chinese and Japanese: characters). The thresholds not named here
    are our own choice: worked solutions with much repeated wording stay below them. The
    score is 1 - the share of repeated n-grams of the worst part.
    """

    version: ClassVar[str] = "2"

    parts: tuple[PartName, ...] = ("reasoning", "answer")
    """What is judged, each part for itself."""
    ngram: int = Field(default=4, ge=1)
    """Tokens of an n-gram."""
    max_share: float = Field(default=0.6, ge=0, le=1)
    """Share of repeated n-grams at most."""
    min_tokens: int = Field(default=60, ge=1)
    """Parts with fewer tokens are not judged by their n-grams."""
    loop_tokens: int = Field(default=20, ge=1)
    """Tokens of the run that must not come back too often."""
    max_loops: int = Field(default=20, ge=1)
    """How often such a run may be there."""
    max_endings: int = Field(default=4, ge=1)
    """How often the run that a part ends with may stand there in a row (the last may be cut)."""
    min_ending: int = Field(default=30, ge=1)
    """Tokens that those repeats must have together to count: `ha ha ha ha` may end a text."""
    max_lines: float = Field(default=0.5, ge=0, le=1)
    """Share of repeated lines at most, of those with `min_line_chars` characters."""
    min_line_chars: int = Field(default=12, ge=1)
    """Shorter lines may repeat."""
    min_lines: int = Field(default=6, ge=1)
    """Parts with fewer lines are not judged by them."""
    max_paragraphs: float = Field(default=0.3, ge=0, le=1)
    """Share of repeated paragraphs at most, of those with 80 characters or more (Gopher, for web pages: 0.3); judged from three on."""

    def check(self, record: Record) -> Verdict:
        worst = 0.0
        for name, text in parts_of(record, self.parts).items():
            tokens = _TOKENS.findall(text.casefold())
            grams = Counter(_runs(tokens, self.ngram))
            share = 1 - len(grams) / grams.total() if grams else 0.0
            if len(tokens) >= self.min_tokens:
                worst = max(worst, share)
            if found := self._flaw(text, tokens, grams, share):
                reason, evidence = found
                return self.refused(reason, score=1 - max(worst, share), part=name, **evidence)
        return self.kept(score=1 - worst)

    def _flaw(self, text: str, tokens: list[str], grams: Counter[tuple[str, ...]], share: float) -> tuple[str, dict[str, Any]] | None:
        often = max(grams.values(), default=0)
        if self.loop_tokens < self.ngram or often > self.max_loops:
            run, times = next(iter(Counter(_runs(tokens, self.loop_tokens)).most_common(1)), ((), 0))
            if times > self.max_loops:
                return f"loop: {times} times: {shown(' '.join(run))}", {"times": times}
        if len(tokens) >= self.min_tokens and share > self.max_share:
            return f"repeated_ngrams: {share:.0%} of the {self.ngram}-grams, most often: {' '.join(grams.most_common(1)[0][0])}", {
                "share": share
            }
        if found := self._blocks(text):
            return found
        if often > self.max_endings or len(tokens) < self.ngram * 2:
            unit, times = _ending(tokens[-_LAST:], self.min_ending)
            if times > self.max_endings:
                return f"ends_in_loop: it ends with {times} times: {shown(' '.join(unit))}", {"times": times}
        return None

    def _blocks(self, text: str) -> tuple[str, dict[str, Any]] | None:
        lines = [line for line in map(str.strip, text.splitlines()) if len(line) >= self.min_line_chars]
        again = 1 - len(set(lines)) / len(lines) if lines else 0.0
        if len(lines) >= self.min_lines and again > self.max_lines:
            return f"repeated_lines: {again:.0%} of {len(lines)}, most often: {shown(Counter(lines).most_common(1)[0][0])}", {
                "share": again
            }
        blocks = [block for block in (" ".join(one.split()) for one in _PARAGRAPH.split(text)) if len(block) >= 80]
        again = 1 - len(set(blocks)) / len(blocks) if blocks else 0.0
        if len(blocks) >= 3 and again > self.max_paragraphs:
            return f"repeated_paragraphs: {again:.0%} of {len(blocks)}, most often: {shown(Counter(blocks).most_common(1)[0][0])}", {
                "share": again
            }
        return None


def _ending(tokens: Sequence[str], least: int) -> tuple[Sequence[str], int]:
    """The run that the tokens end with over and over, and how often (whole runs); of several, the one that repeats most often.

    Read backwards, a text that ends in a loop starts with one: the prefix function (Knuth, Morris, Pratt) gives each
    prefix its shortest period.
    """
    back = tokens[::-1]
    border, best = [0] * len(back), (1, 1) if back and least <= 1 else (0, 0)
    for at in range(1, len(back)):
        size = border[at - 1]
        while size and back[at] != back[size]:
            size = border[size - 1]
        border[at] = size + (back[at] == back[size])
        length, period = at + 1, at + 1 - border[at]
        if length >= least and length // period > best[0]:
            best = (length // period, period)
    times, period = best
    return tokens[len(tokens) - period :] if period else (), times


def _runs(tokens: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(tokens[at:] for at in range(length)), strict=False)
