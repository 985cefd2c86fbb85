"""pattern: ten patterns an answer; a catastrophic pattern on a long text; the same answers as `re` where both can."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

from datalchemy.eval.pattern import Pattern, _compiled
from gauge import Line, above, below, plain, rate

from ._records import worked

TEN = [rf"(?i)\b(?:word{n}|phrase {n})\b" for n in range(9)] + [r"^\s*As an AI"]


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions, ten patterns", rate({"use": "pattern", "must_not_match": TEN}, worked()))
    compiled = _compiled("^(a+)+$", ignore_case=False)
    began = time.perf_counter()
    compiled.search("a" * 100_000 + "!")
    yield below("^(a+)+$ on 100,000 letters (`re`: longer than the universe is old)", (time.perf_counter() - began) * 1000, 50, " ms")


def accuracy() -> Iterator[Line]:
    rng = random.Random(1)
    patterns = [r"\d+", r"a.c", r"^ab*$", r"[^x]y", r"\bcat\b", r"(?i)DOG", r"a{2,3}", r"(ab|cd)+e", r"\s$", r"é"]
    same = 0
    for _ in range(2000):
        text = "".join(rng.choices("abcdexy cat dog 12 éé\n", k=rng.randrange(1, 30)))
        pattern = rng.choice(patterns)
        same += (Pattern(must_match=(pattern,))._found(_compiled(pattern, ignore_case=False), text) is None) == (
            re.search(pattern, text) is None
        )
    yield above("2,000 texts and patterns, the same found as by `re`", same / 2000, 0.98, "")
