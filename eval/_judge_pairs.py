"""Comparing two answers: both orders are judged, and where they disagree the order decided, so it is a tie."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from ..core.part import Tools
from ..core.record import Message, Preference, Record, Verdict, assistant, user
from ._judge_reply import Winner
from ._judge_text import legible, said, told
from ._judging import Judging
from ._parts import shown

PREFERRED: Mapping[Winner, str] = {"a": "chosen", "b": "rejected", "tie": "tie"}
SCORES: Mapping[Winner, float] = {"a": 1.0, "tie": 0.5, "b": 0.0}


class Pair(NamedTuple):
    """Two answers to one task; `a` is the one that is expected to be better."""

    task: str
    a: str
    b: str
    gold: str
    kind: Literal["preference", "reference"]

    def shown(self, swapped: bool) -> dict[str, str]:
        """The answers as A and B of the wording."""
        first, second = (self.b, self.a) if swapped else (self.a, self.b)
        return {"task": self.task, "a": first, "b": second}


class Found(NamedTuple):
    """What two judgements, one in each order, came to; None where a reply could not be read. Winners are the pair's own."""

    first: Winner | None
    second: Winner | None
    evidence: Mapping[str, Any]
    trouble: str = ""


def unswapped(winner: Winner) -> Winner:
    """The winner in the pair's own letters, of a judgement in the other order."""
    named: Mapping[Winner, Winner] = {"a": "b", "b": "a", "tie": "tie"}
    return named[winner]


class PairJudging(Judging):
    """A judge that compares two answers."""

    batch: ClassVar[int] = 16

    on_tie: Literal["auto", "keep", "refuse"] = "auto"
    """What a tie means; `auto`: a pair is refused (it teaches nothing), an answer level with its reference stays."""
    reference: str = "answer"
    """What the answer of a record that is no pair is compared with: `answer`, or a further column."""

    @abstractmethod
    async def compared(self, pair: Pair, tools: Tools) -> Found:
        """Judge the pair in both orders."""

    def probe(self, task: str, answer: str, good: str) -> tuple[Record, ...]:
        pair = Preference(prompt=(user(task),), chosen=(assistant(answer),), rejected=(assistant(good),))
        return (Record(content=pair),) if answer != good else (_against_a_bad_one(task, good),)

    async def judged(self, record: Record, tools: Tools) -> Verdict:
        pair = self.oversized(record) or self._pair(record)
        if isinstance(pair, Verdict):
            return pair
        if (longest := max(len(pair.task), len(pair.a), len(pair.b), len(pair.gold))) > self.max_chars:
            return self.verdict("abstain", f"too_long: {longest:,} characters, at most {self.max_chars:,}")
        if self.hollow(pair.a):
            text = "too_little_text: nothing but punctuation or phrases that promise an answer"
            return self.verdict("refuse", text, 0.0, preferred="rejected")
        if self.hollow(pair.b):
            return self.verdict("keep", "", 1.0, preferred="chosen", why="the other one says nothing")
        if pair.a == pair.b:
            return self._decided(pair, "tie", {"why": "both say the same"})
        found = await self.compared(pair, tools)
        if found.first is None or found.second is None:
            text = found.trouble or f"unreadable_verdict: no winner in {self.tries} replies of the judge"
            return self.verdict("abstain", text, **found.evidence)
        orders = {"orders": [PREFERRED[found.first], PREFERRED[found.second]], **found.evidence}
        return self._decided(pair, found.first if found.first == found.second else "tie", orders)

    def _decided(self, pair: Pair, winner: Winner, evidence: Mapping[str, Any]) -> Verdict:
        evidence = {"preferred": PREFERRED[winner], **evidence}
        tie_stays = self.on_tie == "keep" or (self.on_tie == "auto" and pair.kind == "reference")
        if winner == "a" or (winner == "tie" and tie_stays):
            return self.verdict("keep", "", SCORES[winner], **evidence)
        orders = evidence.get("orders", ["tie", "tie"])
        if winner == "tie":
            text = "tie: the verdict changes with the order of the answers" if orders[0] != orders[1] else "tie: neither is better"
            return self.verdict("refuse", text, 0.5, **evidence)
        worse = "prefers_rejected" if pair.kind == "preference" else "worse_than_reference"
        return self.verdict("refuse", f"{worse}: {shown(str(evidence.get('why', ''))) or 'in both orders'}", 0.0, **evidence)

    def _pair(self, record: Record) -> Pair | Verdict:
        content = record.content
        if isinstance(content, Preference):
            gold = legible(record.answer or "")
            return Pair(told(content.prompt), self._told(content.chosen), self._told(content.rejected), gold, "preference")
        other = record.answer if self.reference == "answer" else record.fields.get(self.reference)
        if record.response is None:
            return self.verdict("abstain", "nothing_to_judge: neither a pair nor an answer")
        if other is None or not str(other).strip():
            return self.verdict("abstain", f"no_reference: nothing in `{self.reference}` to compare the answer with")
        answer = said(record.response, thinking=self.thinking)
        return Pair(told(record.messages[:-1]), answer, legible(str(other)), "", "reference")

    def _told(self, turns: Sequence[Message]) -> str:
        """One side of a pair: the closing answer alone, or all turns where there are several."""
        if len(turns) == 1:
            return said(turns[0], thinking=self.thinking)
        return told(turns)


def _against_a_bad_one(task: str, good: str) -> Record:
    """A right answer that is compared with nonsense."""
    return Record(content=Preference(prompt=(user(task),), chosen=(assistant(good),), rejected=(assistant("Bananas. asdf qwer."),)))
