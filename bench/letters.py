"""`python bench/letters.py FOLDER`: makes eval/letters.bin, which letters follow which in Latin and Cyrillic words.

FOLDER holds gettext translations (`*.po`), of which only counts of three letters in a row are kept: the table that ships was
made of the translations in Django 5 (BSD-3-Clause, `pip download django`), 70 languages, each weighed the same.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections import Counter
from math import log2
from pathlib import Path

from datalchemy.eval import _letters

TEXT = re.compile(r'^msgstr(?:\[\d\])? "(.*)"$|^"(.*)"$', re.MULTILINE)
PLACE = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|<[^>]*>|\\[nrt\"]|https?://\S+|&\w+;")
WORD = re.compile(r"[^\W\d_]+")


def translations(folder: Path) -> dict[str, list[str]]:
    """Words by language."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.po")):
        language = path.parts[-3]
        said, inside = [], False
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("msgstr"):
                inside = True
            elif not line.startswith('"'):
                inside = False
            if inside and (quoted := re.search(r'"(.*)"', line)):
                said.append(quoted.group(1))
        text = PLACE.sub(" ", "\n".join(said))
        found.setdefault(language, []).extend(word for word in WORD.findall(text) if "-" not in word)
    return found


def table(words: dict[str, list[str]], script: _letters.Script) -> bytes:
    """A byte for each three letters: 16 times the bits they cost, at most 255."""
    size = len(script.letters) + 1
    total: Counter[tuple[int, int, int]] = Counter()
    for said in words.values():
        counts: Counter[tuple[int, int, int]] = Counter()
        for word in set(said):
            if (spelled := script.spelled(word)) is not None:
                counts.update(zip(spelled, spelled[1:], spelled[2:], strict=False))
        if counts.total() > 2000:
            for run, times in counts.items():
                total[run] += times / counts.total()
    unit = sum(total.values()) / 2_000_000
    costs = bytearray()
    for a in range(size):
        for b in range(size):
            row = [total[a, b, c] / unit + 0.5 for c in range(size)]
            costs += bytes(min(255, round(-16 * log2(one / sum(row)))) for one in row)
    return bytes(costs)


def main() -> None:
    words = translations(Path(sys.argv[1]))
    tables = [table(words, script) for script in _letters.SCRIPTS]
    _letters.FILE.write_bytes(zlib.compress(b"".join(tables), 9))
    print(f"{len(words)} languages, {_letters.FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
