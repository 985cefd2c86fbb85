"""Runs in a worker process (130 MB): which language is a text in? (py3langid)"""

from __future__ import annotations

from functools import cache
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier


def identify(question: dict[str, Any]) -> list[tuple[str, float, float]]:
    """For each of `texts`: the likeliest language, its probability, and that of the language `target`."""
    target = question["target"]
    told = []
    for text in question["texts"]:
        ranking = _identifier().rank(text)
        told.append((*ranking[0], dict(ranking)[target]))
    return told


@cache
def _identifier() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
