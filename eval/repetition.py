"""Refuse texts that go round in circles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown

_TOKENS = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30fc]|[^\W\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30fc]+")


class Repetition(Check):
    """Repeated n-grams, loops and lines.

    Three measures of each part: the share of repeated n-grams (1 - distinct/total, as in the open-r1 repetition
    penalty), how often one and the same run of tokens comes back (DeepDistill dropped texts with a run of 20 tokens more than
    20 times), and the share of lines that were there before. Tokens are words (of Chinese and Japanese: characters). The
    thresholds for n-grams and lines are our own choice: worked solutions with much repeated wording stay below them. The
    score is 1 - the share of repeated n-grams of the worst part.
    """

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
    max_lines: float = Field(default=0.5, ge=0, le=1)
    """Share of repeated lines at most, of those with `min_line_chars` characters."""
    min_line_chars: int = Field(default=12, ge=1)
    """Shorter lines may repeat."""
    min_lines: int = Field(default=6, ge=1)
    """Parts with fewer lines are not judged by them."""

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
        loops = Counter(_runs(tokens, self.loop_tokens)).most_common(1)
        if loops and loops[0][1] > self.max_loops:
            run, times = loops[0]
            return f"loop: {times} times: {shown(' '.join(run))}", {"times": times}
        if len(tokens) >= self.min_tokens and share > self.max_share:
            return f"repeated_ngrams: {share:.0%} of the {self.ngram}-grams, most often: {' '.join(grams.most_common(1)[0][0])}", {
                "share": share
            }
        lines = [line for line in map(str.strip, text.splitlines()) if len(line) >= self.min_line_chars]
        again = 1 - len(set(lines)) / len(lines) if lines else 0.0
        if len(lines) >= self.min_lines and again > self.max_lines:
            return f"repeated_lines: {again:.0%} of {len(lines)}, most often: {shown(Counter(lines).most_common(1)[0][0])}", {
                "share": again
            }
        return None


def _runs(tokens: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(tokens[at:] for at in range(length)), strict=False)
