"""Refuse texts that do not look like text: rules on letters, symbols, words and lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field

from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown
from ._verbatim import prose

_WORD = re.compile(r"\S+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_FORMULA = re.compile(r"[\d\W_]+|[A-Za-z]?[\d=+*/^<>()\[\]{}|\\.,:;-]+[A-Za-z]?")
_BULLET = re.compile(r"\s*(?:[-*+•●◦▪‣·–—]\s|\d{1,3}[.)]\s)")
_ELLIPSIS = re.compile(r"(?:\.\.\.|…|\[\.\.\.\]|\. \. \.)\s*$")
_SYMBOL = re.compile(r"#|\.\.\.|…")
_ENDS = tuple(".!?:;\"'”’)]}。！？：；」』…|`>")
_STOP = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})


class Readability(Check):
    """Rules of thumb for text quality, after Gopher (arXiv 2112.11446, A.1.1) and C4 (arXiv 1910.10683).

    Those were made for web pages; where an answer differs from a page the default here is our own, and each line below says so. Code,
    formulas and addresses are left out first, and parts with fewer than `min_words` words are kept unjudged. For scripts without spaces the rules on
    words are left out. The score is the share of the rules that the worst part keeps.
    """

    parts: tuple[PartName, ...] = ("reasoning", "answer")
    """What is judged, each part for itself."""
    min_words: int = Field(default=20, ge=1)
    """Parts with fewer words are not judged (ours; Gopher drops pages under 50 words: for that, use `length`)."""
    min_mean_word: float = Field(default=2.5, ge=0)
    """Letters of a word on average at least (Gopher: 3; formulas written as text are short words)."""
    max_mean_word: float = Field(default=10, gt=0)
    """Letters of a word on average at most (Gopher: 10)."""
    max_symbols: float = Field(default=0.1, ge=0)
    """`#` and ellipses for each word at most, each alone; marks of headings left out (Gopher: 0.1)."""
    max_bullets: float = Field(default=0.9, ge=0, le=1)
    """Share of lines that start with a bullet or a number at most (Gopher: 0.9, bullets alone)."""
    max_ellipses: float = Field(default=0.3, ge=0, le=1)
    """Share of lines that end in an ellipsis at most (Gopher: 0.3)."""
    min_alphabetic: float = Field(default=0.5, ge=0, le=1)
    """Share of words with a letter in them at least (Gopher: 0.8, which worked arithmetic does not reach)."""
    min_letters: float = Field(default=0.4, ge=0, le=1)
    """Share of letters among the characters that are not spaces at least (ours)."""
    max_capitals: float = Field(default=0.6, ge=0, le=1)
    """Share of words of three letters or more in capitals at most (ours)."""
    min_ended: float = Field(default=0, ge=0, le=1)
    """Share of lines that end in a punctuation mark at least (C4 keeps no others; 0: not asked for)."""
    min_stop_words: int = Field(default=0, ge=0)
    """Of the eight English words the, be, to, of, and, that, have, with: how many must be there (Gopher: 2; 0: not asked for)."""

    def check(self, record: Record) -> Verdict:
        worst = 1.0
        for name, text in parts_of(record, self.parts).items():
            bare = prose(text)
            words = _WORD.findall(bare)
            unspaced = len(_UNSPACED.findall(bare))
            if len(words) + unspaced / 2 < self.min_words:
                continue
            by_words = list(self._words(words)) if unspaced * 3 < len(bare) else []
            broken = [found for found in (*by_words, *self._lines(text, bare, len(words) + unspaced // 2)) if found]
            score = 1 - len(broken) / RULES
            worst = min(worst, score)
            if broken:
                word, detail = broken[0]
                return self.refused(f"{word}: {detail} in the {name}: {shown(text)}", score=score, part=name, rules=[w for w, _ in broken])
        return self.kept(score=worst)

    def _words(self, words: list[str]) -> Iterator[tuple[str, str] | None]:
        spelled = [word.strip("\"'.,;:!?()[]{}*_") for word in words if not _FORMULA.fullmatch(word)]
        mean = sum(map(len, spelled)) / len(spelled) if spelled else 0.0
        yield ("short_words", f"{mean:.1f} letters a word") if spelled and mean < self.min_mean_word else None
        yield ("long_words", f"{mean:.1f} letters a word") if mean > self.max_mean_word else None
        share = sum(any(map(str.isalpha, word)) for word in words) / len(words)
        yield ("few_words", f"{share:.0%} of the words have a letter") if share < self.min_alphabetic else None
        long = [word for word in spelled if len(word) > 2 and word.isalpha()]
        loud = sum(map(str.isupper, long)) / len(long) if long else 0.0
        yield ("capitals", f"{loud:.0%} of the words are in capitals") if loud > self.max_capitals else None
        known = _STOP & {word.casefold() for word in spelled}
        yield ("no_stop_words", f"{len(known)} of the eight stop words") if len(known) < self.min_stop_words else None

    def _lines(self, text: str, bare: str, words: int) -> Iterator[tuple[str, str] | None]:
        lines = [line for line in text.splitlines() if line.strip()]
        marks = _SYMBOL.findall("\n".join(line.lstrip("# \t") for line in bare.splitlines()))
        symbols = max(marks.count("#"), len(marks) - marks.count("#")) / max(1, words)
        yield ("symbols", f"{symbols:.2f} symbols for each word") if symbols > self.max_symbols else None
        bullets = sum(_BULLET.match(line) is not None for line in lines) / max(1, len(lines))
        yield ("bullets", f"{bullets:.0%} of the lines are bullets") if bullets > self.max_bullets and len(lines) > 2 else None
        open_ended = sum(_ELLIPSIS.search(line[-20:]) is not None for line in lines) / max(1, len(lines))
        yield ("ellipses", f"{open_ended:.0%} of the lines end in an ellipsis") if open_ended > self.max_ellipses else None
        solid = sum(not char.isspace() for char in bare)
        letters = sum(map(str.isalpha, bare)) / solid if solid else 1.0
        yield ("few_letters", f"{letters:.0%} letters") if letters < self.min_letters else None
        ended = sum(line.rstrip().endswith(_ENDS) for line in lines) / max(1, len(lines))
        yield ("unended_lines", f"{ended:.0%} of the lines end in a punctuation mark") if ended < self.min_ended else None


RULES = 10
"""How many there are."""
