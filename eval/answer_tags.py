"""Refuse answers that do not keep to a layout of tags."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import shown, was_cut

NAME = re.compile(r"[A-Za-z][\w.:-]{0,63}")


class AnswerTags(Check):
    """Each declared tag once, in order, closed, and nothing between or around them.

    The layout of DeepSeek-R1 is the default: `<think>...</think> <answer>...</answer>`. Thinking that is a field of the message
    counts as a closed `<think>`. The score is the share of opening and closing tags that occur exactly once (with two tags,
    0.25 for each, as the tag count reward of open-r1), whatever else is wrong.
    """

    tags: tuple[str, ...] = Field(default=("think", "answer"), min_length=1)
    """Names of the tags, in the order wanted; case counts."""
    outside: bool = False
    """Whether text may stand outside of the tags."""
    opened: bool = False
    """Whether the chat template opens the first tag, so that the answer begins inside of it."""
    allow_empty: bool = False
    """Whether there may be nothing in a tag."""

    @field_validator("tags")
    @classmethod
    def _names(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [tag for tag in tags if not NAME.fullmatch(tag)]:
            raise ValueError(f"not a tag's name: {bad[0]!r}; write it without angle brackets")
        if len(set(tags)) < len(tags):
            raise ValueError("a tag is named twice; each is wanted once")
        return tags

    def check(self, record: Record) -> Verdict:
        message = record.response
        if message is None:
            return self.refused("no_response: the last turn is not the assistant's", 0.0)
        text = message.text
        if message.reasoning is not None and "think" in self.tags:
            text = f"<think>{message.reasoning}</think>{text}"
        elif self.opened and not text.lstrip().startswith(f"<{self.tags[0]}>"):
            text = f"<{self.tags[0]}>{text}"
        if was_cut(record):
            return self.refused("truncated: the reply stopped at its token limit", self._share(text))
        found = list(re.finditer(rf"<(/?)({'|'.join(map(re.escape, self.tags))})>", text))
        flaw = self._flaw(text, found)
        return self.refused(flaw, self._share(text)) if flaw else self.kept(1.0)

    def _wanted(self) -> list[str]:
        return [f"<{slash}{tag}>" for tag in self.tags for slash in ("", "/")]

    def _share(self, text: str) -> float:
        wanted = self._wanted()
        return sum(text.count(tag) == 1 for tag in wanted) / len(wanted)

    def _flaw(self, text: str, found: list[re.Match[str]]) -> str:
        wanted, got = self._wanted(), [match.group() for match in found]
        if got != wanted:
            return self._disorder(wanted, got)
        ends = [0, *(match.end() for match in found)]
        starts = [*(match.start() for match in found), len(text)]
        between = [text[start:end].strip() for start, end in zip(ends, starts, strict=True)]
        if not self.outside and (odd := next((piece for piece in between[::2] if piece), "")):
            return f"text_outside: {shown(odd)}"
        if not self.allow_empty and (empty := [tag for tag, piece in zip(self.tags, between[1::2], strict=True) if not piece]):
            return f"empty_tag: there is nothing in <{empty[0]}>"
        return ""

    def _disorder(self, wanted: list[str], got: list[str]) -> str:
        for tag in wanted:
            if (count := got.count(tag)) > 1:
                return f"repeated_tag: {tag} occurs {count} times"
        for tag in wanted:
            if tag not in got:
                opening = tag.replace("</", "<")
                return (
                    f"unclosed_tag: {opening} is never closed"
                    if tag != opening and opening in got
                    else f"missing_tag: {tag} does not occur"
                )
        return f"wrong_order: {' '.join(got)}, wanted {' '.join(wanted)}"[:300]
