"""Keep the best k records of the whole set, with a cap or a share for each topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..core.part import Filter, Judge, Tools
from ..core.record import Record, Verdict
from ._best import By, best_first, checked, named, values
from ._parts import shown


class Select(Filter):
    """The best `k` (or the best `share`) of all records that came so far, by the score of a filter, a label, or a mix.

    `per` names a label (a topic, a cluster): `cap` is the most records of one value, `shares` how many of each value are
    wanted; a value that has too few gives its places to nobody. Records that are equally good stay in the order of their seeds. It judges
    when the run has drained, so it takes a candidate budget or finite seeds, or `share` with a target. The score is what
    was selected by.
    """

    closing: ClassVar[bool] = True

    by: Annotated[By, AfterValidator(checked)] = "judge"
    """A filter's name (its score), a label's or a column's; or several with weights (`{judge: 0.7, reward: 0.3}`), which mixes their ranks."""
    k: int | None = Field(default=None, ge=1)
    """Records that stay."""
    share: float | None = Field(default=None, gt=0, le=1)
    """Instead of `k`: the share of the records that stays."""
    per: str = ""
    """A label, or else a column, whose values are capped or shared out."""
    cap: int | None = Field(default=None, ge=1)
    """Records of one value of `per` at most."""
    shares: Mapping[str, Annotated[float, Field(gt=0, le=1e12)]] = {}
    """Of each value of `per`, in proportion; records with another value are refused."""
    unscored: Literal["abstain", "last"] = "abstain"
    """A record without a score: an abstention, or behind all others."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without a score."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.k is None) == (self.share is None):
            raise ValueError("`select` needs either `k` (how many records stay) or `share` (which share of them)")
        if (self.cap is not None or self.shares) and not self.per:
            raise ValueError("`cap` and `shares` go by a label: name it in `per`")
        if self.per and self.cap is None and not self.shares:
            raise ValueError("`per` needs a `cap` or `shares`")
        return self

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return self._selected(records)

        yield judge

    def _selected(self, records: Sequence[Record]) -> list[Verdict]:
        worth = values(records, self.by)
        order = [at for at in best_first(worth) if worth[at] is not None or self.unscored == "last"]
        k = self.k if self.k is not None else max(1, int(len(order) * (self.share or 0) + 0.5))
        most = _shared_out(k, self.shares)
        verdicts, taken = dict[int, Verdict](), Counter[str]()
        for rank, at in enumerate(order, 1):
            value = self._value(records[at])
            reason = self._against(rank, len(order), k, value, taken, most)
            if not reason:
                taken[value] += 1
            verdicts[at] = Verdict(
                by=self.part_name(),
                outcome="refuse" if reason else "keep",
                score=worth[at],
                reason=reason,
                evidence={"rank": rank, "of": len(order)},
            )
        none = Verdict(by=self.part_name(), outcome="abstain", reason=f"no_score: nothing gave {named(self.by)}")
        return [verdicts.get(at, none) for at in range(len(records))]

    def _value(self, record: Record) -> str:
        if not self.per:
            return ""
        given = record.labels.get(self.per)
        return str(record.fields.get(self.per, "") if given is None else given)

    def _against(self, rank: int, of: int, k: int, value: str, taken: Counter[str], most: Mapping[str, int]) -> str:
        """Why a record does not stay, `""` where it does."""
        if self.shares and value not in most:
            return f"not_wanted: {self.per} {shown(value, 40) or 'missing'} has no share"
        if self.shares and taken[value] >= most[value]:
            return f"share_full: {self.per} {shown(value, 40)} has its {most[value]}; place {rank} of {of}"
        if taken.total() >= k:
            return f"not_selected: place {rank} of {of} by {named(self.by)}, {k} stay"
        if self.cap is not None and taken[value] >= self.cap:
            return f"capped: {self.per} {shown(value, 40) or 'missing'} has its {self.cap}; place {rank} of {of}"
        return ""


def _shared_out(k: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many of `k` each value gets: proportional, the largest remainders rounded up."""
    total = sum(shares.values())
    exact = {value: k * share / total for value, share in shares.items()}
    counts = {value: int(number) for value, number in exact.items()}
    for value in sorted(exact, key=lambda value: (counts[value] - exact[value], value))[: k - sum(counts.values())]:
        counts[value] += 1
    return counts
