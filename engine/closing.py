"""Filters that need the finished set: applied to the first records in seed order, so that concurrency decides nothing."""

from __future__ import annotations

import asyncio
from itertools import islice

from ..core.record import Record
from .journal import Ledger
from .ledger import LedgerReader, Settled
from .plan import Plan


async def close_set(plan: Plan, ledger: Ledger, reader: LedgerReader, first: int | None) -> tuple[int, list[Settled]]:
    """Let each closing filter judge the first accepted records (None: all); the number that stays, and the refused ones.

    What they said before is forgotten: the set has grown, and the best of a cluster may be another one now.
    """
    ledger.reopen()
    await ledger.flush()
    rows: list[Settled] = await asyncio.to_thread(lambda: list(islice(reader.rows("accepted", plan.last), first)))
    refused: list[Settled] = []
    records = [Record.load(row.body) for row in rows]
    for gate in plan.closing:
        verdicts = await gate.verdicts(records)
        kept: list[tuple[Settled, Record]] = []
        for row, record, verdict in zip(rows, records, verdicts, strict=True):
            if gate.refuses(verdict):
                ledger.close(row.path, gate.name, verdict.reason or "refused", verdict.score)
                refused.append(row._replace(status="refused", filter=gate.name, reason=verdict.reason or "refused"))
            else:
                kept.append((row, record))
        rows, records = [row for row, _ in kept], [record for _, record in kept]
    await ledger.flush()
    return len(rows), refused
