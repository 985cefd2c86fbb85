"""What is measured while a finished run's candidates stream by: counts, reasons, lengths, samples. Flat in memory."""

from __future__ import annotations

import heapq
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .dataset import Body, kind, plain, turns
from .sections import Section

SAMPLES = 12
PER_REASON = 3
REASONS = 400
"""Distinct reasons that are counted apart; further ones are counted together."""
CLIP = 6000
"""Characters of a sample's text that a report shows."""
WITHHELD = "(not shown: it holds personal data or secrets)"


NAMES = (
    "accepted", "acceptance_rate", "refused_share", "failed_share", "reasoning_share", "target_share",
    "tokens_per_accepted", "reused_share", "dollars_per_accepted",
    "relevant", "aligned", "consistent", "formatted", "unique", "compliant",
    "distinct_1", "distinct_2", "overlap_4", "spread", "effective_texts", "near_duplicate_share", "activation_coverage",
)  # fmt: skip
"""Measures that `accept:` can name, beside those that begin with one of PREFIXES."""
PREFIXES = ("mean_", "mix_distance_", "coverage_")
"""Followed by the name of a label or score (`mean_pass_rate`), of a label (`mix_distance_topic`), by `2way`."""


@dataclass
class Sample:
    """A candidate to look at."""

    id: str
    stage: int
    strategy: str
    by: str
    """Who refused it; "" where it was accepted."""
    reason: str
    score: float | None
    turns: list[tuple[str, str, str | None]]
    """(role, text, reasoning); the role is `reply` for what a model said before its strategy refused it."""
    answer: str | None
    labels: Mapping[str, Any]
    verdicts: list[Body]


@dataclass
class Spread:
    """A histogram of lengths with eight buckets to each doubling."""

    buckets: Counter[int] = field(default_factory=Counter)
    count: int = 0
    total: int = 0
    most: int = 0

    def add(self, length: int) -> None:
        self.buckets[int(8 * math.log2(length + 1))] += 1
        self.count += 1
        self.total += length
        self.most = max(self.most, length)

    def quantile(self, share: float) -> float:
        """A length that about this share of all stay below (off by 5 % at most)."""
        left = share * self.count
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return min(2 ** ((bucket + 0.5) / 8) - 1, self.most)
        return float(self.most)


class Few:
    """The k candidates with the smallest seeded hash of their ids: a choice that no order of arrival changes."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.heap: list[tuple[int, str, Sample]] = []

    def wants(self, key: int) -> bool:
        return len(self.heap) < self.k or -key > self.heap[0][0]

    def add(self, key: int, sample: Sample) -> None:
        entry = (-key, sample.id, sample)
        if all(sample.id != other[1] for other in self.heap):
            (heapq.heappush if len(self.heap) < self.k else heapq.heappushpop)(self.heap, entry)

    @property
    def samples(self) -> list[Sample]:
        return [sample for _, _, sample in sorted(self.heap, key=lambda entry: (-entry[0], entry[1]))]


class Measures:
    """Everything that a report shows of the candidates, from one pass over them."""

    def __init__(self, seed: int, last_stage: int) -> None:
        self.seed = seed
        self.last_stage = last_stage
        self.counts: Counter[tuple[int, str]] = Counter()
        self.reasons: Counter[tuple[int, str, str, str]] = Counter()
        """(stage, refused | failed, filter or error, first word of the reason)."""
        self.verdicts: Counter[tuple[int, str, str]] = Counter()
        """(stage, filter, keep | refuse | abstain)."""
        self.published = 0
        self.surplus = 0
        self.repaired = 0
        self.answers = Spread()
        self.thoughts = Spread()
        self.pass_rates: Counter[int] = Counter()
        """Published records by pass rate, in twentieths."""
        self.sums: dict[str, tuple[int, float]] = {}
        self.accepted_samples = Few(SAMPLES)
        self.sections: list[Section] = []
        """Further measures, taken elsewhere."""
        self.refused_samples: dict[tuple[int, str, str], Few] = {}

    def add(self, settled: Any, body: Body, note: Any = None, *, published: bool = False) -> None:
        """Count one row of the ledger; `published`: it is part of the data set."""
        stage, status = settled.stage, settled.status
        self.counts[stage, status] += 1
        if status == "accepted" or (status == "refused" and settled.filter != settled.strategy):
            for verdict in body.get("verdicts", ()):
                self.verdicts[stage, verdict["by"], verdict["outcome"]] += 1
        if status != "accepted":
            self._count_reason(settled, body, note)
        elif published:
            self._count_published(settled, body)
        elif stage == self.last_stage:
            self.surplus += 1

    def _count_reason(self, settled: Any, body: Body, note: Any) -> None:
        key = (settled.stage, settled.status, settled.filter, settled.reason.partition(":")[0][:60])
        if key not in self.reasons and len(self.reasons) >= REASONS:
            key = (settled.stage, settled.status, "", "further reasons")
        self.reasons[key] += 1
        if settled.status == "refused":
            place = (key[0], key[2], key[3])
            if place in self.refused_samples or len(self.refused_samples) < 2 * SAMPLES:
                self._choose(self.refused_samples.setdefault(place, Few(PER_REASON)), settled, body, note)

    def _count_published(self, settled: Any, body: Body) -> None:
        self.published += 1
        content = body.get("content", {})
        last = turns(content)[-1:]
        answer = content["text"] if kind(content) == "text" else plain(last[0].get("content", "")) if last else ""
        self.answers.add(len(answer))
        reasoning = last[0].get("reasoning") if last else None
        if reasoning is not None:
            self.thoughts.add(len(reasoning))
        for name, value in body.get("labels", {}).items():
            if type(value) is float or type(value) is int:
                self._sum(name, value)
                if name == "pass_rate":
                    self.pass_rates[round(value * 20)] += 1
        for verdict in body.get("verdicts", ()):
            if verdict.get("score") is not None:
                self._sum(f"{verdict['by']}.score", verdict["score"])
        self._choose(self.accepted_samples, settled, body)

    def _sum(self, name: str, value: float) -> None:
        n, total = self.sums.get(name, (0, 0.0))
        self.sums[name] = (n + 1, total + value)

    def _choose(self, few: Few, settled: Any, body: Body, note: Any = None) -> None:
        key = zlib.crc32(settled.id.encode(), self.seed & 0xFFFFFFFF)
        if few.wants(key):
            few.add(key, _sample(settled, body, note))

    def few_refused(self) -> list[Sample]:
        """Refused samples, one for each reason in turn (the most frequent first) until there are enough."""
        groups = sorted(self.refused_samples.items(), key=lambda item: (-self._refusals(item[0]), item[0]))
        rounds = [[few.samples[n] for _, few in groups if n < len(few.samples)] for n in range(PER_REASON)]
        return [sample for samples in rounds for sample in samples][:SAMPLES]

    def _refusals(self, place: tuple[int, str, str]) -> int:
        return self.reasons[place[0], "refused", place[1], place[2]]

    def verdicts_by_filter(self) -> dict[tuple[str, str], int]:
        """(filter, keep | refuse | abstain) -> verdicts, over all stages."""
        out: Counter[tuple[str, str]] = Counter()
        for (_, by, outcome), n in self.verdicts.items():
            out[by, outcome] += n
        return dict(out)

    def by_stage(self) -> dict[int, dict[str, int]]:
        """stage -> accepted, refused, failed; -1 are seeds."""
        stages = sorted({stage for stage, _ in self.counts} | {self.last_stage})
        return {stage: {status: self.counts[stage, status] for status in ("accepted", "refused", "failed")} for stage in stages}

    def total(self, status: str) -> int:
        return sum(n for (_, s), n in self.counts.items() if s == status)

    def thresholds(self, target: int | None, totals: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
        """Numbers that a recipe's `accept:` can name; only those that this run really has (docs/output.md lists them)."""
        last, settled = self.by_stage()[self.last_stage], sum(self.counts.values())
        shares = {
            "accepted": (self.published, 1),
            "acceptance_rate": (last["accepted"], sum(last.values())),
            "refused_share": (last["refused"], sum(last.values())),
            "failed_share": (self.total("failed"), settled),
            "reasoning_share": (self.thoughts.count, self.published),
            "mean_answer_chars": (self.answers.total, self.answers.count),
            "mean_reasoning_chars": (self.thoughts.total, self.thoughts.count),
            "target_share": (self.published, target or 0),
            "tokens_per_accepted": (_spent(totals, "prompt_tokens") + _spent(totals, "completion_tokens"), self.published),
            "reused_share": (_spent(totals, "reused"), _spent(totals, "reused") + _spent(totals, "calls")),
            **{f"mean_{name}": (total, n) for name, (n, total) in self.sums.items()},
        }
        if totals and all(usage.get("dollars") is not None for usage in totals.values()):
            shares["dollars_per_accepted"] = (_spent(totals, "dollars"), self.published)
        return {name: part / whole for name, (part, whole) in shares.items() if whole}


def _spent(totals: Mapping[str, Mapping[str, float | None]], name: str) -> float:
    return sum(usage.get(name) or 0 for usage in totals.values())


def _sample(settled: Any, body: Body, note: Any) -> Sample:
    content = body.get("content", {})
    messages = turns(content) or [{"role": "text", "content": content.get("text", "")}]
    shown = [(m.get("role", ""), _clip(plain(m.get("content", "")) + _calls(m)), _clip(m.get("reasoning"))) for m in messages[-12:]]
    shown += [("rejected", _clip(plain(m.get("content", ""))), _clip(m.get("reasoning"))) for m in content.get("rejected", ())]
    replies = note.get("replies") if isinstance(note, dict) else None
    shown += [("reply", _clip(str(reply.get("text", ""))), None) for reply in replies or () if isinstance(reply, dict)]
    verdicts: list[Body] = [{name: v.get(name) for name in ("by", "outcome", "score", "reason")} for v in body.get("verdicts", ())]
    labels = dict(list(body.get("labels", {}).items())[:12])
    answer = body.get("answer")
    reason = _clip(settled.reason, 400) if settled.reason else ""
    if _private(settled.filter or "", verdicts):
        shown, answer, labels = [("text", WITHHELD, None)], None, {}
    return Sample(
        settled.id, settled.stage, settled.strategy, settled.filter, reason, settled.score, shown, _clip(answer, 400), labels, verdicts
    )


def _private(refused_by: str, verdicts: list[Body]) -> bool:
    """Whether the filter `privacy` found something in it: the report is handed on, and must not show it."""
    found = [refused_by, *(str(verdict["by"]) for verdict in verdicts if verdict["outcome"] != "keep")]
    return any(by.partition("#")[0] == "privacy" for by in found)


def _calls(message: Body) -> str:
    return "".join(f"\n{call.get('name', '')}({call.get('arguments', '{}')})" for call in message.get("tool_calls", ()))


def _clip(text: str | None, most: int = CLIP) -> Any:
    if text is None or len(text) <= most:
        return text
    return f"{text[:most]}\n… {len(text) - most:,} more characters"
