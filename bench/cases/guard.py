"""guard: what our side costs with a guard that answers at once; replies of the known forms read."""

from __future__ import annotations

import time
from collections.abc import Iterator

from datalchemy.eval._guard_forms import read
from gauge import Line, above, plain, rate

from ._records import worked

REPLIES = [
    ("safe", "safe"),
    ("\n\nsafe", "safe"),
    ("unsafe\nS1", "unsafe"),
    ("\n\nunsafe\nS1,S10", "unsafe"),
    ("Safety: Safe\nCategories: None\nRefusal: No", "safe"),
    ("Safety: Unsafe\nCategories: Violent, PII\nRefusal: Yes", "unsafe"),
    ("Safety: Controversial\nCategories: Politically Sensitive Topics", "controversial"),
    ("Harmful request: no\nResponse refusal: no\nHarmful response: no", "safe"),
    ("Harmful request: no\nResponse refusal: no\nHarmful response: yes", "unsafe"),
    ("The conversation is safe.", None),
    ("It is unsafe\nS1", None),
    ("", None),
    ("Safety: Safe\nSafety: Unsafe", None),
    ("I cannot judge this.", None),
]


def speed() -> Iterator[Line]:
    models = {"guard": {"use": "scripted", "name": f"guard-{time.time_ns()}", "script": [{"match": "", "reply": "safe"}]}}
    yield plain(
        "1,000 worked solutions, a guard that answers at once, nothing stored",
        rate({"use": "guard"}, worked(1000), warm=0, repeat=1, models=models),
    )


def accuracy() -> Iterator[Line]:
    right = sum((said.level if (said := read(reply, "auto")) else None) == wanted for reply, wanted in REPLIES)
    yield above(f"{len(REPLIES)} replies of Llama Guard, Qwen3Guard, WildGuard and none of them, read right", right / len(REPLIES), 1.0, "")
