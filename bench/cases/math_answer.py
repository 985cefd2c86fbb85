"""math_answer: answers a second where numbers decide and where algebra must, beside bombs; right and wrong answers of every kind."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from datalchemy.core.record import Conversation, Record, Verdict, assistant, user
from datalchemy.core.workers import WorkerPool
from datalchemy.engine.gates import Gate
from datalchemy.engine.loops import to_completion
from datalchemy.eval.math_answer import MathAnswer
from gauge import Line, above, below, plain, scored, verdicts

from ._math_pairs import KINDS, Pair, pairs, trapped

FAST = (
    "integer",
    "decimal",
    "fraction",
    "mixed number",
    "percent",
    "currency",
    "unit",
    "scientific",
    "magnitude",
    "angle",
    "ratio",
    "date",
    "repeating",
)
SLOW = ("root", "pi", "polynomial", "interval", "set", "point", "matrix", "complex", "union", "typed", "power")
BOMBS = ["9^{9^{9^9}}", "(10^{10})!", "2^{2^{2^{2^{2^2}}}}", "\\binom{10^9}{5\\cdot 10^8}"]
LIMIT_S = 1.0


def speed() -> Iterator[Line]:
    fast = _distinct(FAST, 4000)
    _, spent, _ = to_completion(_timed(fast, warm=fast[:200]))
    yield above("4,000 different answers, decided in process, a second of processor time", len(fast) / spent, 2000)
    slow = _distinct(SLOW, 1500)
    _, spent, _ = to_completion(_timed(slow[900:], warm=slow[:900]))
    yield above("600 different answers that algebra decides, one worker that has seen 900, a second of processor time", 600 / spent, 100)
    mixed = [*slow[1200:], *fast]
    alone, _, plainly = to_completion(_timed(mixed, warm=slow[:100]))
    bombs = [_record(Pair("bomb", "7", f"{BOMBS[n % len(BOMBS)]}+{n}", False), f"bomb{n}") for n in range(8)]
    at_once = list(mixed)
    for number, bomb in enumerate(bombs):
        at_once.insert(number * 500, bomb)
    beside, _, told = to_completion(_timed(at_once, warm=slow[:100]))
    others = [verdict for record, verdict in zip(at_once, told, strict=True) if not record.origin.startswith("bomb")]
    same = sum(one.outcome == other.outcome for one, other in zip(plainly, others, strict=True))
    what = f"{len(mixed):,} answers, one worker, {len(bombs)} bombs among them (a limit of {LIMIT_S:g} s)"
    yield above(f"{what}: the same verdicts", same / len(others), 1.0, "")
    yield below(f"{what}: seconds that a bomb costs", (beside - alone) / len(bombs), LIMIT_S + 1.5, " s")
    yield plain(
        f"{what}: abstained on the bombs", len(told) - len(others) - sum(v.outcome != "abstain" for v in told if v not in others), ""
    )


def accuracy() -> Iterator[Line]:
    made = pairs()
    found = [one.keep for one in verdicts({"use": "math_answer"}, [_record(pair, str(n)) for n, pair in enumerate(made)])]
    score = scored(found, [pair.equal for pair in made])
    wrong = sorted({pair.kind for pair, keep in zip(made, found, strict=True) if keep != pair.equal})
    what = f"{len(made):,} pairs of {len(KINDS)} kinds, half of them equal"
    yield above(f"{what}: precision", score.precision, 1.0, "")
    yield above(f"{what}: recall", score.recall, 0.98, "")
    yield Line(f"{what}: kinds with a mistake", ", ".join(wrong) or "none")
    traps = list(trapped())
    kept = [
        pair.got for pair, one in zip(traps, verdicts({"use": "math_answer"}, [_record(p, p.got) for p in traps]), strict=True) if one.keep
    ]
    yield Line(f"{len(traps)} traps against the reference 7: accepted", ", ".join(kept) or "0", "0", not kept)


def _distinct(kinds: Sequence[str], count: int) -> list[Record]:
    """Answers that are all different, every third of them wrong."""
    rng, seen = random.Random(7), dict[tuple[str, str], Pair]()
    for number in range(50 * count):
        kind = kinds[number % len(kinds)]
        gold, right, wrong = KINDS[kind](rng)
        equal = number // len(kinds) % 3 > 0
        pair = Pair(kind, gold, rng.choice(right if equal else wrong), equal)
        if pair.got != gold:
            seen.setdefault((gold, pair.got), pair)
        if len(seen) == count:
            break
    return [_record(pair, str(number)) for number, pair in enumerate(seen.values())]


async def _timed(records: Sequence[Record], warm: Sequence[Record]) -> tuple[float, float, list[Verdict]]:
    """Seconds of the clock and of processors for all records at once through the gate of a run, with one worker process."""
    async with WorkerPool(processes=1) as pool:
        part = MathAnswer(timeout_s=LIMIT_S)
        async with part.open(SimpleNamespace(workers=pool, language="en")) as judge:  # type: ignore[arg-type]
            gate = Gate(part, judge)
            await asyncio.gather(*(gate.verdict(record) for record in warm))
            began, used = time.perf_counter(), _processor_s()
            told = await asyncio.gather(*(gate.verdict(record) for record in records))
            return time.perf_counter() - began, _processor_s() - used, list(told)


def _processor_s() -> float:
    """Seconds of processor time that this process and its living children have used."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            told = stat.read_text().rpartition(")")[2].split()
            used += int(told[11]) + int(told[12]) if os.getpid() in (int(told[1]), int(stat.parent.name)) else 0
    return used / os.sysconf("SC_CLK_TCK")


def _record(pair: Pair, origin: str) -> Record:
    turns = (user("What is it?"), assistant(f"So it is \\boxed{{{pair.got}}}."))
    return Record(content=Conversation(messages=turns), answer=pair.gold, origin=origin)
