"""The clients that are measured, as commands, and the check of what they leave behind: every row's content."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import HERE, BenchError
from stub import expected

OURS, BARE, SDK, SDK_AIOHTTP = "datalchemy", "aiohttp", "openai", "openai-aiohttp"
CLIENTS = (BARE, SDK, SDK_AIOHTTP, OURS)

ONE_CALL = ["{use: answer, model: teacher}"]
TWO_CALLS = ["{use: answer, model: teacher}", "{use: answer, model: teacher, source: response}"]
"""The second stage asks with the first one's answer as its question."""

RECIPE = """\
name: bench
models:
  teacher: {{use: http, url: "{url}", name: stub, max_in_flight: 256}}
seeds: {{path: "{seeds}", fields: {{prompt: question}}}}
generate: [{stages}]
filters: []
"""


def questions(n: int) -> list[str]:
    """n different prompts of 300 characters."""
    return [f"Question {i}: {expected(str(i), tokens=(150, 150))}"[:300].rstrip() for i in range(n)]


def write_seeds(path: Path, n: int) -> None:
    with path.open("w") as sink:
        sink.writelines(json.dumps({"question": question}) + "\n" for question in questions(n))


def command(client: str, folder: Path, url: str, calls: int) -> list[str]:
    """Reads folder/seeds.jsonl, writes folder/out."""
    seeds, out = folder / "seeds.jsonl", folder / "out"
    if client == OURS:
        recipe = folder / "bench.yaml"
        recipe.write_text(RECIPE.format(url=url, seeds=seeds, stages=", ".join(ONE_CALL if calls == 1 else TWO_CALLS)))
        return [*program(), "run", str(recipe), "--out", str(out), "--json"]
    baseline = [sys.executable, str(HERE / "baseline.py"), client]
    return [*baseline, "--url", url, "--seeds", str(seeds), "--out", str(out), "--calls", str(calls)]


def program() -> list[str]:
    """What the console script does."""
    return [sys.executable, "-c", "from datalchemy.service.cli import main; main()"]


def environment(folder: Path) -> dict[str, str]:
    """This checkout as the package `datalchemy`, a response store of its own."""
    links = folder / "links"
    links.mkdir(exist_ok=True)
    if not (links / "datalchemy").exists():
        (links / "datalchemy").symlink_to(HERE.parent)
    return {**os.environ, "PYTHONPATH": str(links), "DATALCHEMY_HOME": str(folder / "home")}


@dataclass(frozen=True)
class Rows:
    """What a run left behind, against what it should have."""

    wanted: int
    rows: int
    right: int
    """Different prompts with the right answer, after the right calls."""
    failed: int = 0
    """Rows of the failed table."""
    explained: int = 0
    """Of these, those with a reason."""

    @property
    def lost(self) -> int:
        return self.wanted - self.right

    @property
    def doubled(self) -> int:
        return self.rows - self.right


def check(client: str, folder: Path, n: int, calls: int) -> Rows:
    """Wrong rows count as rows, not as right ones."""
    wanted = set()
    for prompt in questions(n):
        for _ in range(calls - 1):
            prompt = expected(prompt)
        wanted.add((prompt, expected(prompt)))
    made = ours(folder) if client == OURS else baseline(folder)
    failed = table(folder / "out" / "failed") if client == OURS else []
    return Rows(n, sum(made.values()), len(wanted & made.keys()), len(failed), sum(map(explained, failed)))


def baseline(folder: Path) -> Counter[tuple[str, str]]:
    with (folder / "out").open() as lines:
        return Counter((turns[-2], turns[-1]) for turns in map(json.loads, lines))


def ours(folder: Path) -> Counter[tuple[str, str]]:
    """(the last question, its answer) of each row: the row's own messages, or all of the messages before the answer joined."""
    rows = table(folder / "out" / "data")
    return Counter(("\n\n".join(m["content"] for m in row["messages"][:-1]), row["messages"][-1]["content"]) for row in rows)


def explained(row: dict[str, Any]) -> bool:
    return any(bool(value) for name, value in row.items() if "reason" in name or "error" in name)


def table(folder: Path) -> list[dict[str, Any]]:
    """All rows of the Parquet files in a folder."""
    if not folder.is_dir():
        return []
    import pyarrow.parquet as pq

    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def committed(folder: Path) -> int:
    """Responses in a run's own response store, as a process that opens it now would find them."""
    path = folder / "home" / "responses.db"
    if not path.exists():
        raise BenchError(f"no response store at {path}")
    with closing(sqlite3.connect(path)) as store:
        return int(store.execute("SELECT count(*) FROM responses").fetchone()[0])


def log_of(path: Path) -> Counter[str]:
    """Answers by question, from the stub's log."""
    lines = (line.split() for line in path.read_text().splitlines())
    return Counter(question for _, question, outcome in lines if outcome in ("ok", "length"))
