"""Counting: accepted + refused + failed + pending = started, at every moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .ledger import Settled
from .snapshot import Counts

SEEDS = -1
"""The stage number of seeds that the seeds' own filters judge."""


class Tally:
    """Live counts of a run, by stage."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names
        self.started: Counter[int] = Counter()
        self.settled: Counter[tuple[int, str]] = Counter()
        self.reasons: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        """Accepted records of the last stage by kind (engine/quota.py); what closing filters refuse later is still in."""

    def resume(self, counts: Mapping[tuple[int, str], int], reasons: Sequence[tuple[int, str, str, str, int]]) -> None:
        """Take over what the ledger holds."""
        for (stage, status), n in counts.items():
            self.settled[stage, status] += n
            self.started[stage] += n
        for _, _, by, word, n in reasons:
            self.reasons[_phrase(by, word)] += n

    def start(self, stage: int) -> None:
        self.started[stage] += 1

    def settle(self, row: Settled, sign: int = 1) -> None:
        """Count a settled candidate; `sign=-1` takes it back (its seed was abandoned and is pending again)."""
        self.settled[row.stage, row.status] += sign
        if row.status != "accepted":
            self.reasons[_phrase(row.filter, row.reason.partition(":")[0])] += sign

    def close(self, row: Settled) -> None:
        """A closing filter refuses what was counted as accepted."""
        self.settled[row.stage, "accepted"] -= 1
        self.settle(row)

    def accepted(self, stage: int) -> int:
        return self.settled[stage, "accepted"]

    def counts(self, stage: int) -> Counts:
        started = self.started[stage]
        accepted, refused, failed = (self.settled[stage, status] for status in ("accepted", "refused", "failed"))
        return Counts(started=started, accepted=accepted, refused=refused, failed=failed, pending=started - accepted - refused - failed)

    def stages(self) -> dict[str, Counts]:
        return {name: self.counts(stage) for stage, name in self.names.items()}

    def top_reasons(self) -> dict[str, int]:
        return {reason: n for reason, n in self.reasons.most_common() if n > 0}


def _phrase(by: str, word: str) -> str:
    return f"{by}: {word}" if by else word
