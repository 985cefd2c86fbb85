"""How likely the letters of a word are: three in a row, over all languages of a script at once (letters.bin, made by bench/letters.py)."""

from __future__ import annotations

import unicodedata
import zlib
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parent / "letters.bin"
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th", "ŋ": "ng", "ħ": "h", "ə": "e", "ɛ": "e"})  # fmt: skip


class Script(NamedTuple):
    """An alphabet; 0 stands for the end of a word."""

    name: str
    letters: str
    spread: float = 0.0
    """Bits a letter by which words of this script cost more, as fewer and more different languages share the table."""

    def spelled(self, word: str) -> list[int] | None:
        """The word in numbers, or None where it has other letters."""
        plain = word.casefold().translate(_PLAIN)
        if not plain.isascii():
            plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
        numbers = [self.letters.find(c) + 1 for c in plain]
        return None if 0 in numbers or not numbers else [0, *numbers, 0]


SCRIPTS = (Script("latin", "abcdefghijklmnopqrstuvwxyz"), Script("cyrillic", "абвгдежзиклмнопрстуфхцчшщъыьэюяѓєђѕіјљњћќґәөүқңһғұҳҷ", 0.7))
"""Accents are left out on both sides, so that one table serves all languages of a script."""


@lru_cache(maxsize=50_000)
def bits(word: str) -> float | None:
    """Bits a letter on average: 3 to 4.5 for words of human languages, above for letters struck at random; None for other scripts."""
    for script, table in zip(SCRIPTS, _tables(), strict=True):
        spelled = script.spelled(word)
        if spelled is not None:
            size = len(script.letters) + 1
            runs = zip(spelled, spelled[1:], spelled[2:], strict=False)
            return sum(table[(a * size + b) * size + c] for a, b, c in runs) / (16 * (len(spelled) - 2)) - script.spread
    return None


@cache
def _tables() -> tuple[bytes, ...]:
    whole, tables = zlib.decompress(FILE.read_bytes()), []
    for script in SCRIPTS:
        size = (len(script.letters) + 1) ** 3
        tables.append(whole[:size])
        whole = whole[size:]
    return tuple(tables)
