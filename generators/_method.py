"""A method of evolving, in words: read from a file of the user's, or from the records in which `auto_evol` leaves one."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import orjson
from pydantic import ValidationInfo

from ..core.beside import beside, body_of

MAX_BYTES = 64 * 1024 * 1024
LONGEST = 6000
"""Characters of a method: it is sent with every round, and one that has grown longer does worse (Auto Evol-Instruct, arXiv 2406.00770)."""


def method_of(given: str, info: ValidationInfo) -> tuple[str, str]:
    """The method in the file `given` (beside the recipe; empty: none), and a hash of it.

    A `.jsonl` file holds it as the `text` of its last line, any other file is the method. Raises ValueError, which names the file.
    """
    if not given:
        return "", ""
    path = beside(given, info)
    body = body_of(path, "method", most=MAX_BYTES)
    text = (_last(body, path) if path.suffix == ".jsonl" else _decoded(body, path)).strip()
    if not text:
        raise ValueError(f"the method {path} is empty")
    if len(text) > LONGEST:
        raise ValueError(f"the method {path} has {len(text)} characters, {LONGEST} are the most: shorten it")
    return text, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _decoded(body: bytes, path: Path) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the method {path} is not UTF-8 text") from error


def _last(body: bytes, path: Path) -> str:
    line = body.rstrip().rpartition(b"\n")[2]
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the last line of {path} is not valid JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise ValueError(f"the last line of {path} has no `text`, which would be the method")
    return str(row["text"])
