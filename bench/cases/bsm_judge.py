"""bsm_judge: the same as pairwise, by three criteria; each is scored by a call that may err on its own."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, below, plain

from ._judges import both_advantage, double, first_rate, judged, pairs, position


def speed() -> Iterator[Line]:
    records, _ = pairs(300)
    rate = first_rate({"use": "bsm_judge", "model": "judge"}, records, judge=double("fast"))
    yield plain("300 pairs by three criteria (7 calls a pair), a double that answers at once, calls stored", rate)


def accuracy() -> Iterator[Line]:
    records, labels = pairs(600)
    for merge in ("sum", "model"):
        part = {"use": "bsm_judge", "model": "judge", "merge": merge}
        found = judged(part, records, judge=double("biased", noise=0.05, bias=0.3 if merge == "sum" else 0.1))
        if merge == "model":
            yield plain(
                "merged by the model: share decided", sum(one.evidence.get("preferred", "tie") != "tie" for one in found) / len(found), ""
            )
            continue
        alone, advantage, right, decided = position(found, labels)
        yield plain("600 pairs, 5 % noise, 30 % for the first place, summed: one order alone, accuracy", alone, "")
        yield plain("one order alone, advantage of the first place", advantage, "")
        yield above("both orders, accuracy of what they decide", right, 0.95, "")
        yield below("both orders, advantage of the place", abs(both_advantage(found, labels)), 0.05)
        yield plain("both orders, share decided (the rest are ties)", decided, "")
