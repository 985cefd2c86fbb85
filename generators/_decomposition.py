"""A problem in parts: whether they are parts of it, and how they are solved and made one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ..core.backend import Reply
from ..core.errors import Refused
from ..core.part import Rendered, Tools
from ..core.record import Message, Record, user
from ._branching import Caller
from ._forms import Field as Part
from ._forms import Filled, Form
from ._marked import sealed
from ._numbers import values as numbers
from ._overlap import grams, jaccard, units
from ._solving import question_of
from ._turns import replied, together

PARTS = Form((Part("parts", "texts"),))
FOUND = Form((Part("working", required=False), Part("finding")))
ALIKE = 0.8
"""Share of common bigrams from which two parts ask the same."""
WHOLE = 0.9
"""Share of the problem's trigrams from which a part is the problem."""


def distinct_parts(parts: Sequence[str], question: str, most: int, *, cover: bool) -> tuple[str, ...]:
    """The parts, once it is sure that they are some. `cover`: each number of the problem stands in one of them.

    Raises Refused: `too_few_parts`, `too_many_parts`, `part_is_whole`, `overlapping_parts`, `incomplete_parts`.
    """
    told = tuple(part.strip() for part in parts if units(part))
    if len(told) < 2:
        raise Refused("too_few_parts", f"{len(told)} of them make no division")
    if len(told) > most:
        raise Refused("too_many_parts", f"{len(told)} parts, at most {most}")
    whole = grams(question, 3)
    for part in told:
        if len(whole & grams(part, 3)) >= WHOLE * max(1, len(whole)):
            raise Refused("part_is_whole", f"a part repeats the whole problem: {part[:120]!r}")
    for one, other in combinations(told, 2):
        if numbers(one) == numbers(other) and jaccard(grams(one, 2), grams(other, 2)) >= ALIKE:
            raise Refused("overlapping_parts", f"two parts ask the same: {one[:120]!r}")
    if lost := sorted(set(numbers(question)) - {number for part in told for number in numbers(part)}) if cover else []:
        raise Refused("incomplete_parts", f"no part uses {', '.join(lost[:10])}")
    return told


@dataclass(frozen=True, slots=True)
class Decomposition:
    """How a problem is worked on in parts."""

    by: str
    caller: Caller
    most: int
    chain: bool
    cover: bool
    keep_parts: bool

    async def solved(self, seed: Record, tools: Tools) -> Record:
        """The question with an answer that is written from what was found in parts.

        Raises Refused as `distinct_parts` and the forms do, and `cut`, `empty_answer` for the answer itself.
        """
        question = question_of(seed)

        def read(values: Mapping[str, Any]) -> tuple[str, ...]:
            return distinct_parts(values["parts"], question, self.most, cover=self.cover)

        wording = "bsm.sequence" if self.chain else "bsm.split"
        split = await self.caller.divided(tools, PARTS, wording, read, question=sealed(question, "problem"), most=str(self.most))
        found = await self._found(question, split.parts, tools)
        told = "\n".join(f"{at}. {part}\n{one.values['finding']}" for at, (part, one) in enumerate(zip(split.parts, found, strict=True), 1))
        merging = tools.render("bsm.answer", question=question, findings=sealed(told, "notes"))
        reply = await tools.model(self.caller.model).chat((user(merging.text),), path="merge", sampling=self.caller.sampling)
        said = self._answer(reply, told)
        replies = [*split.replies, *(one.reply for one in found), reply]
        return self._record(seed, said, replies, split.got.wording, split.parts)

    async def _found(self, question: str, parts: Sequence[str], tools: Tools) -> list[Filled]:
        """What each part comes to: all at once, or in turn with what was found before."""
        if not self.chain:
            return await together([self._part(question, part, "-", at, tools) for at, part in enumerate(parts)])
        found: list[Filled] = []
        for at, part in enumerate(parts):
            before = "\n".join(str(one.values["finding"]) for one in found) or "-"
            found.append(await self._part(question, part, before, at, tools))
        return found

    async def _part(self, question: str, part: str, before: str, at: int, tools: Tools) -> Filled:
        problem, known, mine = sealed(question, "problem"), sealed(before, "found"), sealed(part, "part")
        return await self.caller.ask(tools, FOUND, "bsm.solve", f"solve{at}", question=problem, found=known, part=mine)

    def _answer(self, reply: Reply, told: str) -> Message:
        said = replied(reply)
        if reply.finish_reason == "length":
            raise Refused("cut", "the answer reached the token limit before it was whole")
        if not said.text:
            raise Refused("empty_answer", f"finish reason {reply.finish_reason}")
        return said.model_copy(update={"reasoning": told}) if self.keep_parts else said

    def _record(self, seed: Record, said: Message, replies: Sequence[Reply], wording: Rendered, parts: Sequence[str]) -> Record:
        own = tuple(turn for turn in seed.messages if turn.role == "system")
        return seed.derive(
            self.by,
            (*own, user(question_of(seed)), said),
            replies=replies,
            prompt=wording.name,
            template=wording.template,
            labels={"finish_reason": replies[-1].finish_reason, "parts": len(parts)},
            operator="chain" if self.chain else "problem",
            parts=list(parts),
        )
