"""What guard models answer, read: each form by the words that its model was trained to say, and nothing looser."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Form = Literal["auto", "llama_guard", "qwen3guard", "wildguard", "yes_no"]
Level = Literal["safe", "controversial", "unsafe"]

_LONGEST = 4000
_QWEN = re.compile(r"^\s*Safety:\s*(Safe|Unsafe|Controversial)\b", re.IGNORECASE | re.MULTILINE)
_QWEN_CATEGORIES = re.compile(r"^\s*Categories:[ \t]*([^\n]*)", re.IGNORECASE | re.MULTILINE)
_WILD = re.compile(r"^\s*Harmful (request|response):\s*(yes|no|n/a)\b", re.IGNORECASE | re.MULTILINE)
_SCORE = re.compile(r"<score>\s*(yes|no)\s*</score>", re.IGNORECASE)
_YES_NO = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


class Said(NamedTuple):
    """One reply of a guard."""

    level: Level
    categories: tuple[str, ...] = ()


def read(reply: str, form: Form) -> Said | None:
    """None for a reply that is not in the form."""
    reply = reply[:_LONGEST].strip()
    if form == "auto":
        return next((said for reader in (_llama, _qwen, _wild) if (said := reader(reply)) is not None), None)
    return {"llama_guard": _llama, "qwen3guard": _qwen, "wildguard": _wild, "yes_no": _yes_no}[form](reply)


def _llama(reply: str) -> Said | None:
    """`safe`, or `unsafe` and on the next line `S1,S10`."""
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    first = lines[0].casefold().strip(".*`") if lines else ""
    if first == "safe":
        return Said("safe")
    return Said("unsafe", _listed(lines[1]) if len(lines) > 1 else ()) if first == "unsafe" else None


def _qwen(reply: str) -> Said | None:
    """`Safety: Safe|Unsafe|Controversial` and `Categories: ...`; two different levels are no answer."""
    levels = {found.casefold() for found in _QWEN.findall(reply)}
    if len(levels) != 1:
        return None
    named = _QWEN_CATEGORIES.search(reply)
    categories = tuple(one for one in _listed(named.group(1)) if one.casefold() != "none") if named else ()
    level = levels.pop()
    return Said("safe" if level == "safe" else "controversial" if level == "controversial" else "unsafe", categories)


def _wild(reply: str) -> Said | None:
    """`Harmful request: yes`, `Harmful response: no`: unsafe where either says yes."""
    said = [(what.casefold(), word.casefold()) for what, word in _WILD.findall(reply)]
    if not said:
        return None
    harmful = tuple(f"harmful {what}" for what, word in said if word == "yes")
    return Said("unsafe", harmful) if harmful else Said("safe")


def _yes_no(reply: str) -> Said | None:
    """`Yes` is a violation."""
    found = _SCORE.search(reply) or _YES_NO.match(reply)
    if found is None:
        return None
    return Said("unsafe" if found.group(1).casefold() == "yes" else "safe")


def _listed(line: str) -> tuple[str, ...]:
    return tuple(one.strip()[:60] for one in line.split(",") if one.strip())[:20]
