"""Refuse texts that are no language: keyboard mash, encoded blobs, shuffled words."""

from __future__ import annotations

import re

from pydantic import Field

from ..core.part import Check
from ..core.record import Record, Verdict
from ._letters import bits
from ._parts import PartName, parts_of, shown
from ._verbatim import prose
from ._wordorder import shuffled

MOST_CHARS = 100_000
"""Characters of a part that are read: half of them from its start, half from its end."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_BLOB = re.compile(r"[A-Za-z0-9+/_=-]{40,}")
_SAME = re.compile(r"(.)\1{4,}")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LETTERS_OF_A_WORD = 6


class Gibberish(Check):
    """Text that no one wrote for a reader; works offline, without dictionaries.

    Words in Latin and Cyrillic letters are judged by which letters follow which (a table over 99 languages): struck at random they cost
    twice the bits of a real word. Long runs of base64 or hex count as the words they take the place of. Chinese characters count where they are not
    among the common ones of any Chinese or Japanese standard. English words in shuffled order are found by articles and
    prepositions that stand where none can. Code, formulas and addresses are left out. The score is the share of readable
    words of the worst part. Real words without sense, in a right order, are not found: that takes a model.
    """

    parts: tuple[PartName, ...] = ("reasoning", "answer")
    """What is judged, each part for itself; a record without an answer (a question) is judged by its prompt."""
    max_share: float = Field(default=0.3, ge=0, le=1)
    """Share of unreadable words at most."""
    max_bits: float = Field(default=5.5, gt=0)
    """Bits a letter of a word may cost (words of 99 languages: mostly 3 to 4.5; random letters: 6 to 8)."""
    min_words: int = Field(default=3, ge=1)
    """Parts with fewer words are not judged."""
    order: bool = True
    """Whether English words in shuffled order are refused."""

    def check(self, record: Record) -> Verdict:
        worst = 1.0
        for name, text in parts_of(record, self.parts).items():
            if len(text) > MOST_CHARS:
                text = text[: MOST_CHARS // 2] + " " + text[-MOST_CHARS // 2 :]
            bare = prose(text)
            share, example = self._unreadable(bare)
            worst = min(worst, 1 - share)
            if share > self.max_share:
                reason = f"gibberish: {share:.0%} of the {name} is unreadable, such as: {shown(example)}"
                return self.refused(reason, score=1 - share, part=name)
            if self.order and (out := shuffled(bare)):
                wrong, of, where = out
                reason = f"word_order: {wrong} of {of} small words of the {name} stand where none can, such as: {shown(where)}"
                return self.refused(reason, score=1 - wrong / of, part=name)
        return self.kept(score=worst)

    def _unreadable(self, text: str) -> tuple[float, str]:
        """Share of unreadable words, and one of them."""
        odd, total, example = 0.0, 0.0, ""
        for blob in _BLOB.findall(text):
            if _encoded(blob):
                odd, total, example = odd + len(blob) / _LETTERS_OF_A_WORD, total + len(blob) / _LETTERS_OF_A_WORD, example or blob
                text = text.replace(blob, " ")
        for word in _WORD.findall(text):
            if _HAN.match(word) or len(word) > 60:
                common, rare = _han(word)
                odd, total = odd + rare / 2, total + (common + rare) / 2
                example = example or (word if rare > common else "")
                continue
            total += 1
            if len(word) > 3 and not (word.isupper() and len(word) < 7) and self._odd(word):
                odd, example = odd + 1, example or word
        return (odd / total if total >= self.min_words and total else 0.0), example

    def _odd(self, word: str) -> bool:
        cost = _cost(word.casefold())
        return cost is not None and cost > self.max_bits


def _cost(word: str) -> float | None:
    if _SAME.search(word):
        return 99.0
    return max((cost for piece in re.split("['’]", word) if len(piece) > 3 and (cost := bits(piece)) is not None), default=None)


def _encoded(run: str) -> bool:
    """Digits among letters throughout (base64, hex, keys), which is not so of a long word or a line of dashes."""
    digits = sum(map(str.isdigit, run))
    if not digits or digits == len(run):
        return False
    lower, upper = any(map(str.islower, run)), any(map(str.isupper, run))
    return digits * 20 > len(run) if lower != upper else digits * 40 > len(run)


def _han(word: str) -> tuple[int, int]:
    """How many characters are common, and how many are not."""
    common = sum(_is_common(char) for char in word)
    return common, len(word) - common


def _is_common(char: str) -> bool:
    """In the first level of a national standard (3,755 of GB 2312, 5,401 of Big5, 2,965 of JIS X 0208), which are ordered by use; or no Han."""
    if not _HAN.match(char):
        return True
    for codec, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xB0, 0xCF)):
        try:
            lead = char.encode(codec)[0]
        except UnicodeEncodeError:
            continue
        if first <= lead <= last:
            return True
    return False
