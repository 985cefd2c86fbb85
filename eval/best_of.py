"""Best of n: of the answers to one prompt keep the one with the highest score, where no reference decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._best import By, best_first, checked, named, values


class BestOf(Filter):
    """Of the records that one seed gave rise to for the same prompt, the best `keep` by a reward, a judge or a label stay.

    A single record stays whatever its score. Equally good ones stay in the order in which they were made. The score is what they were ranked by.
    """

    ordered: ClassVar[bool] = True
    batch: ClassVar[int] = 64

    by: Annotated[By, AfterValidator(checked)] = "reward"
    """A filter's name (its score), a label's or a column's; or several with weights (`{judge: 0.7, reward: 0.3}`), which mixes their ranks."""
    keep: int = Field(default=1, ge=1)
    """Records of each prompt that stay."""
    unscored: Literal["abstain", "last"] = "abstain"
    """A record without a score: an abstention, or behind all others."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a score."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            groups: dict[tuple[str, str], list[int]] = defaultdict(list)
            for at, record in enumerate(records):
                groups[record.lineage[0].parent if record.lineage else "", _asked(record)].append(at)
            verdicts: dict[int, Verdict] = {}
            for places in groups.values():
                verdicts.update(zip(places, self._ranked([records[at] for at in places]), strict=True))
            return [verdicts[at] for at in range(len(records))]

        yield judge

    def _ranked(self, records: Sequence[Record]) -> list[Verdict]:
        worth = values(records, self.by)
        order = [at for at in best_first(worth) if worth[at] is not None or self.unscored == "last"]
        rank = {at: place for place, at in enumerate(order, 1)}
        return [self._verdict(rank.get(at), len(order), worth, at) for at in range(len(records))]

    def _verdict(self, rank: int | None, of: int, worth: Sequence[float | None], at: int) -> Verdict:
        by, own = self.part_name(), worth[at]
        if rank is None:
            return Verdict(by=by, outcome="abstain", reason=f"no_score: nothing gave {named(self.by)}")
        evidence = {"rank": rank, "of": of}
        if rank <= self.keep:
            return Verdict(by=by, outcome="keep", score=own, evidence=evidence)
        best = max(one for one in worth if one is not None) if any(one is not None for one in worth) else None
        against = "no score" if own is None or best is None else f"{own:.4g} by {named(self.by)}, the best has {best:.4g}"
        return Verdict(by=by, outcome="refuse", score=own, reason=f"not_best: place {rank} of {of}: {against}", evidence=evidence)


def _asked(record: Record) -> str:
    """What the answer answers: all turns before it."""
    turns = record.messages[:-1] if record.response is not None else record.messages
    return "\n".join(f"{turn.role}\n{turn.text}" for turn in turns)
