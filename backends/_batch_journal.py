"""Which calls were given to which batch: kept on disk, so that a run that was killed waits for what it paid for.

A batch is `planned` (its calls are written down, and it may or may not have reached the service) and then `submitted`.
Whoever plans it holds a lock until it is submitted; a planned batch whose lock is free belongs to a process that died.
A call is forgotten once its answer has been handed over for long enough to be in the response store, or when it failed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..core.crashpoints import crashpoint
from ..core.errors import StorageError

KEPT_DAYS = 60
"""A batch older than this is forgotten: the service keeps results for 30 days."""
_TABLES = """
CREATE TABLE IF NOT EXISTS batches (name TEXT PRIMARY KEY, account TEXT, path TEXT, created REAL, file TEXT, batch TEXT);
CREATE TABLE IF NOT EXISTS calls (account TEXT, id TEXT, name TEXT, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_by_name ON calls (name);
"""


class Planned(NamedTuple):
    """What became of calls that are to go into a batch."""

    name: str
    """Of the new batch; "" where there is none."""
    ours: frozenset[str]
    """Ids of the calls in the new batch."""
    elsewhere: dict[str, list[str]]
    """Batches, by name, that hold the other calls already."""
    lock: int | None


class Row(NamedTuple):
    """One batch."""

    path: str
    created: float
    file: str
    batch: str


class Journal:
    """One SQLite file for all runs of an account; every method is one transaction, and may be called on any thread."""

    def __init__(self, folder: Path, account: str) -> None:
        self.path = folder / "journal.db"
        self._folder, self._account = folder, account

    def open(self) -> None:
        """Raises StorageError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StorageError(f"the journal of batches {self.path} cannot be written: {error}") from error
        with self._change() as db:
            db.execute("DELETE FROM batches WHERE created < ?", (time.time() - KEPT_DAYS * 86400,))
            db.execute("DELETE FROM calls WHERE name NOT IN (SELECT name FROM batches)")

    def plan(self, path: str, ids: Sequence[str], again: Iterable[str]) -> Planned:
        """Write down a new batch of the calls that no batch holds; those in `again` are asked anew whatever holds them."""
        name = uuid.uuid4().hex
        lock = self._lock(name)
        try:
            with self._change() as db:
                db.executemany("DELETE FROM calls WHERE account = ? AND id = ?", [(self._account, id_) for id_ in again])
                held = dict(self._held(db, ids))
                ours = frozenset(ids) - held.keys()
                if ours:
                    db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, '', '')", (name, self._account, path, time.time()))
                    db.executemany("INSERT INTO calls VALUES (?, ?, ?)", [(self._account, id_, name) for id_ in ours])
        except BaseException:
            self.unlock(name, lock)
            raise
        crashpoint("batch planned")
        if not ours:
            self.unlock(name, lock)
        elsewhere: dict[str, list[str]] = {}
        for id_, holder in held.items():
            elsewhere.setdefault(holder, []).append(id_)
        return Planned(name if ours else "", ours, elsewhere, lock if ours else None)

    def _held(self, db: sqlite3.Connection, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        for at in range(0, len(ids), 500):
            part = ids[at : at + 500]
            marks = ",".join("?" * len(part))
            yield from db.execute(f"SELECT id, name FROM calls WHERE account = ? AND id IN ({marks})", (self._account, *part))  # noqa: S608

    def row(self, name: str) -> Row | None:
        with self._change() as db:
            found = db.execute("SELECT path, created, file, batch FROM batches WHERE name = ?", (name,)).fetchone()
        return Row(*found) if found else None

    def uploaded(self, name: str, file: str) -> None:
        with self._change() as db:
            db.execute("UPDATE batches SET file = ? WHERE name = ?", (file, name))
        crashpoint("batch uploaded")

    def submitted(self, name: str, batch: str) -> None:
        with self._change() as db:
            db.execute("UPDATE batches SET batch = ? WHERE name = ?", (batch, name))
        crashpoint("batch submitted")

    def forget(self, name: str) -> None:
        """A whole batch."""
        with self._change() as db:
            db.execute("DELETE FROM calls WHERE name = ?", (name,))
            db.execute("DELETE FROM batches WHERE name = ?", (name,))

    def forget_calls(self, ids: Iterable[str]) -> None:
        """Single calls, and batches of which none is left."""
        with self._change() as db:
            db.executemany("DELETE FROM calls WHERE account = ? AND id = ?", [(self._account, id_) for id_ in ids])
            db.execute("DELETE FROM batches WHERE batch != '' AND name NOT IN (SELECT name FROM calls)")

    def claim(self, name: str) -> int | None:
        """The lock of a batch whose planner died; None while it lives."""
        try:
            return self._lock(name)
        except BlockingIOError:
            return None

    def unlock(self, name: str, lock: int | None) -> None:
        if lock is not None:
            (self._folder / f"{name}.lock").unlink(missing_ok=True)
            os.close(lock)

    def _lock(self, name: str) -> int:
        lock = os.open(self._folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(lock)
            raise
        return lock

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
                    for statement in _TABLES.split(";"):
                        db.execute(statement)
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"the journal of batches {self.path}: {error}; move it away to go on without it") from error
