"""Runs in a worker process: which instructions does a text follow?"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ._instructions import CHECKS, Unreadable, language_of, variants
from ._language_worker import identify

_MARKS = re.compile(r"[\d\s!-/:-@\[-`{-~]+")
_MOST = 4000
"""Characters that are enough to tell a language."""
_CERTAINTY = 10
"""How many times likelier than the wanted language another one must be."""


def followed(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of `{"text", "asked": [[id, kwargs], ...], "loose"}`: `{"flaws": [...]}`, one a instruction, or `{"unreadable": why}`."""
    return [_followed(question["text"], question["asked"], question["loose"]) for question in questions]


def _followed(text: str, asked: list[tuple[str, dict[str, Any]]], loose: bool) -> dict[str, Any]:
    texts = variants(text) if loose else [text]
    flaws = []
    for name, given in asked:
        if name not in CHECKS:
            return {"unreadable": f"unknown_instruction: {name[:80]}"}
        try:
            told = [_flaw(one, name, given) for one in texts if one.strip()]
        except Unreadable as error:
            return {"unreadable": f"bad_instruction: {name}: {error}"}
        flaws.append(min(told, key=bool) if told else "the answer is empty")
    return {"flaws": flaws}


def _flaw(text: str, name: str, given: dict[str, Any]) -> str:
    if flaw := CHECKS[name](text, given):
        return flaw
    wanted = language_of(name, given)
    if not wanted:
        return ""
    if wanted not in _known():
        raise Unreadable(f"language must be a code like 'en', not {wanted[:40]!r}")
    return _foreign(text, wanted)


def _foreign(text: str, wanted: str) -> str:
    """What a text is written in if not in the language wanted; in small letters, as the model reads capitals as noise."""
    bare = _MARKS.sub(" ", text[:_MOST]).strip().lower()
    if not any(map(str.isalpha, bare)):
        return ""
    ((language, sure, own),) = identify({"target": wanted, "texts": [bare]})
    return "" if language == wanted or own * _CERTAINTY >= sure else f"written in {language}, not in {wanted}"


@cache
def _known() -> frozenset[str]:
    from ._language_worker import _identifier

    return frozenset(language for language, _ in _identifier().rank("a"))
