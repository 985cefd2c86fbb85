"""Numbers as people read them, and the coordinates of bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from .measures import Measures, Spread

WIDTH, HEIGHT, BARS, LEAST = 320, 96, 36, 20
"""Of a histogram, in units of its view box; how many bars it has at most and at least (also where all lengths are equal)."""


class Segment(NamedTuple):
    """A piece of a stacked bar that is 1000 units wide."""

    kind: str
    x: float
    width: float
    n: int


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    title: str


class Tick(NamedTuple):
    x: float
    label: str


class Histogram(NamedTuple):
    """A drawn distribution."""

    title: str
    summary: str
    bars: list[Bar]
    ticks: list[Tick]
    median: float | None
    """x of the median's mark."""


def segments(counts: Mapping[str, int], most: int) -> list[Segment]:
    """A stacked bar whose whole length stands for `most`; what is there is at least 2 units wide."""
    out, x = [], 0.0
    for kind, count in counts.items():
        width = max(1000 * count / most, 2) if count and most else 0.0
        if count:
            out.append(Segment(kind, round(x, 2), round(min(width, 1000 - x), 2), count))
        x += width
    return out


def shapes(measures: Measures) -> list[Histogram]:
    """The distributions that this data set has."""
    lengths = [("Answer length", measures.answers), ("Reasoning length", measures.thoughts)]
    out = [_lengths(title, spread) for title, spread in lengths if spread.count]
    return [*out, _rates(measures)] if measures.pass_rates else out


def _lengths(title: str, spread: Spread) -> Histogram:
    """Lengths on a logarithmic axis."""
    low, high = min(spread.buckets), max(spread.buckets) + 1
    spare = max(0, LEAST - (high - low)) // 2
    low, high = max(low - spare, 0), high + spare
    step = max(1, math.ceil((high - low) / BARS))
    bins = [sum(spread.buckets[b] for b in range(at, at + step)) for at in range(low, high, step)]
    span = len(bins) * step
    edges = [2 ** (at / 8) - 1 for at in range(low, low + span + 1, step)]
    titles = [f"{number(math.ceil(edges[i]))}–{number(edges[i + 1])} characters: {number(n)}" for i, n in enumerate(bins)]

    def place(value: float) -> float:
        return min(max((8 * math.log2(value + 1) - low) / span * WIDTH, 0), WIDTH)

    ticks = [Tick(place(v), short(v)) for k in range(8) for v in (10**k, 2 * 10**k, 5 * 10**k) if edges[0] <= v <= edges[-1]]
    median = spread.quantile(0.5)
    summary = f"median {short(median)} · 95 % below {short(spread.quantile(0.95))} · longest {short(spread.most)}"
    return Histogram(title, summary, _bars(bins, titles), _apart(ticks), place(median))


def _rates(measures: Measures) -> Histogram:
    rates = measures.pass_rates
    bins = [sum(n for at, n in rates.items() if min(max(at, 0), 20) == b) for b in range(21)]
    titles = [f"pass rate {percent(b / 20)}: {number(n)}" for b, n in enumerate(bins)]
    n, total = measures.sums["pass_rate"]
    ticks = [Tick((b + 0.5) / 21 * WIDTH, percent(b / 20)) for b in (0, 5, 10, 15, 20)]
    return Histogram("Pass rate of the problem", f"mean {percent(total / n)} · {number(n)} records", _bars(bins, titles), ticks, None)


def _bars(bins: list[int], titles: list[str]) -> list[Bar]:
    most, width = max(bins), WIDTH / len(bins)
    gap = min(2.0, width * 0.2)
    heights = [max(HEIGHT * n / most, 1.5) if n else 0.0 for n in bins]
    return [
        Bar(round(i * width + gap / 2, 2), round(HEIGHT - h, 2), round(width - gap, 2), round(h, 2), titles[i])
        for i, h in enumerate(heights)
        if h
    ]


def _apart(ticks: list[Tick]) -> list[Tick]:
    """Ticks whose labels do not touch each other."""
    out: list[Tick] = []
    for tick in ticks:
        if not out or tick.x - out[-1].x >= 34:
            out.append(tick)
    return out


def spent(totals: Mapping[str, Mapping[str, float | None]], *names: str) -> float:
    return sum(usage.get(name) or 0 for usage in totals.values() for name in names)


def number(value: float) -> str:
    return f"{value:,.0f}"


def short(value: float) -> str:
    """1,234 · 12.3k · 4.56M: three figures that count."""
    for size, least, letter in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e3, 1e4, "k")):
        if abs(value) >= least * 0.9995:
            return f"{value / size:.3g}{letter}"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def percent(share: float) -> str:
    scaled = 100 * share
    digits = 0 if scaled == round(scaled) or 10 <= scaled <= 90 else 1
    text = f"{scaled:.{digits}f}"
    if share and float(text) == 0:
        return "< 0.1 %"
    return "> 99.9 %" if share < 1 and float(text) == 100 else f"{text} %"


def dollars(value: float) -> str:
    """Cents, or two figures that count where it is less."""
    if value >= 0.095 or value <= 0:
        return f"${value:,.2f}"
    whole, _, digits = f"{value:.{1 - math.floor(math.log10(value))}f}".partition(".")
    return f"${whole}.{digits.rstrip('0'):0<2}"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, hours = divmod(round(seconds), 60)[0], round(seconds) // 3600
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min {round(seconds) % 60:02d} s"


def fixed(value: float) -> str:
    """A score: at most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
