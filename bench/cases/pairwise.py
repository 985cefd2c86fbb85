"""pairwise: agreement with an oracle through a judge with a liking for the first place, in one order and in both."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, below, plain

from ._judges import both_advantage, double, first_rate, judged, pairs, position

PART = {"use": "pairwise", "model": "judge"}


def speed() -> Iterator[Line]:
    records, _ = pairs(1000)
    yield plain("1,000 pairs in both orders, a double that answers at once, calls stored", first_rate(PART, records, judge=double("fast")))


def accuracy() -> Iterator[Line]:
    records, labels = pairs(1000)
    found = judged(PART, records, judge=double("biased", noise=0.05, bias=0.3))
    alone, advantage, right, decided = position(found, labels)
    what = "1,000 pairs, 5 % noise, 30 % for the first place"
    yield plain(f"{what}: one order alone, accuracy", alone, "")
    yield plain("one order alone, advantage of the first place", advantage, "")
    yield above("both orders, accuracy of what they decide", right, 0.95, "")
    yield below("both orders, advantage of the place", abs(both_advantage(found, labels)), 0.05)
    yield plain("both orders, share decided (the rest are ties)", decided, "")
