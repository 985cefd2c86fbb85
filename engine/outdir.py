"""OUT on disk: who may write there, and whether what is there is the same run."""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

import zstandard

from ..core.errors import ResumeError, StorageError
from .ledger import LedgerReader
from .pieces import MANIFEST

Resume = Literal["auto", "require", "never"]


class OutDir:
    """OUT and its `.run/` folder, locked by this process for as long as it is entered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / ".run"
        self.ledger = self.run / "ledger.db"
        self.kept_as: Path | None = None
        """Where another run that was found here has been moved to."""

    def __enter__(self) -> Self:
        try:
            self.run.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.run / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise ResumeError(f"{self.path} cannot be written ({error}); choose another folder with --out") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise ResumeError(f"another process is running in {self.path}; wait for it, or choose another folder with --out") from error
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._lock)

    def prepare(self, fingerprint: Mapping[str, str], resume: Resume) -> bool:
        """Make OUT ready for this run; whether it goes on with what is there.

        Another run's OUT is kept as OUT.1 (OUT.2 ...); with `require` it is refused instead.
        """
        if not self.ledger.exists():
            self._refuse_foreign()
            return False
        found = self._fingerprint()
        if found == dict(fingerprint) and resume != "never":
            return True
        if found is not None and resume == "require":
            differing = sorted(key for key in {*found, *fingerprint} if found.get(key) != fingerprint.get(key))
            raise ResumeError(
                f"{self.path} holds another run; these differ: {', '.join(differing)}. Use another --out, or --resume auto to start anew "
                f"beside it (answers that are still valid are reused)"
            )
        self._move_aside()
        return False

    def _refuse_foreign(self) -> None:
        """Raises ResumeError where OUT is a folder that no run has made: publishing replaces files, and a changed recipe moves OUT."""
        theirs = sorted(entry.name for entry in self.path.iterdir() if entry.name not in (".run", ".DS_Store"))
        if theirs and not (self.path / MANIFEST).exists():
            some = ", ".join(theirs[:3]) + (", ..." if len(theirs) > 3 else "")
            raise ResumeError(f"{self.path} holds files that are not a run's ({some}); use another --out")

    def _fingerprint(self) -> dict[str, str] | None:
        """Of the run that is there; None where its ledger is damaged (it is then rebuilt from the store)."""
        try:
            with LedgerReader(self.ledger) as reader:
                found = reader.verified().get("fingerprint")
        except (StorageError, sqlite3.Error, zstandard.ZstdError, ValueError, OverflowError, TypeError):
            self._quarantine()
            return None
        return found if isinstance(found, dict) else None

    def _quarantine(self) -> None:
        """Put a damaged ledger aside; returns no fingerprint."""
        aside = _free(self.run / "ledger.db.corrupt")
        for suffix in ("", "-wal", "-shm"):
            part = self.run / f"ledger.db{suffix}"
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))

    def _move_aside(self) -> None:
        if not self.ledger.exists():
            return
        if Path.cwd().is_relative_to(self.path.resolve()):
            raise ResumeError(f"{self.path} holds another run, and you stand in it: it cannot be moved aside. Use another --out")
        aside = _free(self.path)
        self.path.rename(aside)
        self.kept_as = aside
        os.close(self._lock)
        self.__enter__()


def _free(path: Path) -> Path:
    """`path` with the first free number behind it."""
    path = path.resolve()
    n = 1
    while path.with_name(f"{path.name}.{n}").exists():
        n += 1
    return path.with_name(f"{path.name}.{n}")


class Marker:
    """Which root seed the process is busy with, in a mapped file: the kernel keeps it when the process dies."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        os.ftruncate(self._file, 8)
        self._map = mmap.mmap(self._file, 8)
        self.blamed: int | None = struct.unpack("<q", self._map[:8])[0] - 1
        """The seed that the last process died with; None where it ended well."""
        if self.blamed == -1:
            self.blamed = None
        self._awaited: Counter[int] = Counter()
        """Answers that each seed waits for."""

    def set(self, root: int) -> None:
        if not self._map.closed:
            struct.pack_into("<q", self._map, 0, root + 1)

    def leave(self, root: int) -> None:
        """The process is not busy with it: a kill meanwhile is not its doing."""
        if self._marked() == root:
            self.set(-1)

    @contextmanager
    def away(self, root: int | None = None) -> Iterator[None]:
        """While a model's answer is awaited, for hours maybe: blames nobody for a kill. `root` left out is the seed that is marked.

        Whatever is done with the answer is done for the seed, so it is marked again: for good, or while it waits for
        other answers until its code gives way (a crash behind that is repeated by the next process, with this answer stored).
        """
        if root is None:
            root = self._marked()
        if root < 0:
            yield
            return
        self.leave(root)
        self._awaited[root] += 1
        try:
            yield
        except Exception:
            self.set(root)
            raise
        else:
            self.set(root)
        finally:
            self._awaited[root] -= 1
            if self._awaited[root]:
                asyncio.get_running_loop().call_soon(self._rest, root)
            else:
                del self._awaited[root]

    def _marked(self) -> int:
        """-1 where there is none."""
        return -1 if self._map.closed else int(struct.unpack_from("<q", self._map)[0]) - 1

    def _rest(self, root: int) -> None:
        if root in self._awaited:
            self.leave(root)

    def close(self) -> None:
        self.set(-1)
        self._map.close()
        os.close(self._file)
