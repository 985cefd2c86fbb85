"""Run as a process: `_contamination_run.py BENCHMARK TRAIN`: which lines `contamination` refuses, and how fast."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from datalchemy.core.record import PlainText, Record
from datalchemy.engine.filtering import open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.loops import to_completion


def _measured(benchmark: str, train: str) -> None:
    """In a process of its own: what this filter refuses, and the processor time that it takes."""
    texts = [json.loads(line)["text"] for line in Path(train).read_text().splitlines()]
    records = [Record(content=PlainText(text=text)) for text in texts]
    part = {"use": "contamination", "against": [{"name": "b", "path": benchmark}], "rules": ["12gram"], "common": 10**9}

    async def run() -> dict[str, Any]:
        async with open_filters(FilterRecipe.build({"filters": [part]})) as opened:
            await opened.judge(records[:64])
            began = time.process_time()
            judged = await opened.judge(records)
            spent = time.process_time() - began
        return {"removed": [number for number, one in enumerate(judged) if not one.keep], "seconds": spent}

    print(json.dumps(to_completion(run())))


if __name__ == "__main__":
    _measured(*sys.argv[1:3])
