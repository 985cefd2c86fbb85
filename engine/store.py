"""Every model response that was ever paid for, under a hash of what was asked.

One SQLite file (WAL, fsync at each commit) in DATALCHEMY_HOME, shared by all runs of a user. A response is committed
before it counts. Rows carry a checksum (zstd's own); a row that fails it is dropped and asked again.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import orjson
import zstandard

from ..core.backend import Reply
from ..core.errors import StorageError
from ..core.home import home
from .groupcommit import GroupCommit, Row, connect

SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
    row INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    model TEXT NOT NULL,
    finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    created REAL NOT NULL,
    used INTEGER NOT NULL,
    body BLOB NOT NULL,
    run TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS runs (ledger TEXT PRIMARY KEY, started REAL NOT NULL);
"""
INSERT = (
    "INSERT INTO responses (key, tenant, model, finish, prompt_tokens, completion_tokens, created, used, run, body) VALUES (?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (key) DO UPDATE SET finish=excluded.finish, prompt_tokens=excluded.prompt_tokens,"
    " completion_tokens=excluded.completion_tokens, created=excluded.created, used=excluded.used, run=excluded.run, body=excluded.body"
)
TOUCH = "UPDATE responses SET used = ? WHERE key = ?"
DAY = 86_400


class ResponseStore:
    """The store of one tenant; safe to share between processes, used from one event loop."""

    def __init__(self, folder: Path | None = None, tenant: str = "local") -> None:
        self.path = (folder or home()) / "responses.db"
        self.tenant = tenant
        self.run = ""
        """Id of the run that pays (so that a budget can be counted anew after a crash)."""
        self.dropped = 0
        """Rows found corrupt and dropped since opening."""
        self._writer = GroupCommit(self._connect, "response store", prepare=_compress(), repair=self._repair, moved=self._moved)
        self._damaged = False
        self._inode = 0
        self._decompressor = zstandard.ZstdDecompressor()

    def _connect(self) -> sqlite3.Connection:
        connection = connect(str(self.path), durable=True)
        self._inode = self.path.stat().st_ino
        return connection

    def _moved(self) -> bool:
        """Whether another process has repaired the store, so that ours is the damaged file. Raises OSError when it is gone."""
        if self.path.stat().st_ino == self._inode:
            return False
        self._damaged = True
        return True

    def open(self) -> Self:
        """Create or mend the file; enough for reading."""
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                salvage(self.path)
                self._open()
            else:
                raise StorageError(
                    f"the response store {self.path} cannot be opened ({error}); set DATALCHEMY_HOME to a writable folder"
                ) from error
        except OSError as error:
            raise StorageError(
                f"the response store {self.path} cannot be created ({error}); set DATALCHEMY_HOME to a writable folder"
            ) from error
        return self

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self._reader = self._connect()
        self._reader.executescript(SCHEMA)
        if "run" not in [column[1] for column in self._reader.execute("PRAGMA table_info(responses)")]:
            self._reader.execute("ALTER TABLE responses ADD COLUMN run TEXT NOT NULL DEFAULT ''")
        self._reader.execute("SELECT row FROM responses LIMIT 1").fetchone()

    async def __aenter__(self) -> Self:
        self.open()
        await self._writer.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._writer.__aexit__(*exc)
        finally:
            self._reader.close()

    def get(self, key: bytes) -> tuple[Reply, float] | None:
        """The stored reply and when it was paid for (Unix time), or None."""
        if self._damaged:
            self._damaged = False
            self._reader.close()
            self._reader = self._connect()
        try:
            row = self._reader.execute("SELECT body, created, used FROM responses WHERE key = ?", (key,)).fetchone()
        except sqlite3.OperationalError as error:
            raise StorageError(f"the response store {self.path} cannot be read ({error})") from error
        except sqlite3.DatabaseError:
            self.dropped += 1
            return None  # asked again; writing the new answer finds the damage and repairs the file
        if row is None:
            return None
        body, created, used = row
        try:
            reply = Reply.model_validate_json(self._decompressor.decompress(body))
        except (zstandard.ZstdError, ValueError):
            self.dropped += 1
            return None
        today = int(time.time()) // DAY
        if used < today:
            self._writer.add(TOUCH, (today, key))
        return reply, created

    async def put(self, key: bytes, model: str, reply: Reply) -> None:
        """Returns when the reply is durable."""
        now = time.time()
        try:
            body = reply.model_dump_json(exclude_defaults=True).encode()
        except ValueError:  # a lone surrogate: paid for is paid for
            body = orjson.dumps(_cleaned(reply.model_dump(exclude_defaults=True)))
        usage = reply.usage
        row = (
            key,
            self.tenant,
            model,
            reply.finish_reason,
            usage.prompt_tokens,
            usage.completion_tokens,
            now,
            int(now) // DAY,
            self.run,
            body,
        )
        await asyncio.shield(self._writer.add(INSERT, row))

    def _repair(self) -> None:
        """On the writer thread: SQLite calls the file malformed. Keep what can be read, go on with that.

        One process repairs; the others, waiting for its lock, find another file in the place of theirs.
        """
        with (self.path.parent / "repair.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._moved():
                salvage(self.path)
        self._damaged = True

    def paid_by(self, run: str) -> dict[str, tuple[int, int, int]]:
        """What a run has paid for so far: calls, prompt tokens, completion tokens by model identity. Reads the whole store."""
        rows = self._reader.execute(
            "SELECT model, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens) FROM responses WHERE run = ? GROUP BY model", (run,)
        )
        return {model: (calls, prompt, completion) for model, calls, prompt, completion in rows}

    def run_opened(self, ledger: Path) -> None:
        """Protect what this run pays for or reuses from `prune`, until `run_finished`."""
        self._writer.add("INSERT OR IGNORE INTO runs VALUES (?, ?)", (str(ledger.resolve()), time.time()))

    def run_finished(self, ledger: Path) -> None:
        self._writer.add("DELETE FROM runs WHERE ledger = ?", (str(ledger.resolve()),))

    def stats(self) -> dict[str, Any]:
        """Rows, bytes and tokens, in all and by model."""
        models = self._reader.execute(
            "SELECT model, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(LENGTH(body)) FROM responses GROUP BY model ORDER BY 2 DESC"
        ).fetchall()
        names = ("model", "responses", "prompt_tokens", "completion_tokens", "bytes")
        return {
            "path": str(self.path),
            "responses": sum(row[1] for row in models),
            "file_bytes": self.path.stat().st_size,
            "models": [dict(zip(names, row, strict=True)) for row in models],
            "unfinished_runs": [row[0] for row in self._reader.execute("SELECT ledger FROM runs")],
        }

    def prune(self, *, unused_days: float, model: str | None = None) -> int:
        """Delete what no run has used for that long; never what an unfinished run paid for or reused. The number deleted."""
        for (ledger,) in self._reader.execute("SELECT ledger FROM runs").fetchall():
            if not Path(ledger).exists():
                self._reader.execute("DELETE FROM runs WHERE ledger = ?", (ledger,))
        oldest = self._reader.execute("SELECT MIN(started) FROM runs").fetchone()[0]
        before = int(min(time.time() - unused_days * DAY, oldest or float("inf"))) // DAY
        deleted = self._reader.execute(
            "DELETE FROM responses WHERE used < ? AND tenant = ? AND (? IS NULL OR model = ?)",
            (before + (0 if oldest else 1), self.tenant, model, model),
        ).rowcount
        self._reader.execute("VACUUM")
        return deleted

    def export(self) -> Iterator[bytes]:
        """Every response as a JSON line: key, model, created, reply."""
        for key, model, created, body in self._reader.execute(
            "SELECT key, model, created, body FROM responses WHERE tenant = ? ORDER BY row", (self.tenant,)
        ):
            reply = json.loads(self._decompressor.decompress(body))
            yield orjson.dumps({"key": key.hex(), "model": model, "created": created, "reply": reply}) + b"\n"


def _cleaned(value: Any) -> Any:
    """Without lone surrogates, which no UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _cleaned(inner) for key, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, (list, tuple)) else value


class _compress:
    """Bodies are compressed (with a checksum) on the writer thread."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)

    def __call__(self, sql: str, row: Row) -> Row:
        return row if sql is not INSERT else (*row[:-1], self.compressor.compress(row[-1]))


def salvage(path: Path) -> int:
    """Copy every readable row of a damaged store into a new file; the old one is kept beside it. The number of rows kept."""
    damaged = path.with_name(f"{path.name}.corrupt-{int(time.time())}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(damaged.with_name(damaged.name + suffix))
    fresh = connect(str(path), durable=True)
    path.chmod(0o600)
    fresh.executescript(SCHEMA)
    fresh.execute("BEGIN")
    kept = 0
    for row in _readable(damaged):
        kept += fresh.execute(INSERT, row).rowcount
    fresh.execute("COMMIT")
    fresh.close()
    return kept


def _readable(damaged: Path) -> Iterator[tuple[Any, ...]]:
    """Rows by row number, stepping over those that cannot be read."""
    sql = "SELECT key, tenant, model, finish, prompt_tokens, completion_tokens, created, used, run, body FROM responses NOT INDEXED WHERE row = ?"
    try:
        old = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)
        top = old.execute("SELECT MAX(row) FROM responses NOT INDEXED").fetchone()[0] or 0
    except sqlite3.DatabaseError:
        top = _guess_rows(damaged)
    misses = 0
    for number in range(1, top + 1):
        try:
            row = old.execute(sql, (number,)).fetchone()
        except sqlite3.DatabaseError:
            misses += 1
            if misses > 100_000:
                return
            continue
        if row is not None and isinstance(row[0], bytes):
            yield row


def _guess_rows(damaged: Path) -> int:
    """An upper bound of row numbers where the table cannot tell: no row is smaller than 100 bytes."""
    return damaged.stat().st_size // 100
