"""Writing the ledger: one row for each candidate that was settled, all of a root seed's rows in one transaction."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import zstandard

from .groupcommit import GroupCommit, Row, connect
from .ledger import ROOT_BYTES, Path_, Settled, checksum, pack

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS candidates (
    row INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    stage INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    status TEXT NOT NULL,
    id TEXT NOT NULL,
    filter TEXT NOT NULL,
    reason TEXT NOT NULL,
    score REAL,
    body BLOB NOT NULL,
    note BLOB,
    crc INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS closed (path BLOB PRIMARY KEY, filter TEXT NOT NULL, reason TEXT NOT NULL, score REAL);
CREATE TABLE IF NOT EXISTS spent (model TEXT PRIMARY KEY, totals TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deaths (root INTEGER PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (row INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
"""
INSERT = "INSERT OR REPLACE INTO candidates (path, stage, strategy, status, id, filter, reason, score, body, note, crc) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
SPENT = "INSERT OR REPLACE INTO spent VALUES (?, ?)"
EVENT = "INSERT INTO events (at, kind, body) VALUES (?, ?, ?)"
DEATH = "INSERT INTO deaths VALUES (?, 1) ON CONFLICT (root) DO UPDATE SET times = times + 1"
CLOSED = "INSERT OR REPLACE INTO closed VALUES (?, ?, ?, ?)"


class Ledger:
    """The ledger of one run; one process writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = GroupCommit(self._connect, "ledger", prepare=_Encoder(), linger_s=0.05, rows=200)

    def _connect(self) -> sqlite3.Connection:
        return connect(str(self.path), durable=False)

    async def __aenter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        connection.executescript(SCHEMA)
        connection.close()
        self.path.chmod(0o600)
        await self.writer.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.writer.__aexit__(*exc)

    def settle(self, rows: Sequence[Settled]) -> None:
        """Journal all candidates of one root seed. They become durable together, soon; `flush` waits for it."""
        for row in rows:
            self.writer.add(INSERT, row)

    def set(self, key: str, value: Any) -> None:
        self.writer.add(META, (key, json.dumps(value)))

    def spend(self, model: str, totals: dict[str, float]) -> None:
        """The totals of a model over all sessions of the run."""
        self.writer.add(SPENT, (model, json.dumps(totals)))

    def event(self, at: float, kind: str, body: dict[str, Any]) -> None:
        self.writer.add(EVENT, (at, kind, json.dumps(body)))

    def death(self, root: int) -> None:
        """Blame a root seed for the death of a process."""
        self.writer.add(DEATH, (root,))

    def forget_from(self, root: int) -> None:
        """Make all root seeds from this one on pending again."""
        self.writer.add("DELETE FROM candidates WHERE path >= ?", (pack((root,)),))

    def forget_failed(self) -> None:
        """Make every root seed with a failed candidate pending again, and forget the deaths it was blamed for."""
        roots = f"SELECT substr(path, 1, {ROOT_BYTES}) FROM candidates WHERE status = ?"  # noqa: S608 (our own words)
        self.writer.add(f"DELETE FROM candidates WHERE substr(path, 1, {ROOT_BYTES}) IN ({roots})", ("failed",))  # noqa: S608
        self.writer.add("DELETE FROM deaths WHERE ?", (1,))

    def close(self, path: Path_, by: str, reason: str, score: float | None) -> None:
        """A closing filter refuses an accepted record."""
        self.writer.add(CLOSED, (pack(path), by, reason, score))

    def reopen(self) -> None:
        """Forget all that closing filters said: the set has changed."""
        self.writer.add("DELETE FROM closed WHERE ?", (1,))

    async def flush(self) -> None:
        await self.writer.committed()


class _Encoder:
    """Compresses a candidate's body and note and adds the row's checksum, on the writer thread."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)

    def __call__(self, sql: str, row: Row) -> Row:
        if sql is not INSERT:
            return row
        path, stage, strategy, status, id_, filter_, reason, score, body, note = row
        # SQLite keeps REAL numbers: 1 comes back as 1.0, -0.0 as 0.0, and the checksum must not see a difference
        score = float(score) + 0.0 if score is not None and math.isfinite(score) else None
        packed, squeezed = pack(path), self.compressor.compress(body)
        noted = self.compressor.compress(note) if note else None
        columns = (packed, stage, strategy, status, id_, filter_, reason, score, squeezed, noted)
        return (*columns, checksum(columns))
