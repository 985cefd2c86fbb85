"""Refuse records with personal data or secrets in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field

from ..core.errors import WorkerFault
from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._pii.finding import DEFAULT_REGIONS
from ._pii.places import PLACES, PlaceName
from ._pii.scanning import SECRETS, Hit, Wanted, counts, hits_of, scan, texts_in, told
from ._pii.spans import KINDS, Kind

_SHOWN = 12


class Privacy(Filter):
    """No e-mail address, telephone number, card, account, national id, key or address of a machine, in any turn or column.

    Numbers count only with valid check digits (or in a valid numbering plan), and, where digits alone say little, beside a
    word that names them; values that are reserved for documentation (example.com, 555-01xx, 192.0.2.0/24, test cards) are
    nobody's. A verdict says how many of what were found and where, never what they are. The score is their number.
    """

    batch: ClassVar[int] = 16
    version: ClassVar[str] = "2"

    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record that could not be searched in time."""
    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    """What is looked for."""
    places: tuple[PlaceName, ...] = Field(default=PLACES, min_length=1)
    """Where: system, user and assistant turns, thinking, tool calls with their results, columns."""
    max: int = Field(default=0, ge=0)
    """Finds tolerated."""
    regions: tuple[str, ...] = DEFAULT_REGIONS
    """Countries (ISO 3166) whose national telephone numbers are known; international ones (+49 ...) always are."""
    private_ips: bool = False
    """Whether addresses of local networks (10.0.0.0/8 ...) count too."""
    allow: tuple[str, ...] = ()
    """Values that may stand in the data: an address (`help@firm.com`) or all of a domain (`@firm.com`)."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        wanted = Wanted(self.kinds, self.places, self.regions, self.private_ips, self.allow)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            texts = [texts_in(record, self.places) for record in records]
            try:
                found = await scan((text for one in texts for _, text in one), wanted, tools)
            except WorkerFault as fault:
                if len(records) == 1:
                    reason = f"not_searched: the search for personal data ended early ({fault.reason})"
                    return [Verdict(by=self.part_name(), outcome="abstain", reason=reason)]
                return [verdict for record in records for verdict in await judge([record])]
            return [self._verdict(hits_of(one, found)) for one in texts]

        yield judge

    def _verdict(self, hits: list[Hit]) -> Verdict:
        if not hits:
            return Verdict(by=self.part_name(), outcome="keep", score=0.0)
        spans = [(hit.place, hit.span.kind, hit.span.start, hit.span.end) for hit in hits[:_SHOWN]]
        evidence = {"found": counts(hits), "spans": spans}
        score = float(len(hits))
        if len(hits) <= self.max:
            return Verdict(by=self.part_name(), outcome="keep", score=score, evidence=evidence)
        word = "secret" if any(hit.span.kind in SECRETS for hit in hits) else "personal_data"
        return Verdict(by=self.part_name(), outcome="refuse", score=score, reason=f"{word}: {told(hits)}", evidence=evidence)
