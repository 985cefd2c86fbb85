"""Messing up a text by program: typos, casing, emoji. Numbers, words for numbers, formulas, code and addresses stay as they are."""

from __future__ import annotations

import re
from random import Random

from ._numbers import NUMERAL

_KEPT = re.compile(
    r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]{1,200}\$|\\\([^\n]*?\\\)|\\\[.*?\\\]|\\[A-Za-z]+(?:\{[^{}\n]*\})*|https?://\S+|\S+@\S+",
    re.DOTALL,
)
_WORD = re.compile(r"(?<![^\W_])(?<![-_'’])[A-Za-z]{3,}(?![^\W_])(?![-_'’])")
_END = re.compile(r"(?<=[A-Za-z\u3040-\u9fff])(?:[.!?](?=\s|\Z)|[。！？])")
_KEYS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n",
    "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
"""Neighbours on an English keyboard."""
EMOJI = "😅🙏🤔😭👀💀✨🙈😬🥲"


def typos(text: str, rng: Random, share: float) -> str:
    """About `share` of the words of four letters or more misspelt, one at least where there is one: a letter swapped, lost, doubled or hit beside."""
    found = [word for word in _words(text) if word.end() - word.start() >= 4]
    chosen = rng.sample(found, min(len(found), max(1, round(share * len(found)))))
    for word in sorted(chosen, key=lambda one: -one.start()):
        text = text[: word.start()] + _misspelt(word[0], rng) + text[word.end() :]
    return text


def casing(text: str, rng: Random) -> str:
    """All words in small letters, or (one time in four) all in capitals; words of one or two letters may be symbols or units and stay."""
    loud = rng.random() < 0.25
    for word in reversed(_words(text)):
        text = text[: word.start()] + (word[0].upper() if loud else word[0].lower()) + text[word.end() :]
    return text


def emoji(text: str, rng: Random) -> str:
    """An emoji at the end, and before it perhaps ones in place of or behind the ends of sentences."""
    for end in reversed([end for end in _END.finditer(text) if end.end() < len(text) and not _inside(end.start(), text)]):
        if rng.random() < 0.3:
            text = text[: end.end()] + " " + rng.choice(EMOJI) + text[end.end() :]
    return f"{text.rstrip()} {rng.choice(EMOJI) * rng.choice((1, 1, 2, 3))}"


def _words(text: str) -> list[re.Match[str]]:
    """Words that may be changed."""
    spans = [match.span() for match in _KEPT.finditer(text)]
    return [
        word
        for word in _WORD.finditer(text)
        if not NUMERAL.fullmatch(word[0]) and not any(start <= word.start() < end for start, end in spans)
    ]


def _inside(at: int, text: str) -> bool:
    return any(match.start() <= at < match.end() for match in _KEPT.finditer(text))


def _misspelt(word: str, rng: Random) -> str:
    """The word with one slip behind its first letter, so that it can still be read; never a word for a number."""
    at = rng.randrange(1, len(word) - 1)
    letter, following = word[at], word[at + 1]
    beside = rng.choice(_KEYS[letter.lower()])
    slips = [
        word[:at] + following + letter + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + beside + word[at + 1 :],
    ]
    rng.shuffle(slips)
    return next((slip for slip in slips if slip != word and not NUMERAL.fullmatch(slip)), word)
