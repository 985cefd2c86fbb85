"""Runs in a worker process (130 MB): which language is a text in, and where in it is another? (py3langid)"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

WORST = 5.0
"""Nats that one word may speak for a language at most: no span rests on one word."""
BREAK = 4.0
"""Nats that going on after the end of a sentence costs a span."""
MOST_SPANS = 8
CHUNK = 2000
"""Words that are looked at together; longer texts are cut, so that memory stays bounded."""
LEAST_WORDS = 3
"""Different words of a span."""
_EDGES = ".,;:!?()[]{}\"'“”„«»…*_-–—"


def look(question: dict[str, Any]) -> list[Any]:
    """`texts`: for each the likeliest language, its probability, and that of `target`; or `runs`: for each its `spans`."""
    if "runs" in question:
        return [spans(run, question["target"], question["rivals"], question["least"]) for run in question["runs"]]
    return identify(question)


def identify(question: dict[str, Any]) -> list[tuple[str, float, float]]:
    target = question["target"]
    told = []
    for text in question["texts"]:
        ranking = _identifier().rank(text)
        told.append((*ranking[0], dict(ranking)[target]))
    return told


def spans(text: str, target: str, rivals: list[str], least: float) -> list[tuple[str, int, int]]:
    """(language, first word, word after the last) of each run of words that another language explains better.

    Each word speaks for each language by the difference of its log-likelihoods (naive Bayes adds them up); a span is the run with the
    largest sum, of all runs and rivals, again and again until none reaches `least`.
    """
    words = text.split()
    found = []
    for at in range(0, len(words), CHUNK):
        found += [(code, at + start, at + end) for code, start, end in _spans(words[at : at + CHUNK], target, tuple(rivals), least)]
    return found


def _spans(written: list[str], target: str, rivals: tuple[str, ...], least: float) -> list[tuple[str, int, int]]:
    words = [word.strip(_EDGES).casefold()[:40] for word in written]
    columns, own = _columns(target, rivals)
    if len(words) < 2 or not len(columns):
        return []
    scores = np.stack([_scores(word) for word in words])
    gains = np.clip(scores[:, columns] - scores[:, own : own + 1], -WORST, WORST)
    counted = _counted(words)
    gains[~counted] = 0
    gains[1:][[word.endswith((".", "!", "?")) for word in written[:-1]]] -= BREAK
    found: list[tuple[str, int, int]] = []
    for _ in range(MOST_SPANS):
        sums = np.vstack([np.zeros((1, len(columns))), np.cumsum(gains, axis=0)])
        rises = sums - np.minimum.accumulate(sums, axis=0)
        at, column = np.unravel_index(int(rises.argmax()), rises.shape)
        if rises[at, column] < least:
            break
        start = int(sums[: at + 1, column].argmin())
        if counted[start:at].sum() >= LEAST_WORDS:
            found.append((_identifier().nb_classes[columns[column]], start, int(at)))
        gains[start:at] = -1e6
    return sorted(found, key=lambda span: span[1])


def _counted(words: list[str]) -> NDArray[np.bool_]:
    """Which words speak at all: no single letters (variables), no abbreviations, and none that did so among the last twenty."""
    return np.array(
        [len(word) > 1 and word.replace("'", "").isalpha() and word not in words[max(0, at - 20) : at] for at, word in enumerate(words)]
    )


@lru_cache(maxsize=20_000)
def _scores(word: str) -> NDArray[np.float32]:
    """Log-likelihood of a word in each language, without the languages' own weights."""
    model = _identifier()
    scores: NDArray[np.float32] = model._raw_score(model._encode(f" {word} ")) - model.nb_pc
    return scores if np.isfinite(scores).all() and abs(scores).max() < 1e6 else np.zeros_like(scores)


@cache
def _columns(target: str, rivals: tuple[str, ...]) -> tuple[NDArray[np.intp], int]:
    classes = list(_identifier().nb_classes)
    return np.array([classes.index(code) for code in rivals if code in classes and code != target], dtype=np.intp), classes.index(target)


@cache
def _identifier() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
