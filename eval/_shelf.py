"""What an index of duplicates remembers, in SQLite: for one opening (a temporary file), or by name for every run to come.

A named index is a file HOME/indexes/NAME/KIND.db that several runs may use at the same time: each batch is one transaction, which
first reads what the others have put in. A record that comes again under its own id in a recipe of the same name (a run that
is resumed or repeated) is the record itself, once an opening, and no twin. What indexes depend on is stored with them; another scheme is refused.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..core.errors import RecipeError, StorageError
from ..core.home import home

NAME_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$"
"""Of the names of indexes; `""` is none."""
_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, run TEXT NOT NULL, record TEXT NOT NULL, keys BLOB NOT NULL, body BLOB NOT NULL);
"""
_BY_RECORD = "CREATE INDEX IF NOT EXISTS by_record ON entries (record);"
_BY_KEYS = "CREATE INDEX IF NOT EXISTS by_keys ON entries (keys);"
_WAIT_S = 60.0


class Entry(NamedTuple):
    """A record that was kept."""

    number: int
    record: str
    """Its id."""
    keys: bytes
    """What it is looked up by."""
    body: bytes
    """What candidates are compared by."""


class Shelf:
    """Entries, numbered from 0 as they were kept. Not for two threads at once."""

    def __init__(self, name: str, kind: str, scheme: Mapping[str, Any], *, run: str = "", by_keys: bool = False) -> None:
        self.name = name
        self._run = run
        self._by_keys = by_keys
        """Whether entries are looked up here, by `found`; else whoever opens it reads them all and looks them up himself."""
        self._indexes = _BY_RECORD + (_BY_KEYS if by_keys else "")
        self.last = -1
        """Number of the last entry that was read or put."""
        self._mine = bytearray()
        """Of each entry whether this opening has met its record."""
        self._place = home() / "indexes" / name / f"{kind}.db" if name else None
        with self._mapped():
            self._db = self._opened()
            self._check(scheme)

    def _opened(self) -> sqlite3.Connection:
        if self._place is None:
            db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            db.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;" + _TABLES)
            return db
        self._place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        db = sqlite3.connect(self._place, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        self._place.chmod(0o600)
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLES + self._indexes)
        return db

    def _check(self, scheme: Mapping[str, Any]) -> None:
        """Raises RecipeError for an index that was made in another way."""
        for key, value in scheme.items():
            self._db.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (key, json.dumps(value)))
        stored = {key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM about WHERE key NOT LIKE '%:'")}
        other = [f"{key} {stored[key]!r}, here {scheme.get(key)!r}" for key in stored if stored[key] != scheme.get(key)]
        if other:
            self._db.close()
            raise RecipeError(
                f"the index {self.name!r} was made with other settings ({'; '.join(other)}): use those, or another name; "
                f"its file is {self._place}",
                "index",
            )

    def first(self, key: str, value: Any) -> Any:
        """The value that was stored first under this key: this one, if there was none."""
        with self._mapped():
            self._db.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (f"{key}:", json.dumps(value)))
            return json.loads(self._db.execute("SELECT value FROM about WHERE key = ?", (f"{key}:",)).fetchone()[0])

    @contextmanager
    def batch(self) -> Iterator[list[Entry]]:
        """One transaction; gives the entries that are new since the last one (of other openings)."""
        with self._mapped():
            self._db.execute("BEGIN IMMEDIATE" if self.name else "BEGIN")
            last = self.last
            try:
                news = self._news()
                last = self.last
                yield news
            except BaseException:
                self._db.execute("ROLLBACK")
                self.last = last
                del self._mine[last + 1 :]
                raise
            self._db.execute("COMMIT")

    def news(self, most: int = 100_000) -> list[Entry]:
        """Entries that are new, at most so many at a time: what an opening reads first."""
        with self._mapped():
            return self._news(most)

    def _news(self, most: int = -1) -> list[Entry]:
        if not self.name:
            return []
        if self._by_keys:
            self.last = self._db.execute("SELECT coalesce(max(number), -1) FROM entries").fetchone()[0]
            return []
        rows = self._db.execute(
            "SELECT number, record, keys, body FROM entries WHERE number > ? ORDER BY number LIMIT ?", (self.last, most)
        )
        found = [Entry(*row) for row in rows]
        if found:
            self.last = found[-1].number
        return found

    def put(self, entries: Iterable[tuple[str, bytes, bytes]]) -> list[int]:
        """Keep records (id, keys, body) within a batch; their numbers."""
        rows = [(self.last + at, self._run, *entry) for at, entry in enumerate(entries, 1)]
        self._db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)
        self.last += len(rows)
        if self.name:
            for row in rows:
                self._claim(row[0])
        return [row[0] for row in rows]

    def body(self, number: int) -> tuple[str, bytes]:
        """The record's id, and what it is compared by."""
        record, body = self._db.execute("SELECT record, body FROM entries WHERE number = ?", (number,)).fetchone()
        return record, body

    def at(self, number: int) -> Entry:
        return Entry(*self._db.execute("SELECT number, record, keys, body FROM entries WHERE number = ?", (number,)).fetchone())

    def found(self, keys: bytes) -> Entry | None:
        """The first entry with these keys, of a named index."""
        row = self._db.execute("SELECT number, record, keys, body FROM entries WHERE keys = ? ORDER BY number LIMIT 1", (keys,)).fetchone()
        return Entry(*row) if row else None

    def again(self, record: str) -> bool:
        """Whether this is a record that an earlier opening of the same run kept, met for the first time in this one."""
        if not self.name:
            return False
        numbers = [number for (number,) in self._db.execute("SELECT number FROM entries WHERE record = ? AND run = ?", (record, self._run))]
        for number in numbers:
            if number >= len(self._mine) or not self._mine[number]:
                self._claim(number)
                return True
        return False

    def _claim(self, number: int) -> None:
        if number >= len(self._mine):
            self._mine.extend(bytes(2 * number + 1024 - len(self._mine)))
        self._mine[number] = 1

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            where = f"the index {self._place}" if self._place else "the temporary directory (SQLITE_TMPDIR) with an index of duplicates"
            raise StorageError(f"{where} cannot be used: {error}; if it is broken, delete it and what it remembered is gone") from error
        except OSError as error:
            raise StorageError(f"the index {self._place} cannot be used: {error}") from error
