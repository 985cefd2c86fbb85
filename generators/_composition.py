"""A text that has to hold many words and keep to constraints: written in parts, merged, checked by program, and mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ..core.backend import Reply
from ..core.errors import RecipeError, Refused
from ..core.part import Rendered, Tools
from ..core.record import Record, assistant, user
from ..formats.constraints import Constraint, conflicts, describe, draw, dump
from ._branching import Caller
from ._concepts import concepts_of, grouped, missing
from ._forms import Field as Part
from ._forms import Filled, Form
from ._marked import sealed
from ._solving import question_of
from ._turns import together

GROUPS = ("first_group", "second_group", "third_group", "fourth_group", "fifth_group", "sixth_group")
TEXT = Form((Part("text"),))


@dataclass(frozen=True, slots=True)
class Request:
    """What a text has to do."""

    task: str
    concepts: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    """Those that were added."""
    own: bool
    """Whether the seed has constraints of its own."""
    wording: Rendered
    text: str
    """As the record has it."""
    tests: str | None

    @property
    def checked(self) -> bool:
        """Whether there is something for `instructions` to check."""
        return self.own or self.tests is not None


@dataclass(frozen=True, slots=True)
class Draft:
    """A merged or mended text, and what it misses."""

    record: Record
    text: str
    flaws: tuple[str, ...] = ()
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Composition:
    """How a text is written in parts."""

    by: str
    caller: Caller
    column: str
    groups: int
    exact: bool
    constraints: int
    kinds: tuple[str, ...]
    repairs: int

    async def written(self, seed: Record, tools: Tools) -> Record:
        """The request and a text in which nothing is missed.

        Raises Refused: of the seed `not_one_question`, `no_concepts`, `too_many_concepts`, `long_concept`; of the division as `grouped` does;
        of the text `undecided`, `missed`; and as the forms do. Raises RecipeError where nothing in the recipe checks the seed's constraints.
        """
        asked = self._request(seed, tools)
        topic, groups, replies = await self._grouped(asked, tools)
        made = await together([self._part(asked, topic, group, at, tools) for at, group in enumerate(groups)])
        replies += [one.reply for one in made]
        texts = [str(one.values["text"]) for one in made]
        detail = {
            "operator": "constrained",
            "topic": topic,
            "groups": [list(group) for group in groups],
            "parts": [_hash(text) for text in texts],
        }
        best = first = await self._checked(seed, asked, await self._merged(asked, texts, tools), replies, detail, tools)
        rounds = 0
        while best.missed and rounds < self.repairs:
            rounds += 1
            draft = await self._checked(
                seed, asked, await self._mended(asked, best, rounds, tools), replies, {**detail, "round": rounds}, tools
            )
            best = draft if draft.missed < best.missed else best
        if best.missed:
            raise Refused("missed", f"{best.missed} of what was asked, after {rounds} repairs: {' '.join(best.flaws)}"[:600])
        labels = {
            "concepts": len(asked.concepts),
            "constraints": len(asked.constraints),
            "missed_at_merge": first.missed,
            "repairs": rounds,
        }
        return best.record.model_copy(update={"labels": {**best.record.labels, **labels}})

    def _request(self, seed: Record, tools: Tools) -> Request:
        task, concepts = question_of(seed), concepts_of(seed, self.column, self.groups)
        wording = tools.render("bsm.request", task=task, words=_listed(concepts, tools))
        own = seed.tests is not None or "instruction_id_list" in seed.fields
        if own and not tools.has_filter("instructions"):
            raise RecipeError("the seeds have constraints of their own: add `- use: instructions` to the filters", where="generate.bsm")
        fixed = Constraint(id="keywords:existence", kwargs={"keywords": list(concepts)})
        drawn = [] if own else self._drawn(fixed, task, tools)
        added = (*drawn, fixed) if self.exact and not own else tuple(drawn)
        gap = "" if tools.language == "zh" else " "
        text = gap.join([wording.text, *(describe(one, tools.language) for one in drawn)])
        return Request(task, concepts, added, own, wording, text, seed.tests if own else dump(added) if added else None)

    def _drawn(self, fixed: Constraint, task: str, tools: Tools) -> list[Constraint]:
        """Constraints that can all be kept, together with the words."""
        rng = tools.rng("constraints")
        drawn = draw(rng, len(self.kinds), language=tools.language, words=fixed.kwargs["keywords"], ids=self.kinds, prompt=task)
        return [one for one in drawn if not conflicts(one, fixed)][: self.constraints]

    async def _grouped(self, asked: Request, tools: Tools) -> tuple[str, tuple[tuple[str, ...], ...], list[Reply]]:
        names = GROUPS[: self.groups]

        def read(values: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
            return grouped([values[name] for name in names], asked.concepts)

        form = Form((Part("topic"), *(Part(name, "texts") for name in names)))
        words, task = sealed("\n".join(asked.concepts), "words"), sealed(asked.task, "task")
        split = await self.caller.divided(tools, form, "bsm.groups", read, task=task, words=words, count=str(self.groups))
        return str(split.got.values["topic"]), split.parts, list(split.replies)

    async def _part(self, asked: Request, topic: str, group: Sequence[str], at: int, tools: Tools) -> Filled:
        task, about, words = sealed(asked.task, "task"), sealed(topic, "topic"), sealed("\n".join(group), "words")
        return await self.caller.ask(tools, TEXT, "bsm.part", f"solve{at}", task=task, topic=about, words=words)

    async def _merged(self, asked: Request, texts: Sequence[str], tools: Tools) -> Filled:
        parts = "\n\n".join(f"{at}. {text}" for at, text in enumerate(texts, 1))
        return await self.caller.ask(tools, TEXT, "bsm.merge", "merge", parts=sealed(parts, "parts"), request=sealed(asked.text, "request"))

    async def _mended(self, asked: Request, draft: Draft, number: int, tools: Tools) -> Filled:
        flaws = "\n".join(f"- {flaw}" for flaw in draft.flaws)
        text, request = sealed(draft.text, "text"), sealed(asked.text, "request")
        return await self.caller.ask(tools, TEXT, "bsm.repair", f"repair{number}", text=text, request=request, flaws=flaws)

    async def _checked(
        self, seed: Record, asked: Request, got: Filled, replies: list[Reply], detail: Mapping[str, Any], tools: Tools
    ) -> Draft:
        """The text with all that it misses, as the checks say. Raises Refused(`undecided`) where they cannot."""
        replies.append(got.reply)
        text = str(got.values["text"])
        record = self._record(seed, asked, text, replies, detail)
        lost = self._lost(text, asked)
        flaws, missed = ([tools.render("bsm.lost", words=_listed(lost, tools)).text] if lost else []), len(lost)
        if asked.checked:
            (verdict,) = await tools.judge("instructions", [record])
            if verdict.outcome == "abstain":
                raise Refused("undecided", f"`instructions` cannot tell: {verdict.reason}")
            if verdict.outcome == "refuse":
                told = str(verdict.evidence.get("flaws") or verdict.reason)
                flaws += [describe(one, tools.language) for one in asked.constraints if one.id in told] or [told]
                missed += max(1, int(verdict.evidence.get("asked", 1)) - int(verdict.evidence.get("followed", 0)))
        return Draft(record, text, tuple(flaws), missed)

    def _lost(self, text: str, asked: Request) -> list[str]:
        """Words that are not there; those that `instructions` looks for are left to it."""
        if not self.exact:
            return missing(text, asked.concepts)
        return [word for word in asked.concepts if word.casefold() not in text.casefold()] if asked.own else []

    def _record(self, seed: Record, asked: Request, text: str, replies: Sequence[Reply], detail: Mapping[str, Any]) -> Record:
        own = tuple(turn for turn in seed.messages if turn.role == "system")
        return seed.derive(
            self.by,
            (*own, user(asked.text), assistant(text)),
            replies=replies,
            prompt=asked.wording.name,
            template=asked.wording.template,
            labels={"finish_reason": replies[-1].finish_reason},
            **detail,
        ).model_copy(update={"tests": asked.tests})


def _listed(words: Sequence[str], tools: Tools) -> str:
    return ("、" if tools.language == "zh" else ", ").join(words)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
