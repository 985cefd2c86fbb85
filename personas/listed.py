"""Personas that somebody wrote down: in the recipe, or in a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, Self

import orjson
from pydantic import PrivateAttr, ValidationInfo, model_validator

from ..core.beside import beside, body_of
from ..core.frozen import Frozen
from .composed import Persona

MAX_BYTES = 256 * 1024 * 1024
"""Of a file; a larger set is read as the recipe's seeds, lazily."""
MAX_CHARS = 4000
"""Of one persona."""


class Listed(Frozen):
    """Personas from `texts`, or from a file: a line each, or a column of JSON lines, CSV or TSV."""

    texts: tuple[str, ...] = ()
    """The personas themselves."""
    path: str | None = None
    """A file (.txt, .jsonl, .csv, .tsv), relative to the recipe's folder. Parquet and data sets of a hub are read by `seeds`."""
    column: str = "persona"
    """Of .jsonl, .csv and .tsv: where the persona stands."""
    shuffle_seed: int | None = None
    """Bring them in an order that this number decides."""
    _all: tuple[str, ...] = PrivateAttr(default=())
    _hash: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        if bool(self.texts) == bool(self.path):
            raise ValueError("personas need exactly one of `texts` and `path`")
        found = self.texts
        if self.path:
            body = body_of(beside(self.path, info), "file of personas", most=MAX_BYTES, advice=": read it as the recipe's `seeds`")
            self._hash = blake2b(body, digest_size=8).hexdigest()
            found = tuple(_column(body, Path(self.path), self.column))
        texts = [text.strip() for text in dict.fromkeys(found) if text.strip()]
        if not texts:
            raise ValueError(f"no persona in {self.path or '`texts`'}")
        if long := next((text for text in texts if len(text) > MAX_CHARS), ""):
            raise ValueError(f"a persona is longer than {MAX_CHARS} characters: {long[:60]!r}...")
        if self.shuffle_seed is not None:
            Random(self.shuffle_seed).shuffle(texts)
        self._all = tuple(texts)
        return self

    def __len__(self) -> int:
        return len(self._all)

    def persona(self, number: int, language: str = "en") -> Persona:
        """The persona of that number; behind the last one they start anew."""
        return Persona(text=self._all[number % len(self._all)])

    def reads(self) -> Mapping[str, str]:
        """Hash of the file, for the fingerprint of runs."""
        return {"personas": self._hash} if self._hash else {}


def _column(body: bytes, path: Path, column: str) -> Iterator[str]:
    """The personas of a file. Raises ValueError with the line that holds none."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not valid UTF-8 at byte {error.start}") from error
    kind = path.suffix.lower()
    if kind == ".txt":
        yield from text.split("\n")
    elif kind in (".jsonl", ".ndjson"):
        lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
        yield from (_told(_json(line, path, number), column, f"{path}:{number}") for number, line in lines)
    elif kind in (".csv", ".tsv"):
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if kind == ".tsv" else ",")
        try:
            yield from (_told(row, column, f"{path}:{rows.line_num}") for row in rows)
        except csv.Error as error:
            raise ValueError(f"{path}:{rows.line_num}: not valid CSV: {error}") from error
    else:
        raise ValueError(f"{path}: personas are read from .txt, .jsonl, .csv and .tsv")


def _json(line: str, path: Path, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path}:{number}: not valid JSON: {error}") from error


def _told(row: Any, column: str, where: str) -> str:
    value = row.get(column) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value.strip():
        there = ", ".join(str(key) for key in row) if isinstance(row, dict) else type(row).__name__
        raise ValueError(f"{where}: no text in the column {column!r}; there are: {there}")
    return value
