"""jury: five jurors who err independently, beside one."""

from __future__ import annotations

from collections.abc import Iterator

from gauge import Line, above, plain, scored

from ._judges import answers, double, first_rate, judged

NAMES = ("a", "b", "c", "d", "e")


def speed() -> Iterator[Line]:
    records, _ = answers(600)
    models = {name: double(name) for name in NAMES[:3]}
    yield plain(
        "600 answers, three jurors that answer at once, calls stored", first_rate({"use": "jury", "models": NAMES[:3]}, records, **models)
    )


def accuracy() -> Iterator[Line]:
    records, right = answers(1000)
    models = {name: double(name, noise=0.15) for name in NAMES}
    one = scored([v.keep for v in judged({"use": "judge", "model": "a"}, records, a=models["a"])], right).accuracy
    yield plain("1,000 sums, one judge that errs in 15 %: agreement with the oracle", one, "")
    five = scored([v.keep for v in judged({"use": "jury", "models": NAMES, "quorum": 0.6}, records, **models)], right).accuracy
    yield above("five such jurors, three votes wanted (97.3 % expected)", five, max(0.95, one), "")
