"""Keep the answers to one prompt that a judge ranks highest."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import ClassVar

from pydantic import Field

from ..core.errors import Rejected
from ..core.part import Tools
from ..core.record import Conversation, Record, Verdict, assistant, user
from ._judge_calibration import Labelled
from ._judge_reply import ranking
from ._judge_text import legible, mark, said, told
from ._judging import Judging, Said, schema
from ._parts import shown


class Listwise(Judging):
    """A model ranks the answers that one seed gave rise to for the same prompt, and the best `keep` of them stay.

    It ranks them several times, each order and its reverse, so that a judge who favours a place favours nobody. The score
    is the mean share of rivals that an answer leaves behind (1 best, 0 last). Answers that cannot be told apart at the line are abstentions,
    equal texts count once, and a single answer stays. Unless it was calibrated on labelled rankings the judge only labels.
    """

    ordered: ClassVar[bool] = True
    batch: ClassVar[int] = 64
    prompts: ClassVar[tuple[str, ...]] = ("judge.rank",)

    model: str
    """The model that judges; best of another family than the one that wrote."""
    keep: int = Field(default=1, ge=1)
    """Answers of each prompt that stay."""
    orders: int = Field(default=2, ge=2, le=12, multiple_of=2)
    """How often the answers are ranked: half of the orders are the other half in reverse."""
    most: int = Field(default=12, ge=2, le=40)
    """Answers of one prompt that a judge can take in at once; larger groups are abstentions."""
    reference: bool = True
    """Whether the judge sees the reference answer, where there is one."""

    async def judged(self, record: Record, tools: Tools) -> Verdict:
        return (await self.judged_all([record], tools))[0]

    async def judged_all(self, records: Sequence[Record], tools: Tools) -> Sequence[Verdict]:
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        verdicts: dict[int, Verdict] = {}
        for at, record in enumerate(records):
            early = self._early(record)
            if early is None:
                groups[_group(record)].append(at)
            else:
                verdicts[at] = early
        ranked = await asyncio.gather(*(self._ranked_alone([records[at] for at in places], tools) for places in groups.values()))
        for places, given in zip(groups.values(), ranked, strict=True):
            verdicts.update(zip(places, given, strict=True))
        return [verdicts[at] for at in range(len(records))]

    def takes(self, verdicts: Sequence[Verdict]) -> bool:
        return verdicts[0].keep and verdicts[0].evidence.get("rank") == 1

    def probe(self, task: str, answer: str, good: str) -> tuple[Record, ...]:
        other = good if answer != good else "Bananas. asdf qwer."
        return tuple(Record(content=Conversation(messages=(user(task), assistant(text)))) for text in (answer, other))

    def label(self, row: Labelled, verdicts: Sequence[Verdict]) -> str:
        if row.kind != "best":
            return super().label(row, verdicts)
        return next((str(at) for at, one in enumerate(verdicts) if one.keep and one.evidence.get("rank") == 1), "abstain")

    def _early(self, record: Record) -> Verdict | None:
        if record.response is None:
            return self.verdict("abstain", "nothing_to_judge: the record has no answer")
        if (huge := self.oversized(record)) is not None:
            return huge
        answer = self._answer(record)
        if (longest := max(len(answer), len(told(record.messages[:-1])))) > self.max_chars:
            return self.verdict("abstain", f"too_long: {longest:,} characters, at most {self.max_chars:,}")
        if self.hollow(answer):
            return self.verdict("refuse", "too_little_text: nothing but punctuation or phrases that promise an answer", 0.0)
        return None

    def _answer(self, record: Record) -> str:
        return said(record.response, thinking=self.thinking) if record.response is not None else ""

    async def _ranked_alone(self, records: Sequence[Record], tools: Tools) -> list[Verdict]:
        """A group that the judge's server refuses (too long, mostly) must not take the other groups with it."""
        try:
            return await self._ranked(records, tools)
        except Rejected as error:
            return [self.verdict("abstain", f"judge_refused: {shown(str(error)) or 'the server will not read it'}")] * len(records)

    async def _ranked(self, records: Sequence[Record], tools: Tools) -> list[Verdict]:
        answers = [self._answer(record) for record in records]
        texts = list(dict.fromkeys(answers))
        if len(texts) > self.most:
            return [self.verdict("abstain", f"too_many: {len(texts)} answers to one prompt, at most {self.most}")] * len(records)
        if len(texts) == 1:
            best = self.verdict("keep", "", 1.0, rank=1, of=1)
            places: Mapping[str, Verdict] = {texts[0]: best}
        else:
            places = await self._placed(texts, records[0], tools)
        return [
            self.verdict("refuse", "same_text: as an answer before it", places[text].score)
            if text in answers[:at] and places[text].keep
            else places[text]
            for at, text in enumerate(answers)
        ]

    async def _placed(self, texts: list[str], record: Record, tools: Tools) -> dict[str, Verdict]:
        """A verdict for each text, from the mean of its places over all orders."""
        orders = [order for turn in range(self.orders // 2) for order in _both_ways(len(texts), turn, self.orders // 2)]
        asked = await asyncio.gather(*(self._asked(texts, order, record, at, tools) for at, order in enumerate(orders)))
        pairs = [(asked[at], asked[at + 1]) for at in range(0, len(asked), 2)]
        read = [one for pair in pairs if pair[0] is not None and pair[1] is not None for one in pair if one is not None]
        if not read:
            return dict.fromkeys(texts, self.verdict("abstain", f"unreadable_verdict: no ranking in {self.tries} replies of the judge"))
        means = [fmean(places.index(at) for places, _ in read) for at in range(len(texts))]
        evidence = {"of": len(texts), "why": read[0][1].reason, "judge": read[0][1].by}
        return {text: self._verdict(at, means, evidence) for at, text in enumerate(texts)}

    def _verdict(self, at: int, means: list[float], evidence: Mapping[str, object]) -> Verdict:
        before = sum(other < means[at] - 1e-9 for other in means)
        level = sum(abs(other - means[at]) <= 1e-9 for other in means)
        score = 1 - means[at] / (len(means) - 1)
        rank = before + 1
        if before + level <= self.keep:
            return self.verdict("keep", "", score, rank=rank, **evidence)
        if before >= self.keep:
            return self.verdict(
                "refuse", f"ranked_low: place {rank} of {len(means)}, the best {self.keep} stay", score, rank=rank, **evidence
            )
        text = f"undecided: {level} of {len(means)} answers share place {rank} when all orders are taken together"
        return self.verdict("abstain", text, score, rank=rank, **evidence)

    async def _asked(self, texts: list[str], order: list[int], record: Record, at: int, tools: Tools) -> tuple[list[int], Said] | None:
        """The texts' positions from the best to the last, of one order."""
        shown = [texts[place] for place in order]
        word = mark(tools, *shown)
        values = {
            "mark": word,
            "task": told(record.messages[:-1]),
            "gold": legible(record.answer or "") if self.reference else "",
            "candidates": "\n\n".join(f"[{word} {n} BEGINS]\n{text}\n[{word} {n} ENDS]" for n, text in enumerate(shown, 1)),
            "n": str(len(shown)),
            "names": ", ".join("N" for _ in shown),
        }
        numbers = {"type": "array", "items": {"type": "integer"}, "minItems": len(shown), "maxItems": len(shown)}
        found = await self.ask(
            tools, self.model, "judge.rank", values, ranking(len(shown)), path=f"rank.{at}", schema=schema(ranking=numbers)
        )
        return None if found is None else ([order[place] for place in found[0]], found[1])


def _group(record: Record) -> tuple[str, str]:
    """Records of one root seed with one prompt belong together."""
    return record.lineage[0].parent if record.lineage else "", told(record.messages[:-1])


def _both_ways(n: int, turn: int, turns: int) -> tuple[list[int], list[int]]:
    """An order and its reverse: over both, every place has the same mean."""
    start = turn * n // turns
    order = [(at + start) % n for at in range(n)]
    return order, order[::-1]
