"""The recipe's `seeds:` block: where seeds come from, read lazily, one bad row costing only itself."""

from __future__ import annotations

import csv
import hashlib
import re
import tempfile
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, NamedTuple, Self

import orjson
from pydantic import Field, model_validator

from ..core.errors import RecipeError, nearest
from ..core.frozen import Frozen
from ..core.record import Record
from . import _child
from ._rows import ROW_BYTES, Job
from .columns import BadRow, Columns

HUB = re.compile(r"(hf:)?(?P<name>[\w.-]+(/[\w.-]+)?)(:(?P<config>[\w.-]+))?(@(?P<revision>[\w./-]+))?")
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
RAW_BYTES = 64 * 1024
PEEK_ROWS = 64
"""Rows that are looked at to find out which columns there are."""


class BadSeed(NamedTuple):
    """A row that gives no seed."""

    row: int
    """Counted from 1; of line formats the line in the file."""
    reason: str
    """Names file and row: `problems.jsonl:17: not valid JSON: ...`."""
    raw: bytes
    """The row as it was found, at most 64 KiB."""


class Row(NamedTuple):
    """A row as read, before it is a seed: a JSON value, or the reason why it is none."""

    number: int
    value: Any
    fault: str = ""
    raw: bytes = b""


class SeedSource(Frozen):
    """Where the seeds of a run come from."""

    path: str | None = None
    """A file (JSON lines, Parquet, CSV, TSV, a JSON list), a folder of Parquet files or one that `datasets` saved, or a hub
    name: `org/name` or `hf:name`, with `:config` and `@revision` where wanted. Relative to the recipe's folder."""
    inline: list[str | dict[str, Any]] | None = None
    """The seeds themselves: prompts, or objects with columns."""
    split: str = "train"
    """The split to read, of folders and hub names that have splits."""
    fields: dict[str, str] = {}
    """Our names to their columns (`prompt: question`): prompt, messages, answer, tests, system, tools; others rename."""
    limit: int | None = Field(default=None, ge=1)
    """Read only so many rows."""
    shuffle: bool = False
    """Read the rows in an order that the run's seed decides (before `limit` cuts)."""
    licence: str = ""
    """Of the source, as an SPDX name; a policy with `allowed_licences` looks at it."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.inline is None):
            raise ValueError("seeds need exactly one of `path` and `inline`")
        try:
            orjson.dumps(self.inline)
        except TypeError as error:
            raise ValueError(f"inline seeds must be JSON values ({error})") from error
        return self

    def check(self, base: Path) -> None:
        """Raises RecipeError where `path` is no file, no folder with data and no hub name; reads nothing."""
        if self.inline is None:
            self._files(base)

    def judged(self, base: Path, rows: Iterator[Row] | None = None) -> Iterator[Record | BadSeed]:
        """The rows as records that have an answer already (`rows`: in place of what `path` holds). Raises like `records`."""
        return self._read(self._rows(base) if rows is None else rows, responses=True)

    def records(self, base: Path, seed: int = 0) -> Iterator[Record | BadSeed]:
        """The seeds, lazily and in flat memory; it blocks while it reads, so an event loop calls it from a thread.

        Raises RecipeError where the source cannot be read at all, has no such column, or holds no rows.
        """
        rows = _shuffled(self._rows(base), seed) if self.shuffle else self._rows(base)
        return self._read(rows)

    def _read(self, rows: Iterator[Row], *, responses: bool = False) -> Iterator[Record | BadSeed]:
        where = Path(self.path).name if self.path else "inline seeds"
        rows = islice(rows, self.limit)
        head = list(islice(rows, PEEK_ROWS))
        if not head:
            raise RecipeError(f"{where} holds no rows", "seeds")
        columns: Columns | None = None
        for row in chain(head, rows):
            if columns is None and isinstance(row.value, dict):
                columns = Columns(
                    self.fields, chain.from_iterable(r.value for r in [*head, row] if isinstance(r.value, dict)), where, responses=responses
                )
            yield _seed(row, columns, where)

    def fingerprint(self, base: Path) -> str:
        """Hash of what the seeds are: the bytes read and the settings that choose among them. Raises RecipeError."""
        digest = hashlib.blake2b(digest_size=32)
        digest.update(orjson.dumps([self.fields, self.limit, self.shuffle, self.split], option=orjson.OPT_SORT_KEYS))
        if self.inline is not None:
            digest.update(orjson.dumps(self.inline, option=orjson.OPT_SORT_KEYS))
            return digest.hexdigest()
        files = self._files(base)
        if files is None:
            digest.update(orjson.dumps(_child.revision(self._hub())))
            return digest.hexdigest()
        for file in files:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "blake2b").digest())
        return digest.hexdigest()

    def _rows(self, base: Path) -> Iterator[Row]:
        if self.inline is not None:
            return (Row(n, {"prompt": value} if isinstance(value, str) else value) for n, value in enumerate(self.inline, 1))
        files = self._files(base)
        if files is None:
            return _foreign(self._hub(), f"the data set {self.path}")
        kind = files[0].suffix.lower()
        if kind in (".csv", ".tsv"):
            return _csv(files[0], "\t" if kind == ".tsv" else ",")
        if kind in (".parquet", ".arrow") or (kind == ".json" and _is_list(files[0])):
            return _foreign(_child.job(kind[1:], paths=[str(file) for file in files]), str(self.path))
        return _jsonl(files[0])

    def _files(self, base: Path) -> list[Path] | None:
        """The files to read, or None where the path is a hub name. Raises RecipeError."""
        assert self.path is not None
        path = base / Path(self.path).expanduser()
        if self.path.startswith("hf:"):
            return None
        if path.is_dir():
            return _folder(path, self.split)
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            return [path]
        if path.is_file():
            raise RecipeError(f"{self.path}: rows are read from {', '.join(SUFFIXES)} or a folder; name it by what it holds", "seeds.path")
        if "/" in self.path and path.suffix.lower() not in SUFFIXES and not path.parent.is_dir() and HUB.fullmatch(self.path):
            return None
        there = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise RecipeError(f"no file {path}; {nearest(path.name, there)}" if there else f"no file {path}", "seeds.path")

    def _hub(self) -> Job:
        found = HUB.fullmatch(self.path or "")
        if found is None:
            raise RecipeError(
                f"{self.path!r} is no hub name; expected hf:org/name, hf:org/name:config or hf:org/name@revision", "seeds.path"
            )
        return _child.job("hub", name=found["name"], config=found["config"], revision=found["revision"], split=self.split)


def _seed(row: Row, columns: Columns | None, where: str) -> Record | BadSeed:
    try:
        if row.fault:
            raise BadRow(row.fault)
        if columns is None:
            raise BadRow("expected an object with columns")
        return columns.record(row.value, row.raw)
    except BadRow as error:
        raw = row.raw or orjson.dumps(row.value)
        return BadSeed(row.number, f"{where}:{row.number}: {error}", raw[:RAW_BYTES])


def _jsonl(path: Path) -> Iterator[Row]:
    """JSON lines, cut at line feeds only: U+2028 within a text is no end of line."""
    with path.open("rb") as file:
        yield from lines(file)


def lines(file: BinaryIO) -> Iterator[Row]:
    """Rows of an open file of JSON lines (a byte order mark at its start is skipped)."""
    number = 0
    while line := file.readline(ROW_BYTES + 1):
        number += 1
        if len(line) > ROW_BYTES and not line.endswith(b"\n"):
            _skip_line(file)
            yield Row(number, None, f"longer than {ROW_BYTES >> 20} MiB", line[:RAW_BYTES])
            continue
        line = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).rstrip(b"\r\n")
        if not line.strip():
            continue
        try:
            yield Row(number, orjson.loads(line), raw=line)
        except orjson.JSONDecodeError as error:
            yield Row(number, None, f"not valid JSON: {error}", line)


def _skip_line(file: BinaryIO) -> None:
    while (piece := file.readline(1 << 20)) and not piece.endswith(b"\n"):
        pass


def _csv(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(ROW_BYTES)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = next(reader, [])
        if header and header[0].startswith("{"):
            raise RecipeError(f"{path.name} holds JSON lines and is called CSV: name it {path.stem}.jsonl", "seeds.path")
        if len(set(header)) != len(header):
            raise RecipeError(f"{path.name} has two columns of the same name: {', '.join(header)}", "seeds.path")
        while True:
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(reader.line_num, None, f"not valid CSV: {error}")
                continue
            if values:
                yield _csv_row(reader.line_num, header, values)


def _csv_row(number: int, header: list[str], values: list[str]) -> Row:
    raw = "\t".join(values).encode("utf-8", "surrogateescape")
    if len(values) != len(header):
        return Row(number, None, f"{len(values)} values for {len(header)} columns", raw)
    if any("\udc80" <= char <= "\udcff" for value in values if not value.isascii() for char in value):
        return Row(number, None, "not valid UTF-8", raw)
    return Row(number, dict(zip(header, values, strict=True)))


def _foreign(job: Job, what: str) -> Iterator[Row]:
    for number, (value, fault) in enumerate(_child.read(job, what), 1):
        yield Row(number, value, fault)


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _folder(path: Path, split: str) -> list[Path]:
    """The data files of a folder: as `datasets` saved it, or Parquet files (those of the split, where names tell)."""
    if (path / "dataset_dict.json").is_file():
        splits = orjson.loads((path / "dataset_dict.json").read_bytes())["splits"]
        if split not in splits:
            raise RecipeError(f"{path} has no split {split!r}; {nearest(split, splits)}", "seeds.split")
        path = path / split
    if (path / "state.json").is_file():
        listed = orjson.loads((path / "state.json").read_bytes())["_data_files"]
        return [path / Path(file["filename"]).name for file in listed]
    for pattern in (
        f"{split}-*.parquet",
        f"data/{split}-*.parquet",
        f"{split}.parquet",
        f"{split}/*.parquet",
        "*.parquet",
        "data/*.parquet",
    ):
        if files := sorted(path.glob(pattern)):
            return files
    raise RecipeError(f"{path} holds no data set: expected Parquet files or what `Dataset.save_to_disk` writes", "seeds.path")


def _shuffled(rows: Iterator[Row], seed: int) -> Iterator[Row]:
    """The rows in a seeded order: kept in an unnamed temporary file, with 8 bytes of memory for each."""
    offsets = array("Q")
    with tempfile.TemporaryFile() as spool:
        for row in rows:
            offsets.append(spool.tell())
            value = row.raw if row.raw and not row.fault else orjson.dumps(row.value)
            head = orjson.dumps([row.number, row.fault, len(value), len(row.raw)])
            spool.write(head + b"\n" + value + row.raw)
        Random(seed).shuffle(offsets)
        for offset in offsets:
            spool.seek(offset)
            number, fault, length, raw_length = orjson.loads(spool.readline())
            value, raw = spool.read(length), spool.read(raw_length)
            yield Row(number, orjson.loads(value), fault, raw)
