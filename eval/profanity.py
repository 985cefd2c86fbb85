"""Refuse texts with swear words and slurs, by lists of our own."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

from pydantic import Field, field_validator

from ..core.errors import nearest
from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of
from ._profanity_words import LANGUAGES, WORDS, Level
from ._verbatim import prose

_WORD = re.compile(r"[^\W_](?:[^\W_]|[@$!*'’]|(?<=\w)[*@$]+)*", re.UNICODE)
_SPELLED = re.compile(r"(?<![^\W_])[^\W\d_@$](?:[ .\-_*]{1,2}[^\W\d_]|[ .\-_*]{1,2}[@$*]){2,12}(?![^\W_])")
_LEET = str.maketrans({"@": "a", "$": "s", "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "!": "i", "’": "'"})
_AGAIN = re.compile(r"(.)\1{2,}")


class Profanity(Check):
    """Swear words and slurs, as whole words, in eleven languages; works offline.

    The lists are short and our own: a hit is almost always meant. Words are compared whole (with their usual endings), so that
    Scunthorpe, Dickens and `assess` pass; stretched (`shiiit`), spaced (`s h i t`), masked (`sh*t`) and figure-for-letter spellings
    (`sh1t`) are read. Chinese, Japanese and Korean words are looked for within a text. Code and formulas are left out. It knows words,
    not meaning: for insults in clean words ask a model (`guard`). The words found are not repeated in the reason, but for their first letter.
    """

    parts: tuple[PartName, ...] = ("prompt", "reasoning", "answer")
    """What is judged."""
    levels: tuple[Level, ...] = ("strong", "slur")
    """`mild` (damn, crap), `strong`, `slur` (against groups of people)."""
    languages: tuple[str, ...] = LANGUAGES
    """Lists that are used, by ISO 639 code; take out those whose words mean something else in your language."""
    words: tuple[str, ...] = ()
    """Further words that are refused."""
    allow: tuple[str, ...] = ()
    """Words that are not."""
    max_hits: int = Field(default=0, ge=0)
    """How many are tolerated in a part."""

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if language not in LANGUAGES:
                raise ValueError(f"there is no list for {language!r}; {nearest(language, LANGUAGES)}")
        return languages

    def check(self, record: Record) -> Verdict:
        lists = _lists(self.languages, self.levels, self.words, self.allow)
        for name, text in parts_of(record, self.parts).items():
            hits = lists.hits(text)
            if len(hits) > self.max_hits:
                masked = ", ".join(sorted({_masked(word) for word, _ in hits})[:5])
                level = hits[0][1]
                word = "slur" if any(level == "slur" for _, level in hits) else "profanity"
                return self.refused(f"{word}: {len(hits)} in the {name}: {masked}", score=0.0, part=name, hits=len(hits), level=level)
        return self.kept(score=1.0)


def _masked(word: str) -> str:
    return word[0] + "*" * min(len(word) - 1, 12)


class _Lists:
    """The lists in use, ready to look words up in."""

    def __init__(self, words: dict[str, Level | Literal["own"]], allow: frozenset[str]) -> None:
        self._allow = allow
        self._whole = {word: level for word, level in words.items() if not _unspaced(word)}
        within = sorted((word for word in words if _unspaced(word)), key=len, reverse=True)
        self._within = re.compile("|".join(map(re.escape, within))) if within else None
        self._levels = words
        stems: dict[tuple[str, int], list[str]] = {}
        for word in self._whole:
            stems.setdefault((word[0], len(word)), []).append(word)
        self._shapes = stems

    def hits(self, text: str) -> list[tuple[str, str]]:
        """(word, level) of each word found, in order."""
        text = prose(text).casefold()
        text = text if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
        found = [(word, level) for match in _WORD.finditer(text) if (level := self._level(word := match.group()))]
        for match in _SPELLED.finditer(text):
            word = re.sub(r"[ .\-_]", "", match.group())
            if "*" not in word and (level := self._level(word)):
                found.append((word, level))
        if self._within is not None and not text.isascii():
            found += [(match.group(), self._levels[match.group()]) for match in self._within.finditer(text)]
        return found

    def _level(self, word: str) -> str:
        if len(word) > 40 or word in self._allow:
            return ""
        if level := self._whole.get(word):
            return level
        if word.isalpha() and _AGAIN.search(word) is None:
            return ""
        plain = word.strip("'!*@$").translate(_LEET) if any(c.isalpha() for c in word) else ""
        if "*" in plain:
            return self._unmasked(plain)
        for spelled in (plain, _AGAIN.sub(r"\1", plain), _AGAIN.sub(r"\1\1", plain)):
            if spelled not in self._allow and (level := self._whole.get(spelled)):
                return level
        return ""

    def _unmasked(self, word: str) -> str:
        """Of `sh*t`: at least half of the letters shown, the others any."""
        if word.count("*") * 2 > len(word) or len(word) < 4:
            return ""
        for known in self._shapes.get((word[0], len(word)), ()):
            if known not in self._allow and all(a in ("*", b) for a, b in zip(word, known, strict=True)):
                return self._whole[known]
        return ""


@cache
def _lists(languages: tuple[str, ...], levels: tuple[Level, ...], own: tuple[str, ...], allow: tuple[str, ...]) -> _Lists:
    words: dict[str, Level | Literal["own"]] = {
        word.casefold(): level for language in languages for level in levels for word in WORDS[language].get(level, "").split()
    }
    words.update((word.casefold(), "own") for word in own)
    allowed = frozenset(word.casefold() for word in allow)
    return _Lists({word: level for word, level in words.items() if word not in allowed}, allowed)


def _unspaced(word: str) -> bool:
    return any("\u3041" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in word)
