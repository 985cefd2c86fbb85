"""Replace personal data and secrets by values that belong to nobody."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ..core.errors import RecipeError
from ..core.part import Change, Edit, Tools
from ..core.record import Record
from ._pii.finding import DEFAULT_REGIONS
from ._pii.places import PLACES, PlaceName, visited
from ._pii.replacing import How, Replacer
from ._pii.scanning import Wanted, counts, hits_of, scan, texts_in
from ._pii.spans import KINDS, Kind

_LEAST_KEY = 16


class Redact(Edit):
    """Finds what `privacy` finds, and puts something harmless in its place.

    `reserved`: values set aside for documentation (user1@example.com, 202-555-0100, 192.0.2.1, 2001:db8::1, test cards);
    within a record the same value gets the same one. `pseudonym`: the same value gets the same name in all records made
    with the same key, and nobody without the key can tell which. `tag`: `[EMAIL]`. What has no reserved value gets a tag.
    """

    version: ClassVar[str] = "2"

    how: How = "reserved"
    """`reserved` values, keyed `pseudonym`s, or a `tag`."""
    key_env: str = Field(default="", pattern=r"^[A-Z_][A-Z0-9_]*$|^$")
    """Name of the environment variable that holds the key of pseudonyms (16 characters or more)."""
    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    """What is looked for."""
    places: tuple[PlaceName, ...] = Field(default=PLACES, min_length=1)
    """Where: system, user and assistant turns, thinking, tool calls with their results, columns."""
    regions: tuple[str, ...] = DEFAULT_REGIONS
    """Countries (ISO 3166) whose national telephone numbers are known; international ones (+49 ...) always are."""
    private_ips: bool = False
    """Whether addresses of local networks (10.0.0.0/8 ...) count too."""
    allow: tuple[str, ...] = ()
    """Values that may stand in the data: an address (`help@firm.com`) or all of a domain (`@firm.com`)."""

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if (self.how == "pseudonym") != bool(self.key_env):
            raise ValueError(
                "`how: pseudonym` needs `key_env`, the name of the environment variable that holds its key (and nothing else does)"
            )
        return self

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Change]:
        key = self._key()
        wanted = Wanted(self.kinds, self.places, self.regions, self.private_ips, self.allow)

        async def change(records: Sequence[Record]) -> Sequence[Record]:
            return [await self._changed(record, wanted, key, tools) for record in records]

        yield change

    def _key(self) -> bytes:
        key = os.environ.get(self.key_env, "") if self.key_env else ""
        if self.key_env and len(key) < _LEAST_KEY:
            raise RecipeError(
                f"the environment variable {self.key_env} must hold the key of the pseudonyms, {_LEAST_KEY} characters or more"
            )
        return key.encode("utf-8", "surrogateescape")

    async def _changed(self, record: Record, wanted: Wanted, key: bytes, tools: Tools) -> Record:
        """A record that cannot be searched fails (WorkerFault): passing it on would let through what is in it."""
        texts = texts_in(record, self.places)
        found = await scan((text for _, text in texts), wanted, tools)
        if not found:
            return record
        replacer = Replacer(self.how, key)

        def visit(place: PlaceName, text: str, before: str) -> str:
            spans = found.get((text, before))
            return replacer.replaced(text, spans) if spans else text

        after = visited(record, self.places, visit)
        derived = record.derive(
            self.part_name(), after.content, labels=after.labels, answer=after.answer, how=self.how, replaced=counts(hits_of(texts, found))
        )
        return derived.model_copy(update={"tests": after.tests, "fields": after.fields})
