"""One session of a run that a test may kill: `python crash_child.py OUT LOG SEEDS TARGET CONCURRENCY [BREAK]`.

Every answer the model gives is logged (one write, so it survives the kill). BREAK names a promise to break on purpose,
for the controls of the checker.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from hashlib import blake2b
from pathlib import Path

from datalchemy.core.backend import Request
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.engine.store import ResponseStore

OUT, LOG, SEEDS, TARGET, CONCURRENCY = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
BREAK = sys.argv[6] if len(sys.argv) > 6 else ""
log = os.open(LOG, os.O_CREAT | os.O_APPEND | os.O_WRONLY)


async def model(request: Request, seed: int | None) -> str:
    text = f"{request.messages[-1]['content']}|{seed}"
    await asyncio.sleep(random.random() * 0.004)
    digest = blake2b(text.encode(), digest_size=12).hexdigest()
    os.write(log, f"{digest}\n".encode())
    return digest if random.Random(text).random() < 0.6 else digest[:6]


if BREAK == "pays twice":
    ResponseStore.get = lambda self, key: None  # type: ignore[method-assign]
if BREAK == "loses records":
    found = LedgerReader.roots
    LedgerReader.roots = lambda self: iter(sorted({*found(self), *(root + ahead for root in found(self) for ahead in (1, 2, 3))}))  # type: ignore[method-assign]

recipe = Recipe.build(
    {
        "name": "crash",
        "models": {"teacher": {"use": "scripted", "function": model, "max_in_flight": CONCURRENCY}},
        "seeds": {"inline": [f"question {i}" for i in range(SEEDS)]},
        "generate": [{"use": "answer", "model": "teacher", "samples": 2}, {"use": "answer", "model": "teacher", "source": "response"}],
        "filters": [{"use": "length", "answer": {"min_chars": 8}}, "exact"],
        "target": TARGET,
        "output": {"dir": str(OUT)},
        "checks": {"sample": 0},
    }
)
sys.exit(run(recipe).exit_code)
