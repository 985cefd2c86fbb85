"""P1, P2, P22: killed at seeded crash points (SIGKILL: no clean-up), restarted, the run comes to the same data, and pays once.

The number of chains is small here; `.ci/run` sets DATALCHEMY_TEST_CHAINS higher. A failing chain prints its seed.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import zstandard

CHILD = Path(__file__).with_name("crash_child.py")
SEEDS, TARGET, CONCURRENCY = 40, 45, 8
CHAINS = int(os.environ.get("DATALCHEMY_TEST_CHAINS", "2"))


class Chain(NamedTuple):
    """What a chain of killed sessions came to."""

    kills: int
    calls: Counter[str]
    paid_twice: int
    """Answers asked again that were committed before an earlier death."""
    dataset: list[tuple[str, Any]]


def session(folder: Path, crash_at: int | None, broken: str, target: int = TARGET) -> int:
    env = {**os.environ, "DATALCHEMY_HOME": str(folder / "home")}
    if crash_at is not None:
        env["DATALCHEMY_CRASH_AT"] = str(crash_at)
    command = [sys.executable, str(CHILD), str(folder / "out"), str(folder / "log"), str(SEEDS), str(target), str(CONCURRENCY), broken]
    ended = subprocess.run(command, env=env, capture_output=True, timeout=120, text=True)
    if ended.returncode not in (0, -signal.SIGKILL):
        print(ended.stdout, ended.stderr)
    return ended.returncode


def committed(folder: Path) -> set[str]:
    """Texts that the response store holds."""
    path = folder / "home" / "responses.db"
    if not path.exists():
        return set()
    bodies = sqlite3.connect(path).execute("SELECT body FROM responses").fetchall()
    return {orjson.loads(zstandard.decompress(body))["text"] for (body,) in bodies}


def logged(folder: Path) -> list[str]:
    path = folder / "log"
    return path.read_text().split() if path.exists() else []


def dataset(folder: Path) -> list[tuple[str, Any]]:
    """The published set, as a reader that honours the manifest sees it."""
    import hashlib

    import pyarrow.parquet as pq

    manifest = orjson.loads((folder / "out" / "manifest.json").read_bytes())
    rows: list[tuple[str, Any]] = []
    for entry in manifest["files"]:
        file = folder / "out" / entry["path"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"], file
        if entry["path"].startswith("data/"):
            rows += [(row["id"], row["messages"]) for row in pq.read_table(file).to_pylist()]
    return rows


def partial(folder: Path) -> bool:
    """Whether a manifest stands beside files that are not the ones it lists (P22 forbids it)."""
    if not (folder / "out" / "manifest.json").exists():
        return False
    try:
        dataset(folder)
    except (AssertionError, OSError):
        return True
    return False


def chain(folder: Path, rng: random.Random, broken: str = "", kills: int = 4) -> Chain:
    """Kill `kills` sessions at random crash points, then let one end."""
    folder.mkdir()
    before: set[str] = set()
    paid_twice = died = 0
    for attempt in range(kills + 1):
        already = len(logged(folder))
        code = session(folder, rng.randint(1, 30) if attempt < kills else None, broken)
        paid_twice += sum(line in before or line[:6] in before for line in logged(folder)[already:])
        before = committed(folder)
        assert not partial(folder), "half a dataset was visible"
        died += code != 0
    return Chain(died, Counter(logged(folder)), paid_twice, dataset(folder))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The same run without a crash."""
    return chain(tmp_path_factory.mktemp("reference") / "run", random.Random(0), kills=0)


@pytest.mark.parametrize("seed", range(CHAINS))
def test_p1_p2_killed_anywhere_nothing_is_lost_doubled_or_paid_twice(seed: int, reference: Chain, tmp_path: Path) -> None:
    print(f"seed {seed}")
    ended = chain(tmp_path / "run", random.Random(seed))
    assert ended.kills > 0, "no session died: the test tests nothing"
    assert ended.dataset == reference.dataset
    assert len(ended.dataset) == TARGET
    assert len({id_ for id_, _ in ended.dataset}) == TARGET
    assert ended.paid_twice == 0
    again = sum(ended.calls.values()) - len(ended.calls)
    assert again <= ended.kills * 3 * CONCURRENCY, "a crash may cost what was in flight or not yet committed, no more"


def test_control_a_store_that_forgets_is_caught(tmp_path: Path) -> None:
    assert chain(tmp_path / "run", random.Random(3), broken="pays twice", kills=3).paid_twice > 0


def test_control_a_ledger_that_skips_seeds_is_caught(reference: Chain, tmp_path: Path) -> None:
    session(tmp_path, None, "", target=10)
    session(tmp_path, None, "loses records")
    assert [row for row in reference.dataset if row not in dataset(tmp_path)] != []
