"""Words of a text, for counting: lower case, numbers too; letters one by one where a script has no spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff"
_LETTERS = rf"(?:(?![{_UNSPACED}])[^\W_])+"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:['’]{_LETTERS})?")


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def ngrams(found: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(found[at:] for at in range(n)), strict=False)
