"""Refuse records by the user's own regular expressions, which run in re2."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from pydantic import Field, model_validator

from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown

MOST_PATTERNS = 200
LONGEST_PATTERN = 2000
MEMORY = 16 << 20
"""Bytes that one compiled pattern may take; re2 refuses what would need more."""


class Pattern(Filter):
    r"""Regular expressions that must, or must not, be found in a part.

    They run in re2, whose time grows with the length of the text and with nothing else: `^(a+)+$` is as good as any other
    pattern. What re2 does not have (look-ahead, look-behind, back-references) is a mistake in the recipe, told before the run.
    For different patterns in different parts, name the filter twice. A record that has none of the parts is an abstention.
    """

    must_match: tuple[str, ...] = Field(default=(), max_length=MOST_PATTERNS)
    """Each of them must be found, in every part that is judged."""
    must_not_match: tuple[str, ...] = Field(default=(), max_length=MOST_PATTERNS)
    """None of them may be found."""
    parts: tuple[PartName, ...] = ("answer",)
    """What is judged; a record without an answer (a question) is judged by its prompt."""
    ignore_case: bool = False
    """Whether capitals count as small letters."""
    whole: bool = False
    """Whether a pattern must fit the whole part (white space at both ends left out) rather than any piece of it."""
    max_chars: int = Field(default=2_000_000, ge=1)
    """A longer part is refused unread."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.must_match and not self.must_not_match:
            raise ValueError("`pattern` has nothing to look for: give `must_match` or `must_not_match`")
        for pattern in (*self.must_match, *self.must_not_match):
            _compiled(pattern, ignore_case=self.ignore_case)
        return self

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        wanted, unwanted = (
            [(pattern, _compiled(pattern, ignore_case=self.ignore_case)) for pattern in patterns]
            for patterns in (self.must_match, self.must_not_match)
        )

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return [self._judged(record, wanted, unwanted) for record in records]

        yield judge

    def _judged(self, record: Record, wanted: list[tuple[str, Any]], unwanted: list[tuple[str, Any]]) -> Verdict:
        parts = parts_of(record, self.parts)
        if not parts:
            return Verdict(by=self.part_name(), outcome="abstain", reason=f"no_text: the record has no {' or '.join(self.parts)}")
        for name, text in parts.items():
            if len(text) > self.max_chars:
                return self._refused(f"too_long: {len(text)} characters in the {name}, at most {self.max_chars} are read", name, "")
            text = _writable(text)
            for pattern, compiled in wanted:
                if self._found(compiled, text) is None:
                    return self._refused(f"missing_pattern: {shown(pattern)} is not in the {name}", name, pattern)
            for pattern, compiled in unwanted:
                if (found := self._found(compiled, text)) is not None:
                    return self._refused(f"unwanted_pattern: {shown(pattern)} in the {name}: {shown(found)}", name, pattern)
        return Verdict(by=self.part_name(), outcome="keep")

    def _found(self, compiled: Any, text: str) -> str | None:
        found = compiled.fullmatch(text.strip()) if self.whole else compiled.search(text)
        return None if found is None else str(found.group())

    def _refused(self, reason: str, part: str, pattern: str) -> Verdict:
        return Verdict(by=self.part_name(), outcome="refuse", reason=reason, evidence={"part": part, "pattern": shown(pattern, 300)})


def _compiled(pattern: str, *, ignore_case: bool) -> Any:
    """Raises ValueError for what re2 cannot run, in words that say what to do."""
    import re2

    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern of {len(pattern)} characters; at most {LONGEST_PATTERN} are taken: {shown(pattern)}")
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = not ignore_case, False, MEMORY
    try:
        return re2.compile(_writable(pattern), options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        why = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        if "(?=" in why or "(?!" in why or "(?<" in why:
            why = f"look-around ({why.rpartition(' ')[2]}) is not in re2; write two patterns (`must_match` and `must_not_match`) instead"
        elif "escape sequence" in why:
            why += " (back-references are not in re2)"
        raise ValueError(f"the pattern {shown(pattern)} cannot be used: {why}") from error


def _writable(text: str) -> str:
    """The text without lone surrogates, which no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()
