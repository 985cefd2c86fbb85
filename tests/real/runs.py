"""`datalchemy run` as a user runs it: the installed command, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

INSTALLED = Path(sys.executable).with_name("datalchemy")
LIMIT_S = 150


class Ended(NamedTuple):
    code: int
    result: dict[str, Any]
    """What `--json` printed."""
    told: str
    """What stood on stderr."""

    @property
    def spent(self) -> dict[str, Any]:
        return self.result["spent"]


class Command:
    """Runs in `folder`, with its own response store there."""

    def __init__(self, folder: Path) -> None:
        assert INSTALLED.exists(), f"datalchemy is not installed beside {sys.executable}: pip install -e ."
        self.folder = folder

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "DATALCHEMY_HOME": str(self.folder / "home"), "COLUMNS": "200"}
        return subprocess.Popen(
            [INSTALLED, *words, "--json"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        try:
            out, told = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
        return Ended(process.returncode, json.loads(out) if out.strip() else {}, told)

    def run(self, *words: str) -> Ended:
        return self.end(self.start("run", *words))

    def stored(self) -> int:
        """Answers that the response store holds: what was paid for."""
        path = self.folder / "home" / "responses.db"
        if not path.exists():
            return 0
        with contextlib.closing(sqlite3.connect(path)) as store, contextlib.suppress(sqlite3.OperationalError):
            return store.execute("SELECT count(*) FROM responses").fetchone()[0]
        return 0

    def rows(self, out: str) -> list[dict[str, Any]]:
        files = sorted((self.folder / out / "data").glob("*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def manifest(self, out: str) -> dict[str, Any]:
        return json.loads((self.folder / out / "manifest.json").read_bytes())
