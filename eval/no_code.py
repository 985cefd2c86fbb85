"""Refuse code where prose is wanted."""

from __future__ import annotations

import re

from pydantic import Field

from ..core.part import Check
from ..core.record import Record, Verdict
from ._parts import PartName, parts_of, shown

_FENCE = re.compile(r"\s*(?:```|~~~)\s*([\w+#-]*)")
LONGEST = 500
"""Characters; longer lines are not read as code."""
_FORMULAS = frozenset({"math", "latex", "tex"})
_CODE = re.compile(
    r"""\s*(?:>>>\s|\.\.\.\s)?\s*(?:
      (?:async\s+)?def\s+\w+\s*\(.*\)\s*(?:->.*)?:\s*(?:\#.*)?$
    | class\s+\w+\s*(?:\(.*\))?\s*[:{]\s*$
    | import\s+[A-Za-z_][\w.]*(?:\s+as\s+\w+)?(?:\s*,\s*\w+)*\s*;?$
    | from\s+[\w.]+\s+import\s+\S
    | for\s+\w+(?:\s*,\s*\w+)*\s+in\s+(?:range|enumerate|zip)\s*\(.*:\s*$
    | while\s+.*(?:[<>]=?|[!=]=)\s*\S.*:\s*$
    | (?:while\s+True|try|finally|except\b.*):\s*$
    | (?:print|println|printf|console\.log|System\.out\.print\w*|fmt\.Print\w*|echo)\s*\(.*\)\s*;?\s*$
    | \#\s*include\s*[<"]
    | (?:public|private|protected|static)\s+(?:[\w<>\[\]]+\s+)+\w+\s*\(
    | (?:int|float|double|void|char|bool|long|auto|string)\s+\w+\s*(?:\(.*\)\s*\{|=.*;|;)\s*$
    | (?:const|let|var)\s+\w+\s*=\s*.*;\s*$
    | function\s+\w*\s*\(.*\)\s*\{
    | (?:for|while|if)\s*\(.*\)\s*\{\s*$
    | \w[\w.\[\]]*\s*(?:\+=|-=|\*=|//=)\s*\S
    | \w+\s*=\s*\w+\.\w+\(.*\)\s*(?:\#.*|;)?\s*$
    | SELECT\s+.+\s+FROM\s+\w
    | \$\s+(?:pip|python3?|git|npm|cd)\s+\w
    )""",
    re.VERBOSE,
)
"""A line that is code by itself."""
_BESIDE = re.compile(r"\s*(?:return\b|(?:el)?if\s.*:\s*$|else:\s*$|for\s+\w+\s+in\s.*:\s*$|\w+\s*=\s*\w+\(.*\)\s*$)")
"""A line that is code beside others that are, but may be prose or a formula by itself."""


class NoCode(Check):
    """No code blocks and no lines of code.

    For data whose reasoning should be in words: DeepSeek-R1's data dropped reasoning with code blocks. A fence (of any language but
    math, latex and tex) refuses at once; outside of fences lines that look like code in the common languages
    count. `inline code` in single backticks is let through.
    """

    parts: tuple[PartName, ...] = ("reasoning", "answer")
    """Where code does not belong."""
    max_lines: int = Field(default=0, ge=0)
    """Code-looking lines tolerated outside of fences."""

    def check(self, record: Record) -> Verdict:
        for name, text in parts_of(record, self.parts).items():
            lines = text.splitlines()
            if fence := _code_fence(lines):
                return self._found("code_fence", name, fence, lines[fence - 1])
            if (code := _code_lines(lines)) and len(code) > self.max_lines:
                return self._found("code_line", name, code[0], lines[code[0] - 1])
        return self.kept()

    def _found(self, word: str, part: PartName, line: int, text: str) -> Verdict:
        return self.refused(f"{word}: line {line} of the {part}: {shown(text)}", part=part, line=line)


def _code_fence(lines: list[str]) -> int:
    """Number of the first line that opens a code block, 0 where none does."""
    inside = False
    for at, line in enumerate(lines, 1):
        if match := _FENCE.match(line):
            if not inside and match[1].lower() not in _FORMULAS:
                return at
            inside = not inside
    return 0


def _code_lines(lines: list[str]) -> list[int]:
    """Numbers of the lines that look like code; none unless one of them is code by itself."""
    short = [(at, line) for at, line in enumerate(lines, 1) if len(line) < LONGEST]
    if not any(_CODE.match(line) for _, line in short):
        return []
    return [at for at, line in short if _CODE.match(line) or _BESIDE.match(line)]
