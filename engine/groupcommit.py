"""One writer thread for one SQLite file, many rows a commit.

An fsync costs about 2.4 ms whatever it carries: one row a commit gives some 400 rows a second, a hundred rows a commit
some 30,000. So rows gather for at most `linger_s` or until there are `rows` of them, and everyone who waits for
durability waits for the same commit.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from ..core.crashpoints import crashpoint
from ..core.errors import StorageError

CROWD = 16
"""Rows in the last commit from which on it pays to wait for more."""

Row = Sequence[Any]
Batch = tuple[list[tuple[str, Row]], "asyncio.Future[None]"]


class GroupCommit:
    """Rows in, one transaction out. Used from one event loop; `committed()` is the promise of durability.

    `prepare` turns a row as it was added into the row that is bound (compression, checksums), on the writer thread.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        name: str,
        *,
        prepare: Callable[[str, Row], Row] = lambda _, row: row,
        repair: Callable[[], None] | None = None,
        moved: Callable[[], bool] | None = None,
        linger_s: float = 0.02,
        rows: int = 100,
        high_water: int = 4000,
    ) -> None:
        self.connect = connect
        self.name = name
        self.prepare = prepare
        self.repair = repair
        """Called on the writer thread when the file is found damaged; the batch is then written to what `connect` opens."""
        self.moved = moved
        """Asked before each commit: whether another process has put another file in the place of ours."""
        self.linger_s = linger_s
        self.rows = rows
        self.high_water = high_water
        self.failure: StorageError | None = None
        self._pending: list[tuple[str, Row]] = []
        self._last = 0
        self._next: asyncio.Future[None] | None = None
        self._running: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, args=(ready,), name=f"datalchemy-{self.name}", daemon=True)
        self._thread.start()
        await ready
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            if self.failure is None:
                await self.committed()
        finally:
            self._batches.put(None)
            await asyncio.to_thread(self._thread.join)

    def add(self, sql: str, row: Row) -> asyncio.Future[None]:
        """Queue one row for the statement; the future is done when the row is durable (waiting for it is optional).

        The future is shared by all rows of the commit: who waits for it shields it from being cancelled with him.
        Raises StorageError when an earlier commit has failed: nothing more can be kept.
        """
        if self.failure is not None:
            raise self.failure
        self._pending.append((sql, row))
        if self._next is None:
            self._next = self._loop.create_future()
        future = self._next
        if len(self._pending) >= self.rows:
            self._flush()
        elif self._timer is None and self._running is None:
            self._linger()
        return future

    async def committed(self) -> None:
        """Returns when everything that was added so far is durable. Raises StorageError when it cannot be."""
        if self.failure is not None:
            raise self.failure
        waiting = self._next or self._running
        if self._next is not None:
            self._flush()
        if waiting is not None:
            await asyncio.shield(waiting)

    async def room(self) -> None:
        """Returns at once while the disk keeps up; waits when too many rows are queued (backpressure)."""
        while len(self._pending) >= self.high_water:
            await asyncio.shield(self._running or self._next)  # type: ignore[arg-type]

    def _linger(self) -> None:
        """Wait for company: shortly where rows come singly (someone waits for each), up to `linger_s` where they come in crowds."""
        self._timer = self._loop.call_later(self.linger_s if self._last >= CROWD else self.linger_s / 10, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is not None or self._next is None:
            return
        self._running, self._next = self._next, None
        batch, self._pending = self._pending, []
        self._last = len(batch)
        self._running.add_done_callback(self._flushed)
        self._batches.put((batch, self._running))

    def _flushed(self, future: asyncio.Future[None]) -> None:
        self._running = None
        error = None if future.cancelled() else future.exception()
        if isinstance(error, StorageError):
            self.failure = error
            if self._next is not None:
                self._next.set_exception(error)
                self._next.exception()
                self._next = None
        elif self._next is not None:
            if len(self._pending) >= self.rows:
                self._flush()
            elif self._timer is None:
                self._linger()

    def _work(self, ready: asyncio.Future[None]) -> None:
        try:
            connection = self.connect()
        except sqlite3.Error as error:
            self._loop.call_soon_threadsafe(ready.set_exception, self._explain(error))
            return
        self._loop.call_soon_threadsafe(ready.set_result, None)
        while (batch := self._batches.get()) is not None:
            rows, future = batch
            try:
                if self.moved is not None and self.moved():
                    connection.close()
                    connection = self.connect()
                try:
                    self._write(connection, rows)
                except sqlite3.DatabaseError as error:
                    if self.repair is None or isinstance(error, sqlite3.OperationalError):
                        raise
                    connection.close()
                    self.repair()
                    connection = self.connect()
                    self._write(connection, rows)
            except (sqlite3.Error, OSError) as error:
                self._loop.call_soon_threadsafe(_fail, future, self._explain(error))
            else:
                self._loop.call_soon_threadsafe(_succeed, future)
        connection.close()

    def _write(self, connection: sqlite3.Connection, rows: list[tuple[str, Row]]) -> None:
        crashpoint(f"{self.name}: before the transaction")
        connection.execute("BEGIN IMMEDIATE")
        try:
            start = 0
            while start < len(rows):
                sql = rows[start][0]
                end = start + 1
                while end < len(rows) and rows[end][0] == sql:
                    end += 1
                connection.executemany(sql, [self.prepare(sql, row) for _, row in rows[start:end]])
                start = end
            crashpoint(f"{self.name}: before the commit")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        crashpoint(f"{self.name}: after the commit")

    def _explain(self, error: Exception) -> StorageError:
        text = str(error)
        advice = (
            "free some disk space, then run the same command again: what was committed is kept"
            if "full" in text or "disk" in text
            else "see the message"
        )
        failure = StorageError(f"the {self.name} cannot be written ({text}); {advice}")
        failure.__cause__ = error
        return failure


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: StorageError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()


def connect(path: str, *, durable: bool, timeout_s: float = 60) -> sqlite3.Connection:
    """A connection in WAL mode; `durable` fsyncs at each commit, else a power cut may cost the last commits (never the file)."""
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    return connection
