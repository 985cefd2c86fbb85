r"""Where an answer is written: boxes, `#### x`, "The answer is x"."""

from __future__ import annotations

import re

BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
HASHES = re.compile(r"####[ \t]*([^\n]+)")
SAID = re.compile(r"(?:\b(?:answer|result)\b|答案|结果)[*_\s]*(?:\bis\b|应该是|是|为|[:：]|=)[*_:：\s]*", re.IGNORECASE)
TAIL = 300
"""Characters at the end in which a spoken answer ("The answer is 7.") is looked for."""


def boxes(text: str) -> list[str]:
    r"""Contents of the innermost `\boxed{...}`, braces matched by hand, in one pass; a box that never closes is none."""
    found: list[tuple[int, str]] = []
    open_braces: list[tuple[int, bool]] = []
    for match in BRACES.finditer(text):
        brace = match.group()
        if brace == "}" and open_braces:
            start, is_box = open_braces.pop()
            if is_box and not (found and found[-1][0] > start):
                found.append((start, text[start : match.start()].strip()))
        elif brace.endswith("{") and brace != "\\{":
            open_braces.append((match.end(), len(brace) > 1))
    return [content for _, content in found]


def marked(text: str) -> str | None:
    """The answer of a text without a box: after `####`, in `<answer>`, or said in its last sentences; the last one counts."""
    if found := HASHES.findall(text):
        return str(found[-1]).strip()
    if (tagged := _tagged(text)) is not None:
        return _said(tagged[-TAIL:]) or tagged
    return _said(text[-TAIL:])


def _said(text: str) -> str | None:
    """What follows the last "the answer is", to the end of its line ("Final Answer: The final answer is 7." says 7)."""
    found = [match.end() for match in SAID.finditer(text) if match.end() < len(text)]
    return _tidy(text[found[-1] :].partition("\n")[0]) if found else None


def _tagged(text: str) -> str | None:
    """What stands in the last closed `<answer>...</answer>`; searched from the end, as a regex is quadratic in opening tags."""
    lowered = text.lower()
    end = lowered.rfind("</answer>")
    start = lowered.rfind("<answer>", 0, end) if end >= 0 else -1
    return text[start + len("<answer>") : end].strip() if start >= 0 else None


def _tidy(said: str) -> str:
    """`7 apples.` of `**7 apples.**`; a sentence that follows is cut off."""
    line = re.split(r"(?<=[^\d\s])[.!?。]\s|(?<=\d)[.!?。]\s+(?=\D)", said.strip())[0]
    return line.strip().strip("*_ ").rstrip(".。!?;,").strip("*_ ")
