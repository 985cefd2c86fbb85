"""Files that a part's settings name, beside the recipe that they stand in."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationInfo


def base_of(info: ValidationInfo) -> Path:
    """The recipe's folder, while its parts are built."""
    return Path((info.context or {}).get("base", "."))


def beside(given: str, info: ValidationInfo) -> Path:
    """The file of that name, `~` spelled out."""
    return base_of(info) / Path(given).expanduser()


def body_of(path: Path, what: str, *, most: int, advice: str = "") -> bytes:
    """What is in a file of `most` bytes at most. Raises ValueError, which calls it `what`."""
    try:
        if path.stat().st_size > most:
            raise ValueError(f"the {what} {path} is larger than {most >> 20} MiB{advice}")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"the {what} {path} cannot be read ({error.strerror})") from error
