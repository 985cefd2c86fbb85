"""Refuse answers that refuse, speak of themselves as a machine, or end in a service phrase."""

from __future__ import annotations

import re
from functools import cache

from pydantic import Field

from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown
from ._refusal_phrases import LANGUAGES, PHRASES, Kind

_QUOTED = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]{0,500}`|^[ \t]*>[^\n]*|"
    r"\"[^\"\n]{1,500}\"|“[^”\n]{1,500}”|„[^“”\n]{1,500}[“”]|«[^»\n]{1,500}»|「[^」\n]{1,500}」|『[^』\n]{1,500}』",
    re.DOTALL | re.MULTILINE,
)
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s*|\n+")


class Refusals(Check):
    """Refusals and boilerplate that teach a model to say no, or to talk like a help desk.

    Four kinds, from our own lists in eleven languages: a `refusal` ("I cannot help with that"), `self` ("As an AI language
    model"), a `closing` ("Is there anything else I can help with?"), and `missing` input ("Please provide the text").
    What stands in quotation marks, block quotes or code is left out: a story in which somebody says "I can't help you" is none. A refusal counts in the
    first `start_chars` characters only, a closing in the last 200; `everywhere` looks for all kinds in the whole text.
    """

    parts: tuple[PartName, ...] = ("answer",)
    """What is judged; a record without an answer (a question) is judged by its prompt."""
    kinds: tuple[Kind, ...] = ("refusal", "self", "closing", "missing")
    """What is looked for."""
    languages: tuple[str, ...] = LANGUAGES
    """Lists that are used, by ISO 639 code."""
    everywhere: bool = False
    """Whether refusals, missing input and closings count wherever they stand."""
    start_chars: int = Field(default=300, ge=1)
    """Where an answer begins, in characters."""
    phrases: tuple[str, ...] = ()
    """Further phrases, found anywhere whatever their capitals (plain text, no regular expressions)."""

    def check(self, record: Record) -> Verdict:
        for name, text in parts_of(record, self.parts).items():
            bare = _plain(text)
            folded = bare.casefold()
            for phrase in self.phrases:
                if phrase.casefold() in folded:
                    return self.refused(f"phrase: in the {name}: {shown(phrase)}", part=name, kind="phrase")
            for kind in self.kinds:
                if found := _found(kind, self.languages, self._piece(kind, bare)):
                    return self.refused(f"{_WORDS[kind]}: in the {name}: {shown(found)}", part=name, kind=kind)
        return self.kept()

    def _piece(self, kind: Kind, text: str) -> str:
        if self.everywhere or kind == "self":
            return text
        return text.rstrip()[-200:] if kind == "closing" else text.lstrip()[: self.start_chars]


_WORDS: dict[Kind, str] = {"refusal": "refusal", "self": "speaks_as_ai", "closing": "closing_phrase", "missing": "asks_for_input"}


def _plain(text: str) -> str:
    """The text without what is quoted, with plain apostrophes; quoted pieces leave a dash, so that what stands around them does not meet."""
    return _QUOTED.sub(" — ", text).replace("’", "'")


def _found(kind: Kind, languages: tuple[str, ...], text: str) -> str:
    """The sentence that holds a phrase of that kind."""
    for language in languages:
        if (pattern := _pattern(kind, language)) is not None and (match := pattern.search(text)):
            before = text[max(0, match.start() - 200) : match.start()]
            return _SENTENCES.split(before)[-1] + _SENTENCES.split(text[match.start() : match.end() + 100])[0] or match.group()
    return ""


@cache
def _pattern(kind: Kind, language: str) -> re.Pattern[str] | None:
    phrases = PHRASES.get(language, {}).get(kind, ())
    return re.compile("|".join(f"(?:{phrase})" for phrase in phrases), re.IGNORECASE) if phrases else None
