"""select: a sort of the whole set; the best of each topic against a plain sort."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from datalchemy.core.record import PlainText, Record, Verdict
from gauge import Line, above, plain, rate, scored

from ._judges import judged


def records(n: int) -> list[Record]:
    rng = Random(0)
    made = []
    for at in range(n):
        verdict = Verdict(by="judge", outcome="keep", score=round(rng.gauss(6, 2), 2))
        made.append(Record(content=PlainText(text=f"page {at}"), labels={"topic": rng.choice("abcd")}, origin=str(at), verdicts=(verdict,)))
    return made


def speed() -> Iterator[Line]:
    yield plain("20,000 records, the best tenth", rate({"use": "select", "share": 0.1}, records(20_000), warm=0))
    yield plain("20,000 records, a mix of two with shares by topic", rate(
        {"use": "select", "k": 2000, "by": {"judge": 0.7, "length": 0.3}, "unscored": "last", "per": "topic", "shares": {"a": 2, "b": 1}},
        records(20_000), warm=0))  # fmt: skip


def accuracy() -> Iterator[Line]:
    made = records(2000)
    found = judged({"use": "select", "k": 200, "per": "topic", "cap": 60}, made)
    taken: dict[str, int] = {}
    best = set()
    for at in sorted(range(2000), key=lambda at: (-(made[at].verdicts[0].score or 0), at)):
        topic = str(made[at].labels["topic"])
        if len(best) < 200 and taken.get(topic, 0) < 60:
            taken[topic] = taken.get(topic, 0) + 1
            best.add(at)
    yield above(
        "2,000 records, 200 with a cap of 60 a topic: as a plain sort",
        scored([v.keep for v in found], [at in best for at in range(2000)]).accuracy,
        1.0,
        "",
    )
