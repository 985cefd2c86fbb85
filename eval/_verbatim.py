"""What is not prose in a text: code, formulas, addresses. One pass, in time that grows with the length alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_OPENING = re.compile(
    r"(?P<fence>```|~~~)|(?P<line>`[^`\n]{1,1000}`|(?<![\w$])\$[^$\n]{1,300}\$(?![\d$])|(?<![\"'=])https?://[^\s<>\"]{1,2000}|www\.[^\s<>\"]{1,2000})|"
    r"(?P<pair>\$\$|\\\[|\\\()|\\begin\{(?P<env>\w{1,20}\*?)\}|<(?P<tag>pre|code|math|svg|script|style)\b[^<>]{0,300}>|(?P<comment><!--)",
    re.IGNORECASE,
)
_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "```": "```", "~~~": "~~~", "<!--": "-->"}
_LONGEST = {"$$": 4000, "\\[": 4000, "\\(": 1000}
"""Characters of a formula; what closes later is something else."""
_MARKUP = ("script", "style")


class Closers:
    """Finds the next closing mark; remembers it, so that a text full of opening marks is not searched anew for each."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, tuple[int, int]] = {}

    def after(self, mark: str, at: int, *, tag: bool = False) -> tuple[int, int] | None:
        """Start and end of `mark` (of `</mark>`, for a tag) at `at` or later."""
        known = self._next.get(mark)
        if known is None or 0 <= known[0] < at:
            pattern = re.compile(f"</{re.escape(mark)}\\s{{0,5}}>" if tag else re.escape(mark), re.IGNORECASE)
            found = pattern.search(self._text, at)
            known = self._next[mark] = found.span() if found else (-1, -1)
        return known if known[0] >= 0 else None


def verbatim(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it is markup that shows nothing) of each piece that is not prose, in order."""
    closers, at = Closers(text), 0
    while found := _OPENING.search(text, at):
        end = _end(found, closers, len(text))
        if end is None:
            at = found.end() if not found["line"] else found.start() + 1
            continue
        hidden = bool(found["comment"]) or (found["tag"] or "").casefold() in _MARKUP
        yield found.start(), end, hidden
        at = end


def _end(found: re.Match[str], closers: Closers, length: int) -> int | None:
    if found["line"]:
        return found.end()
    if fence := found["fence"]:
        closing = closers.after(fence, found.end())
        return closing[1] if closing else length
    mark = found["pair"] or found["comment"]
    if mark:
        closing = closers.after(_CLOSERS[mark], found.end())
        longest = _LONGEST.get(mark, length)
    elif env := found["env"]:
        closing, longest = closers.after(f"\\end{{{env}}}", found.end()), 10_000
    else:
        closing, longest = closers.after(found["tag"].casefold(), found.end(), tag=True), length
    return closing[1] if closing and closing[1] - found.start() <= longest else None


def outside(text: str, work: Callable[[str], str], hidden: Callable[[str], str] = str) -> str:
    """The text with `work` done to its prose, and `hidden` to comments, scripts and styles."""
    pieces, at = [], 0
    for start, end, markup in verbatim(text):
        pieces += [work(text[at:start]), hidden(text[start:end]) if markup else text[start:end]]
        at = end
    return "".join([*pieces, work(text[at:])])


def prose(text: str) -> str:
    """The text with a space in place of everything that is not prose."""
    pieces, at = [], 0
    for start, end, _ in verbatim(text):
        pieces.append(text[at:start])
        at = end
    return " ".join([*pieces, text[at:]])
