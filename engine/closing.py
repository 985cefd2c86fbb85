"""Filters that need the finished set: applied to the first records in seed order, so that concurrency decides nothing."""

from __future__ import annotations

import asyncio
from collections import Counter

from ..core.record import Record
from .journal import Ledger
from .ledger import LedgerReader, Settled
from .plan import Plan
from .quota import Picking, Quota, tallied


async def close_set(plan: Plan, ledger: Ledger, reader: LedgerReader, quota: Quota | None) -> tuple[Counter[str], list[Settled]]:
    """Let each closing filter judge the first accepted records (None: all); how many stay by kind, and the refused ones.

    What they said before is forgotten: the set has grown, and the best of a cluster may be another one now.
    """
    ledger.reopen()
    await ledger.flush()
    rows, records = await asyncio.to_thread(_first, plan, reader, quota)
    refused: list[Settled] = []
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
    return tallied(quota, ((record.labels, record.fields) for record in records)), refused


def _first(plan: Plan, reader: LedgerReader, quota: Quota | None) -> tuple[list[Settled], list[Record]]:
    """The accepted records that are to be judged, in seed order."""
    picking, rows, records = Picking(quota), list[Settled](), list[Record]()
    for row in reader.rows("accepted", plan.last):
        record = Record.load(row.body)
        if picking.takes(record.labels, record.fields):
            rows.append(row)
            records.append(record)
    return rows, records
