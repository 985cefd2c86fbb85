"""What happened in a run, and how it is read: one row for each candidate that was settled, in OUT/.run/ledger.db.

The unit of resuming is the root seed: all candidates that one seed gave rise to are written in one transaction when the
last of them is settled. A seed that was claimed and has no rows is pending, and is done again from the response store
for free. Response bodies live in the store; the ledger holds the records that were made of them.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import zstandard

from ..core.errors import RecipeError, StorageError

ROOT_BYTES, YIELD_BYTES = 5, 3
SELECT = (
    "SELECT c.path, c.stage, c.strategy, c.status, c.id, c.filter, c.reason, c.score, c.body, c.note, c.crc, x.filter, x.reason, x.score"
    " FROM candidates c LEFT JOIN closed x ON x.path = c.path"
)
STATUS = "CASE WHEN x.path IS NULL THEN c.status ELSE 'refused' END"
"""A record that a closing filter refused was accepted until then; its row stays as it is."""

Path_ = tuple[int, ...]
"""(root seed ordinal, yield ordinal of stage 0, of stage 1 ...)."""


def pack(path: Path_) -> bytes:
    """A path as bytes that sort as the path does (SQLite compares blobs byte by byte)."""
    return path[0].to_bytes(ROOT_BYTES) + b"".join(n.to_bytes(YIELD_BYTES) for n in path[1:])


def unpack(packed: bytes) -> Path_:
    rest = range(ROOT_BYTES, len(packed), YIELD_BYTES)
    return (int.from_bytes(packed[:ROOT_BYTES]), *(int.from_bytes(packed[i : i + YIELD_BYTES]) for i in rest))


class Settled(NamedTuple):
    """One settled candidate."""

    path: Path_
    stage: int
    """Index in `generate`; -1 for a seed that the seeds' own filters judged."""
    strategy: str
    status: str
    """accepted | refused | failed."""
    id: str
    """The record's id (of a failed candidate: the seed's)."""
    filter: str
    """Who refused; of a failed candidate, the class of the error."""
    reason: str
    score: float | None
    body: bytes
    """The record as JSON."""
    note: bytes = b""
    """Of a failed candidate: JSON with the message and the raw bytes."""


def checksum(columns: tuple[Any, ...]) -> int:
    packed, stage, strategy, status, id_, filter_, reason, score, body, note = columns
    head = f"{stage}|{strategy}|{status}|{id_}|{filter_}|{reason}|{score!r}|".encode("utf-8", "surrogatepass")
    return zlib.crc32(note or b"", zlib.crc32(body, zlib.crc32(packed, zlib.crc32(head))))


class LedgerReader:
    """Reads a ledger, also one that another process is writing. Raises StorageError where a row is corrupt."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise RecipeError(f"there is no run in {path.parent.parent}: {path} does not exist")
        self.path = path
        self.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60, check_same_thread=False)
        self.decompressor = zstandard.ZstdDecompressor()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.connection.close()

    def verified(self) -> Self:
        """Itself, once every page and every row has been found whole. Raises StorageError or what SQLite raises."""
        if self.connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise StorageError(f"{self.path} is damaged")
        for _ in self.rows():
            pass
        return self

    def get(self, key: str, default: Any = None) -> Any:
        found = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(found[0][0]) if found else default

    def spent(self) -> dict[str, dict[str, float]]:
        """Totals by model: calls, reused, prompt_tokens, completion_tokens, dollars ..."""
        return {model: json.loads(totals) for model, totals in self._rows("SELECT model, totals FROM spent")}

    def deaths(self) -> dict[int, int]:
        return dict(self._rows("SELECT root, times FROM deaths"))

    def events(self, after: int = 0) -> list[tuple[int, float, str, dict[str, Any]]]:
        rows = self._rows("SELECT row, at, kind, body FROM events WHERE row > ? ORDER BY row", (after,))
        return [(row, at, kind, json.loads(body)) for row, at, kind, body in rows]

    def counts(self) -> dict[tuple[int, str], int]:
        """Settled candidates by (stage, status)."""
        rows = self._rows(f"SELECT c.stage, {STATUS} AS s, COUNT(*) FROM candidates c LEFT JOIN closed x ON x.path = c.path GROUP BY 1, 2")  # noqa: S608
        return {(stage, status): n for stage, status, n in rows}

    def reasons(self) -> list[tuple[int, str, str, str, int]]:
        """(stage, status, filter, first word of the reason, count), most frequent first."""
        found = self._rows(
            f"SELECT c.stage, {STATUS} AS s, COALESCE(x.filter, c.filter) AS f, COALESCE(x.reason, c.reason) AS r, COUNT(*)"  # noqa: S608
            " FROM candidates c LEFT JOIN closed x ON x.path = c.path WHERE s != 'accepted' GROUP BY 1, 2, 3, substr(r, 1, instr(r || ':', ':') - 1)"
        )
        counted = [(stage, status, by, reason.partition(":")[0], n) for stage, status, by, reason, n in found]
        return sorted(counted, key=lambda row: -row[4])

    def roots(self) -> Iterator[int]:
        """Ordinals of the root seeds that are done, ascending; read page by page, as an open query would keep the log from shrinking."""
        sql = f"SELECT DISTINCT substr(path, 1, {ROOT_BYTES}) FROM candidates WHERE path >= ? ORDER BY 1 LIMIT 10000"  # noqa: S608
        first = 0
        while page := self._rows(sql, (pack((first,)),)):
            ordinals = [int.from_bytes(root) for (root,) in page]
            yield from ordinals
            first = ordinals[-1] + 1

    def last_root(self) -> int:
        """The greatest ordinal of a root seed that is done; -1 where none is."""
        found = self._rows("SELECT MAX(path) FROM candidates")[0][0]
        return unpack(found)[0] if found else -1

    def rows(self, status: str | None = None, stage: int | None = None) -> Iterator[Settled]:
        """Settled candidates in seed order."""
        clauses = [(f"{STATUS} = ?", status), ("c.stage = ?", stage)]
        where = " AND ".join(text for text, value in clauses if value is not None) or "1"
        values = [value for _, value in clauses if value is not None]
        for row in self._stream(f"{SELECT} WHERE {where} ORDER BY c.path", values):
            yield self._decode(row)

    def subtree(self, packed: bytes) -> list[Settled]:
        """Everything that one root seed gave rise to, in order."""
        end = (int.from_bytes(packed) + 1).to_bytes(len(packed))
        rows = self._rows(f"{SELECT} WHERE c.path >= ? AND c.path < ? ORDER BY c.path", (packed, end))
        return [self._decode(row) for row in rows]

    def done_roots(self) -> int:
        """How many root seeds are settled."""
        return int(self._rows(f"SELECT COUNT(DISTINCT substr(path, 1, {ROOT_BYTES})) FROM candidates")[0][0])  # noqa: S608

    def find(self, prefix: str) -> list[Settled]:
        """Candidates whose record id starts with `prefix`."""
        rows = self._rows(f"{SELECT} WHERE c.id >= ? AND c.id < ? ORDER BY c.path", (prefix, prefix + "g"))
        return [self._decode(row) for row in rows]

    def _decode(self, row: tuple[Any, ...]) -> Settled:
        columns, crc, (closed_by, why, rank) = row[:10], row[10], row[11:]
        if checksum(columns) != crc:
            raise StorageError(
                f"a row of {self.path} is corrupt (checksum); run the same command again: it is rebuilt from the response store"
            )
        body = self.decompressor.decompress(columns[8])
        note = self.decompressor.decompress(columns[9]) if columns[9] else b""
        stage, strategy, status, id_, filter_, reason, score = columns[1:8]
        if closed_by is not None:
            status, filter_, reason, score = "refused", closed_by, why, rank
        return Settled(unpack(columns[0]), stage, strategy, status, id_, filter_, reason, score, body, note)

    def _stream(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self.connection.execute(sql, values)
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"{self.path} cannot be read: {error}; run the recipe again: it is rebuilt from the response store"
            ) from error

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise StorageError(f"{self.path} cannot be read: {error}") from error
