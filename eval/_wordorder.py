"""Whether English words stand in an order that English allows: articles and prepositions before something they can belong to."""

from __future__ import annotations

import re
from collections import Counter
from math import sqrt

_TOKENS = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[^\sA-Za-z]")
_AFTER = {
    "the an my your his our their every": "the an of and or is are was were be been to in on at for with from by that which it he she they we i has have had will "
    "would can could should must do does did not but if than then so because as my your his our their into there this these a . , ; : ! ? )",
    "a": "the an my his her their was were he she they we i at with from by for on . ! ?",
    "of from with into at for by": "of is are was were be been has have had will would can could should must do does did and or but than i he she they we .",
    "he she they we i": "the an a of he she they we i it that his her their my our to for with from by in on at .",
    "to in on": "of and or but is are was were been has have had will would he she they we i for with by to .",
    "is are was were has have had will would": "is are was were of will would has have had",
    "and": "and or but . ,",
}
"""What can stand after neither of these words (the lists are for running text, not for talk about words or letters)."""
_NEVER = {word: frozenset(after.split()) for words, after in _AFTER.items() for word in words.split()}
_COMMON = frozenset(["the", "of", "and", "to", "in", "is", "that", "it", "are", "was", "a", "for", "with"])
LEAST = 8
"""Small words that must be there before anything is said."""
USUAL = 0.03
"""Share of small words that stand wrong in texts that are all right (talk about words, headings, lists); of shuffled texts one in six does."""


def shuffled(text: str) -> tuple[int, int, str] | None:
    """(wrong ones, all, an example) where more stand wrong than chance explains (three standard deviations); None for other languages and short texts."""
    tokens = _TOKENS.findall(text[:20_000])
    words = [token.casefold() for token in tokens if token[0].isalpha()]
    counts = Counter(words)
    if sum(counts[word] for word in _COMMON) < max(LEAST, len(words) / 10):
        return None
    wrong, total, example = 0, 0, ""
    for at, token in enumerate(tokens):
        never = _NEVER.get(token.casefold())
        if never is None:
            continue
        total += 1
        if (tokens[at + 1].casefold() if at + 1 < len(tokens) else ".") in never:
            wrong += 1
            example = example or " ".join(tokens[max(0, at - 1) : at + 3])
    most = USUAL * total + 3 * sqrt(USUAL * (1 - USUAL) * total) + 2
    return (wrong, total, example) if total >= LEAST and wrong > most else None
