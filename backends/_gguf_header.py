"""What a GGUF file tells about itself, read from its first bytes without llama.cpp.

Source: the GGUF specification (docs/gguf.md of ggml), versions 2 and 3: magic, version, counts, then typed key-value pairs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from ..core.errors import RecipeError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 20
"""Bytes of one string, and elements of one array, that are read at most: more means that the file is broken."""
_WHOLE = 256 << 20
"""Bytes of a file up to which all of it is hashed."""
_END = 1 << 20


def header(path: Path) -> Mapping[str, Any]:
    """The metadata before the tokenizer's. Raises RecipeError where the file is missing, unreadable or no GGUF file."""
    stat = _stat(path)
    return _header(path, stat[0], stat[1])


def digest(path: Path) -> str:
    """16 hex digits of sha256: of the whole file, above 256 MiB of its first MiB, its last MiB and its size. Raises RecipeError."""
    stat = _stat(path)
    return _digest(path, stat[0], stat[1])


def _stat(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise RecipeError(f"the model file {path} cannot be read ({error.strerror}): set `path` to a GGUF file") from error
    if not path.is_file():
        raise RecipeError(f"{path} is no file: set `path` to a GGUF file")
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    found = sha256()
    with path.open("rb") as file:
        if size <= _WHOLE:
            while chunk := file.read(_END):
                found.update(chunk)
        else:
            found.update(file.read(_END))
            file.seek(-_END, 2)
            found.update(file.read(_END))
            found.update(str(size).encode())
    return found.hexdigest()[:16]


@lru_cache(maxsize=64)
def _header(path: Path, size: int, mtime_ns: int) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            return _read(file)
    except (ValueError, struct.error, KeyError) as error:
        raise RecipeError(f"{path} is no GGUF file that llama.cpp can load ({error}): set `path` to a file that ends in .gguf") from error
    except OSError as error:
        raise RecipeError(f"the model file {path} cannot be read ({error.strerror}): check its permissions") from error


def _read(file: BinaryIO) -> dict[str, Any]:
    if file.read(4) != b"GGUF":
        raise ValueError("it does not start with GGUF")
    version, _, pairs = _take(file, "IQQ")
    if version not in (2, 3):
        raise ValueError(f"version {version}")
    found: dict[str, Any] = {}
    for _ in range(pairs):
        key = _text(file)
        if key.startswith("tokenizer."):
            break
        found[key] = _value(file, *_take(file, "I"))
    return found


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind == _ARRAY:
        inner, count = _take(file, "IQ")
        if count > _LONGEST or inner == _ARRAY:
            raise ValueError("a broken array")
        return [_value(file, inner) for _ in range(count)]
    return _take(file, _SCALARS[kind])[0]


def _text(file: BinaryIO) -> str:
    (length,) = _take(file, "Q")
    if length > _LONGEST:
        raise ValueError("a broken string")
    body = file.read(length)
    if len(body) != length:
        raise ValueError("it is cut short")
    return body.decode("utf-8", "replace")


def _take(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    layout = "<" + layout
    body = file.read(struct.calcsize(layout))
    if len(body) != struct.calcsize(layout):
        raise ValueError("it is cut short")
    return struct.unpack(layout, body)
