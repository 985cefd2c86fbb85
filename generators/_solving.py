"""Solving a question that was made, in waves, to find out whether its gold answer is right: what the augment strategies share."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..core.backend import Reply, Sampling
from ..core.errors import Refused
from ..core.part import Rendered, Tools
from ..core.record import Label, Message, Record, user
from ._overlap import units
from ._turns import asked, replied, together, waves

T = TypeVar("T")

WAVE = (1, 1, 2)
"""Solutions asked at once, wave after wave; the last size repeats."""
_MARK = re.compile(r"<(?=\s*/?\s*problem\b)", re.IGNORECASE)
LONGEST_GOLD = 120
"""Characters of a reference answer that can be compared and put into a sentence."""


@dataclass(frozen=True, slots=True)
class Made:
    """A question that was made, with all that its records have to remember."""

    question: str
    gold: str | None
    path: str
    """Call path of its solutions, of this question alone."""
    wording: Rendered | None
    replies: tuple[Reply, ...] = ()
    """What was paid for before anyone solved it."""
    tests: str | None = None
    """The seed's tests, where they still hold."""
    detail: tuple[tuple[str, Any], ...] = ()
    labels: tuple[tuple[str, Label], ...] = ()


@dataclass(frozen=True, slots=True)
class Solution:
    """One solution of it. `flaw` is why it is not right, empty: it is, or nothing can tell."""

    sample: int
    record: Record
    flaw: str = ""
    unknown: bool = False
    got: str = ""
    """Its final answer, as the filter that judged it read it."""

    @property
    def right(self) -> bool:
        return not self.flaw and not self.unknown


@dataclass(frozen=True, slots=True)
class Solver:
    """Who solves, how often at most, and which filter of the recipe judges (empty: none does)."""

    by: str
    """The strategy's name, for the lineage."""
    model: str
    most: int
    agree: int = 1
    """Right solutions that are needed."""
    verify: str = ""
    sampling: Sampling | None = None

    async def reproduced(self, seed: Record, made: Made, tools: Tools) -> Record:
        """The first solution that reproduces the gold answer, once `agree` of them do.

        Labels `pass_rate` = `right` / `tried`. Without a filter: the first whole one. It stops when that can no longer be reached. Raises
        Refused(`not_reproduced`), or with the flaw that all have in common (`cut`, `no_answer`).
        """
        found: list[Solution] = []
        need = self.agree if self.verify else 1
        for wave in waves(self.most, WAVE):
            found += await self.judged(await self.solved(seed, made, wave, tools), tools)
            right = sum(one.right for one in found)
            if right >= need or right + self.most - len(found) < need:
                break
            if all(one.unknown for one in found):
                raise Refused("undecided", f"{self.verify} cannot tell whether a solution reproduces {made.gold!r}")
        right = sum(one.right for one in found)
        if right < need:
            flaw, _ = Counter(one.flaw for one in found if one.flaw).most_common(1)[0]
            common = flaw if flaw in ("cut", "no_answer") and all(one.flaw == flaw for one in found) else "not_reproduced"
            raise Refused(common, f"{right} of {len(found)} solutions reproduce the answer, {need} are needed; most often: {flaw}")
        first = next(one for one in found if one.right).record
        return labelled(first, {"pass_rate": right / len(found), "right": right, "tried": len(found)} if self.verify else {})

    async def solved(self, seed: Record, made: Made, wave: range, tools: Tools) -> list[Solution]:
        """Solutions, all asked at once, before anyone judges them."""
        return await together([self._solution(seed, made, sample, tools) for sample in wave])

    async def judged(self, found: Sequence[Solution], tools: Tools) -> list[Solution]:
        """The same ones with what the filter says; it does not see those that are cut or empty."""
        whole = [one for one in found if not one.flaw]
        if not self.verify or not whole:
            return list(found)
        verdicts = await tools.judge(self.verify, [one.record for one in whole])
        told: dict[int, Solution] = {}
        for one, verdict in zip(whole, verdicts, strict=True):
            flaw = (verdict.reason or self.verify) if verdict.outcome == "refuse" else ""
            got = str(verdict.evidence.get("got") or "")
            told[one.sample] = replace(one, flaw=flaw, unknown=verdict.outcome == "abstain", got=got)
        return [told.get(one.sample, one) for one in found]

    async def _solution(self, seed: Record, made: Made, sample: int, tools: Tools) -> Solution:
        asking = tools.render("cot.solve", problem=made.question)
        reply = await tools.model(self.model).chat((user(asking.text),), path=made.path, sample=sample, sampling=self.sampling)
        said = replied(reply)
        flaw = "cut" if reply.finish_reason == "length" else "" if said.text else "no_answer"
        return Solution(sample, self._record(seed, made, asking, said, reply, sample), flaw)

    def _record(self, seed: Record, made: Made, solving: Rendered, said: Message, reply: Reply, sample: int) -> Record:
        wording = made.wording or solving
        return seed.derive(
            self.by,
            (user(made.question), said),
            replies=(*made.replies, reply),
            prompt=wording.name,
            template=wording.template,
            labels={"finish_reason": reply.finish_reason, **dict(made.labels)},
            answer=made.gold,
            sample=sample,
            **dict(made.detail),
        ).model_copy(update={"tests": made.tests})


def question_of(seed: Record) -> str:
    """The seed's one question. Raises Refused(`not_one_question`): a dialogue or a picture cannot be rewritten as a text alone."""
    turns = asked(seed)
    if not isinstance(turns[-1].content, str) or any(turn.role != "system" for turn in turns[:-1]):
        raise Refused("not_one_question", "the seed is a dialogue or holds media; this strategy takes one question in text")
    return turns[-1].text.strip()


def material(text: str) -> str:
    """The text as it stands between the marks of a wording, which it cannot close."""
    return _MARK.sub("< ", text)


def gold_of(seed: Record) -> str:
    """The seed's reference answer: what stands behind `####`, or the first of a JSON list. Raises Refused(`no_gold`)."""
    text = (seed.answer or "").rpartition("####")[2].strip()
    if text.startswith('["'):
        try:
            text = str(json.loads(text)[0]).strip()
        except (ValueError, IndexError):
            text = ""
    if not text or len(text) > LONGEST_GOLD or "\n" in text:
        why = "has no reference answer" if not text else "has a reference answer that is a text, not a final answer"
        raise Refused("no_gold", f"the seed {why}; name its column with `seeds: {{fields: {{answer: COLUMN}}}}`")
    return text


def labelled(record: Record, labels: dict[str, Label]) -> Record:
    return record.model_copy(update={"labels": {**record.labels, **labels}})


async def each(makes: Sequence[Callable[[], Awaitable[T]]]) -> tuple[list[T], list[Refused]]:
    """What independent attempts made, all at once and in order, and why the others came to nothing: one refusal ends no other."""
    ended = await together([_ended(make) for make in makes])
    return [one for one in ended if not isinstance(one, Refused)], [one for one in ended if isinstance(one, Refused)]


async def _ended(make: Callable[[], Awaitable[T]]) -> T | Refused:
    try:
        return await make()
    except Refused as refused:
        return refused


def distinct(written: Sequence[Made]) -> tuple[list[Made], list[Refused]]:
    """Each question once, and a refusal for each repetition."""
    new: dict[tuple[str, ...], Made] = {}
    repeated = [one for one in written if new.setdefault(tuple(units(one.question)), one) is not one]
    return list(new.values()), [Refused("duplicate", f"the same question twice: {one.question[:120]!r}") for one in repeated]


def all_refused(refused: Sequence[Refused], of: int) -> Refused:
    """One refusal for those attempts of a seed that came to nothing: the commonest reason, all of them counted."""
    counted = Counter(one.reason for one in refused)
    reason = counted.most_common(1)[0][0]
    told = ", ".join(f"{name} {count}" for name, count in counted.most_common())
    first = next(one for one in refused if one.reason == reason)
    return Refused(reason, f"{len(refused)} of {of} came to nothing ({told}); the first: {first}")
