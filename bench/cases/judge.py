"""judge: what it costs beside the call; agreement with an oracle through a judge that errs."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.eval._agreement import agreement
from gauge import Line, above, plain, scored

from ._judges import answers, double, first_rate, judged

PART = {"use": "judge", "model": "judge"}


def speed() -> Iterator[Line]:
    records, _ = answers(2000)
    yield plain("2,000 answers, a double that answers at once, calls stored", first_rate(PART, records, judge=double("fast")))


def accuracy() -> Iterator[Line]:
    records, right = answers(1000)
    for noise in (0.0, 0.1):
        found = judged(PART, records, judge=double("oracle", noise=noise))
        share = scored([one.keep for one in found], right).accuracy
        line = f"1,000 sums, judge that errs in {noise:.0%}: agreement with the oracle"
        yield above(line, share, 1.0 if noise == 0 else 0.87, "")
        labels = ["keep" if ok else "refuse" for ok in right]
        yield plain(f"the same, kappa{' (0.8 expected)' if noise else ''}", agreement(labels, [one.outcome for one in found]).kappa, "")
