"""Refuse what was there before, word for word."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from hashlib import blake2b
from typing import ClassVar

from pydantic import Field

from ..core.errors import StorageError
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._compared import By, compared
from ._finished import finished
from ._shelf import NAME_PATTERN, Shelf

_BLANK = re.compile(r"\s+")
_FULL = "the temporary directory cannot take the index of `exact` (25 MB a million records); free space or set SQLITE_TMPDIR"


class Exact(Filter):
    """Keep the first of equal records and refuse the others, naming the first.

    Equal means equal after normalisation: Unicode NFKC, letter case and white space. The first one is the first in seed order,
    whatever order the answers arrive in. The index is a temporary file of about 25 MB a million records; the main
    memory it takes stays the same. Texts are compared by a 64-bit hash: with a million records the chance of one false twin is 1 in 37 million.
    A record with nothing to compare is an abstention.
    """

    ordered: ClassVar[bool] = True
    version: ClassVar[str] = "2"
    batch: ClassVar[int] = 64

    by: By = "all"
    """What is compared: all turns (without their reasoning), the last user turn, or the closing assistant turn."""
    index: str = Field(default="", pattern=NAME_PATTERN)
    """A name: what was kept is remembered there for later runs, and records are compared with what earlier runs kept."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        one = asyncio.Lock()
        with closing(_Lasting(self.index, self.by, tools.run) if self.index else _Index()) as index:

            async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
                if isinstance(index, _Index):
                    return [self._judged(record, index) for record in records]
                async with one:
                    return await finished(asyncio.to_thread(self._together, records, index))

            yield judge

    def _together(self, records: Sequence[Record], index: _Lasting) -> list[Verdict]:
        """In one transaction, as other runs may use the index, too."""
        with index.shelf.batch():
            return [self._judged(record, index) for record in records]

    def _judged(self, record: Record, index: _Index | _Lasting) -> Verdict:
        text = _BLANK.sub(" ", unicodedata.normalize("NFKC", compared(record, self.by)).casefold()).strip()
        if not text:
            return Verdict(by=self.part_name(), outcome="abstain", reason=f"nothing_to_compare: no {self.by} text")
        first = index.first(text, record.id)
        if first is None:
            return Verdict(by=self.part_name(), outcome="keep")
        return Verdict(by=self.part_name(), outcome="refuse", reason=f"duplicate: of {first}", evidence={"of": first})


class _Index:
    """Hash of a text -> id of the first record that had it, in a temporary SQLite file."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE first (text INTEGER PRIMARY KEY, record INTEGER)")
        self._db.execute("BEGIN")

    def first(self, text: str, record: str) -> str | None:
        """The id of the record that had this text before; None for the first one, which is remembered."""
        key = int.from_bytes(_digest(text), "big", signed=True)
        try:
            done = self._db.execute("INSERT OR IGNORE INTO first VALUES (?, ?)", (key, int(record, 16) - (1 << 63)))
            if done.rowcount:
                return None
            (found,) = self._db.execute("SELECT record FROM first WHERE text = ?", (key,)).fetchone()
        except sqlite3.OperationalError as error:
            raise StorageError(f"{_FULL} ({error})") from error
        return f"{found + (1 << 63):016x}"

    def close(self) -> None:
        self._db.close()


class _Lasting:
    """The same under a name, for every run to come."""

    def __init__(self, name: str, by: str, run: str) -> None:
        self.shelf = Shelf(name, "exact", {"scheme": "nfkc-casefold/1", "by": by}, run=run, by_keys=True)

    def first(self, text: str, record: str) -> str | None:
        """As of `_Index`; None, too, for a record that an earlier opening remembered."""
        key = _digest(text)
        if self.shelf.again(record):
            return None
        if (found := self.shelf.found(key)) is None:
            self.shelf.put([(record, key, b"")])
            return None
        return found.record

    def close(self) -> None:
        self.shelf.close()


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
