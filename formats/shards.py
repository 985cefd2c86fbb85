"""Rows into files: Parquet in shards, JSON lines; batches bounded in rows and in bytes, so that memory stays flat.

Rows come as JSON text. Arrow's own JSON reader makes columns of them: as fast as from Python values, and without pandas,
which pyarrow imports (0.6 s, 40 MB) as soon as it is handed a list.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS, BATCH_BYTES = 1000, 8 * 1024 * 1024
GROUP_ROWS = 10_000
"""Rows of a row group at most (readers hold one in memory)."""


class Written(NamedTuple):
    """A file that is complete."""

    path: Path
    rows: int


class ParquetShards:
    """`PREFIX-00000-of-00003.parquet` and so on, made when the first row comes (`empty` makes one without rows)."""

    def __init__(self, folder: Path, prefix: str, schema: pa.Schema, shard_rows: int) -> None:
        self.folder = folder
        self.prefix = prefix
        self.schema = schema
        self.shard_rows = shard_rows
        self.rows: list[int] = []
        self._buffer: list[bytes] = []
        self._bytes = 0
        self._group: list[pa.RecordBatch] = []
        self._group_bytes = 0
        self._writer: Any = None

    def add(self, row: bytes) -> None:
        self._buffer.append(row)
        self._bytes += len(row)
        if len(self._buffer) >= min(BATCH_ROWS, self.shard_rows) or self._bytes >= BATCH_BYTES:
            self._convert()

    def empty(self) -> None:
        """A shard without rows, so that there is something to load."""
        self._open()

    def close(self) -> list[Written]:
        self._convert()
        self._end()
        total = len(self.rows)
        return [Written(self._name(n).rename(self._name(n, total)), rows) for n, rows in enumerate(self.rows)]

    def _convert(self) -> None:
        if not self._buffer:
            return
        if not self._writer:
            self._open()
        for batch in columns(self._buffer, self.schema).to_batches():
            self._shard(batch)
        self._buffer, self._bytes = [], 0

    def _shard(self, batch: pa.RecordBatch) -> None:
        room = self.shard_rows - self.rows[-1]
        while batch.num_rows > room:
            self._keep(batch.slice(0, room))
            self._end()
            self._open()
            batch, room = batch.slice(room), self.shard_rows
        self._keep(batch)

    def _keep(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self._group.append(batch)
            self._group_bytes += batch.nbytes
            self.rows[-1] += batch.num_rows
        if sum(b.num_rows for b in self._group) >= GROUP_ROWS or self._group_bytes >= 4 * BATCH_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._group:
            self._writer.write_table(pa.Table.from_batches(self._group, self.schema))
            self._group, self._group_bytes = [], 0

    def _open(self) -> None:
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows.append(0)
        self._writer = pq.ParquetWriter(self._name(len(self.rows) - 1), self.schema, compression="zstd")

    def _end(self) -> None:
        if self._writer:
            self._write_group()
            self._writer.close()
            self._writer = None

    def _name(self, n: int, total: int | None = None) -> Path:
        of = "" if total is None else f"-of-{total:05d}"
        return self.folder / f"{self.prefix}-{n:05d}{of}.parquet"


def columns(rows: list[bytes], schema: pa.Schema) -> pa.Table:
    """Rows of JSON as columns; a value that the schema has no place for is an error, and never lost."""
    import pyarrow as pa
    import pyarrow.json as pj

    text = b"\n".join(rows)
    parse = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    read = pj.ReadOptions(use_threads=False, block_size=len(text) + 1)
    return pj.read_json(pa.BufferReader(text), read_options=read, parse_options=parse).select(schema.names)


class JsonLines:
    """One row a line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rows = 0
        self._file = path.open("wb", buffering=1 << 20)

    def add(self, row: bytes) -> None:
        self._file.write(row + b"\n")
        self.rows += 1

    def close(self) -> list[Written]:
        self._file.close()
        return [Written(self.path, self.rows)]
