"""What the cases of filters measure with: records through a filter as a run has them, and lines for the tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from datalchemy.core.record import Record, Verdict
from datalchemy.engine.filtering import open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.loops import to_completion


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    what: str
    measured: str
    limit: str = "-"
    """What it must be, in words; `-` where nothing was promised."""
    ok: bool | None = None
    """None where nothing was promised."""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def above(what: str, value: float, least: float, unit: str = "/s") -> Line:
    """A rate (or a share) that must not be below `least`."""
    return Line(what, f"{_figure(value)}{unit}", f">= {least:,g}{unit}", value >= least)


def below(what: str, value: float, most: float, unit: str = "") -> Line:
    return Line(what, f"{_figure(value)}{unit}", f"<= {most:,g}{unit}", value <= most)


def plain(what: str, value: float, unit: str = "/s") -> Line:
    """A figure without a promise."""
    return Line(what, f"{_figure(value)}{unit}")


def verdicts(part: Any, records: Sequence[Record], **recipe: Any) -> list[Verdict]:
    """What one filter says of each record, opened as `judge` opens it (worker processes, models of `recipe`)."""

    async def run() -> list[Verdict]:
        async with open_filters(FilterRecipe.build({"filters": [part], **recipe})) as opened:
            return [judgement.verdicts[0] for judgement in await opened.judge(records)]

    return to_completion(run())


def rate(part: Any, records: Sequence[Record], *, warm: int = 200, repeat: int = 3, **recipe: Any) -> float:
    """Records a second of wall time, the median of `repeat` runs over all records, after `warm` of them; one filter, opened once."""

    async def run() -> float:
        async with open_filters(FilterRecipe.build({"filters": [part], **recipe})) as opened:
            await opened.judge(records[:warm])
            seconds = []
            for _ in range(repeat):
                began = time.perf_counter()
                await opened.judge(records)
                seconds.append(time.perf_counter() - began)
            return len(records) / median(seconds)

    return to_completion(run())


def per_core(function: Any, items: Iterable[Any], *, least_s: float = 1.0) -> float:
    """Items a second of processor time of this process, for code that runs here: `function(item)` over and over for `least_s`."""
    items = list(items)
    count, began = 0, time.process_time()
    while (spent := time.process_time() - began) < least_s:
        for item in items:
            function(item)
        count += len(items)
    return count / spent


@dataclass(frozen=True)
class Score:
    """Of yes-or-no decisions against labels; `yes` is what the filter is there to find."""

    right_yes: int
    wrong_yes: int
    right_no: int
    missed: int

    @property
    def n(self) -> int:
        return self.right_yes + self.wrong_yes + self.right_no + self.missed

    @property
    def accuracy(self) -> float:
        return (self.right_yes + self.right_no) / max(1, self.n)

    @property
    def precision(self) -> float:
        return self.right_yes / max(1, self.right_yes + self.wrong_yes)

    @property
    def recall(self) -> float:
        return self.right_yes / max(1, self.right_yes + self.missed)


def scored(found: Sequence[bool], labels: Sequence[bool]) -> Score:
    pairs = list(zip(found, labels, strict=True))
    return Score(*(sum(pair == wanted for pair in pairs) for wanted in ((True, True), (True, False), (False, False), (False, True))))
