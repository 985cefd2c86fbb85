"""Filters that need the finished set: applied to the first records in seed order, so that concurrency decides nothing."""

from __future__ import annotations

import asyncio
from itertools import islice

from ..core.record import Record
from .journal import Ledger
from .ledger import LedgerReader, Settled
from .plan import Plan
from .pump import Pump


async def close_set(plan: Plan, ledger: Ledger, reader: LedgerReader, pump: Pump) -> int:
    """Let each closing filter judge the accepted records up to the pump's target; the number that stays.

    What they said before is forgotten: the set has grown, and the best of a cluster may be another one now.
    """
    ledger.reopen()
    await ledger.flush()
    rows: list[Settled] = await asyncio.to_thread(lambda: list(islice(reader.rows("accepted", plan.last), pump.target)))
    records = [Record.load(row.body) for row in rows]
    for gate in plan.closing:
        verdicts = await gate.verdicts(records)
        kept: list[tuple[Settled, Record]] = []
        for row, record, verdict in zip(rows, records, verdicts, strict=True):
            if gate.refuses(verdict):
                ledger.close(row.path, gate.name, verdict.reason or "refused", verdict.score)
            else:
                kept.append((row, record))
        rows, records = [row for row, _ in kept], [record for _, record in kept]
    await ledger.flush()
    return len(rows)
