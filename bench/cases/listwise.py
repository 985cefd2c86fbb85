"""listwise: the right one of four found by a judge that now and then ranks by place."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.core.record import Conversation, Record, Verdict, assistant, user
from gauge import Line, above, plain

from ._judges import double, first_rate, judged, sums


def groups(n: int) -> tuple[list[Record], list[bool]]:
    """Four answers to each sum, one of them right, at each place in turn."""
    records, right = [], []
    for at, (task, good, _) in enumerate(sums(n)):
        head, _, total = good.split(",")[0].rpartition(" ")
        for place in range(4):
            value = int(total) + (0 if place == at % 4 else place + 1)
            records.append(Record(content=Conversation(messages=(user(task), assistant(f"{head} {value}"))), origin=f"{at}/{place}"))
            right.append(place == at % 4)
    return records, right


def speed() -> Iterator[Line]:
    records, _ = groups(400)
    rate = first_rate({"use": "listwise", "model": "judge"}, records, judge=double("fast"))
    yield plain("1,600 answers in groups of 4, two orders, a double that answers at once, calls stored", rate)


def accuracy() -> Iterator[Line]:
    records, right = groups(400)

    def share(found: list[Verdict]) -> tuple[float, float]:
        kept = [ok for one, ok in zip(found, right, strict=True) if one.keep]
        return sum(kept) / max(1, len(kept)), sum(kept) / 400

    for orders in (2, 6):
        found = judged({"use": "listwise", "model": "judge", "orders": orders}, records, judge=double("biased", bias=0.3))
        precise, recalled = share(found)
        yield above(f"400 groups of 4, 30 % ranked by place, {orders} orders: what stays is right", precise, 0.95, "")
        yield plain(f"{orders} orders: the right one stays", recalled, "")
