"""The program in an answer."""

from __future__ import annotations

import re

PYTHON = frozenset({"python", "py", "python3", "py3", "python 3"})
FENCE = re.compile(r"^ {0,3}(```+|~~~+)[ \t]*([^`\n]*)$")
FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)
TYPING = re.compile(r"\b(?:List|Dict|Optional|Tuple|Set|Union|Any)\b")


def code_of(text: str) -> tuple[str, str]:
    """The code of an answer, and the language it is tagged with where that is not Python.

    The last block tagged as Python; else the last without a tag; else, where there are only others, the last of those.
    Without a block it is the whole text. A block that is not closed goes to the end.
    """
    found = blocks(text)
    if not found:
        return text.replace("\r\n", "\n"), ""
    for wanted in (PYTHON, {""}):
        for tag, code in reversed(found):
            if tag in wanted:
                return code, ""
    return found[-1][1], found[-1][0]


def blocks(text: str) -> list[tuple[str, str]]:
    """Fenced blocks: tag and code, in order."""
    found: list[tuple[str, str]] = []
    fence, tag, lines = "", "", list[str]()
    for line in text.replace("\r\n", "\n").split("\n"):
        mark = FENCE.match(line) if line.lstrip(" ").startswith(("```", "~~~")) else None
        if mark is None or (fence and not (mark[1].startswith(fence) and not mark[2].strip())):
            if fence:
                lines.append(line)
        elif fence:
            found.append((tag, "\n".join(lines) + "\n"))
            fence = ""
        else:
            words = mark[2].strip().lower().split(None, 1)
            fence, tag, lines = mark[1], words[0].strip("{}.,;:") if words else "", []
    if fence:
        found.append((tag, "\n".join(lines) + "\n"))
    return found


def program_of(code: str, prompt: str, entry: str, setup: str) -> str:
    """What runs: the prompt before it (HumanEval), what the tests need after it, names of `typing` where they are used but not imported."""
    code = code.replace("\r\n", "\n")
    if prompt:
        whole = re.search(rf"^(?:async )?def {re.escape(entry)}\b", code, re.MULTILINE)
        head = prompt.replace("\r\n", "\n").rstrip(" \t").removesuffix("\n")
        code = f"{head}\n\n{code}" if whole else f"{head}\n{_indented(code)}"
    if TYPING.search(code) and "typing" not in code:
        code = f"from typing import *\n{code}"
    if futures := FUTURE.findall(code):  # they must come first
        code = "\n".join(futures) + "\n" + FUTURE.sub("", code)
    return f"{code}\n{setup}" if setup else code


def _indented(body: str) -> str:
    """The body of a function whose head stands elsewhere: what was stripped of its first line, or of all of them, is put back."""
    lines = body.lstrip("\n").split("\n")
    if lines[0][:1] in (" ", "\t"):
        return "\n".join(lines)
    if any(line[:1] not in ("", " ", "\t") for line in lines[1:]):
        return "\n".join("    " + line if line.strip() else line for line in lines)
    return "\n".join(["    " + lines[0], *lines[1:]])
