"""A child process that reads what may kill its reader: Parquet, Arrow, a big JSON array, a data set from the hub.

One JSON job in argv; on stdout one line for each row: `r` and the row as JSON, `b` and a JSON reason for a row that cannot
be one, `e` and a JSON message for what ends the reading; `.` closes it. Output without `.` means that the process died.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

import orjson

ROW_BYTES = 16 * 1024 * 1024
FILE_LIMIT = 4 * 1024**3
"""Address space for reading local files: a few hundred bytes of Parquet can ask for gigabytes (Arrow issue 49955)."""
HUB_LIMIT = 64 * 1024**3
BATCH_ROWS = 256


class Job(TypedDict):
    """What to read: `kind` is parquet | arrow | json (files in `paths`), hub or revision (`name` with config and revision)."""

    kind: str
    paths: list[str]
    name: str
    config: str | None
    revision: str | None
    split: str


def main() -> int:
    job: Job = orjson.loads(sys.argv[1])
    _limit(HUB_LIMIT if job["kind"] in ("hub", "revision") else FILE_LIMIT)
    out = sys.stdout.buffer
    try:
        for row in _rows(job):
            out.write(_line(row))
        out.write(b".\n")
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MemoryError:
        out.write(b"e" + orjson.dumps("it needs more memory than reading a seed file may take") + b"\n")
    except Exception as error:
        out.write(b"e" + orjson.dumps(_readable(error)) + b"\n")
    return 0


def _limit(limit: int) -> None:
    if sys.platform == "linux":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _rows(job: Job) -> Iterator[Any]:
    if job["kind"] == "json":
        yield from _json(Path(job["paths"][0]))
    elif job["kind"] == "revision":
        yield _revision(job)
    elif job["kind"] == "hub":
        yield from _hub(job)
    else:
        for path in job["paths"]:
            yield from (_parquet if job["kind"] == "parquet" else _arrow)(path)


def _json(path: Path) -> Iterator[Any]:
    rows = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(rows, list):
        raise ValueError("expected a list of objects")
    yield from rows


def _parquet(path: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group], use_threads=False):
                yield from batch.to_pylist()


def _arrow(path: str) -> Iterator[Any]:
    import pyarrow as pa

    with pa.memory_map(path) as source:
        for batch in _batches(source):
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield from batch.slice(start, BATCH_ROWS).to_pylist()


def _batches(source: Any) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        source.seek(0)
        file = pa.ipc.open_file(source)
        for n in range(file.num_record_batches):
            yield file.get_batch(n)


def _hub(job: Job) -> Iterator[Any]:
    import datasets

    datasets.disable_progress_bars()
    yield from datasets.load_dataset(job["name"], job["config"], split=job["split"], revision=job["revision"], streaming=True)


def _revision(job: Job) -> dict[str, str]:
    from huggingface_hub import HfApi

    return {"revision": str(HfApi().dataset_info(job["name"], revision=job["revision"]).sha)}


def _line(row: Any) -> bytes:
    try:
        line = b"r" + orjson.dumps(row, default=_plain) + b"\n"
    except (TypeError, ValueError) as error:
        return b"b" + orjson.dumps(f"not a row of JSON values: {error}") + b"\n"
    if len(line) > ROW_BYTES:
        return b"b" + orjson.dumps(f"longer than {ROW_BYTES >> 20} MiB") + b"\n"
    return line


def _plain(value: Any) -> Any:
    """Columns that are no JSON: a decimal as text; bytes and foreign objects (images) are left out."""
    return str(value) if isinstance(value, Decimal) else None


def _readable(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:500]}"


if __name__ == "__main__":
    sys.exit(main())
