"""How often each of many things was seen, in flat memory: a temporary SQLite file that spills to disk."""

from __future__ import annotations

import sqlite3


class Occurrences:
    """Counts by 64-bit key; about 20 bytes a key on disk, a bounded cache in memory."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY, times INTEGER NOT NULL)")
        self._db.execute("BEGIN")

    def before(self, digest: str) -> int:
        """How often this was seen before (0 the first time); `digest` is 16 hex digits."""
        key = int(digest, 16) - (1 << 63)
        (times,) = self._db.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1 RETURNING times", (key,)
        ).fetchone()
        return int(times) - 1

    def close(self) -> None:
        self._db.close()
