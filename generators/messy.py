"""Questions as real people type them: typos, casing, emoji, slang, contradictions, missing facts (ours)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from ..core.backend import Capability, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import Record, assistant, user
from . import _mess
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._numbers import says, values
from ._overlap import grams, shared, units
from ._solving import Made, Solver, all_refused, each, material, question_of

Kind = Literal["typos", "casing", "emoji", "colloquial", "contradiction", "underspecified"]
FLAWED = ("contradiction", "underspecified")
"""Kinds after which the question has no answer any more."""
ABOUT = 0.5
"""Share of different words (Chinese: characters) that a flawed question has in common with the question at least."""
MESSAGE = Form((Part("message"),))
FLAW = Form((Part("flaw"), Part("message"), Part("reply")))
STYLE = {"en": "everyday English", "zh": "日常口语"}


class Messy(Generator):
    """Makes the seed's question messy in each of `kinds`, and answers it.

    `typos`, `casing` and `emoji` are done by program and touch no number: the gold answer holds. `colloquial` is written by the model,
    and must keep all numbers. `contradiction` and `underspecified` leave the question without an answer: the gold answer is dropped, and
    the record's reply is the one to give, which asks back. Where the recipe has `verify` and the seed a gold answer, a question whose
    answer holds is kept only if solving it reproduces the answer. Labels: `finish_reason`, `mess`, `expects` (`answer` or `clarification`).
    """

    prompts: ClassVar[tuple[str, ...]] = ("messy.colloquial", "messy.contradiction", "messy.underspecified", "cot.solve", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that writes, and answers unless `solver` is set."""
    solver: str = ""
    """The model that answers; by default the same."""
    kinds: tuple[Kind, ...] = Field(default=("typos", "casing", "emoji"), min_length=1)
    """What is done to the question; a record for each: `typos`, `casing`, `emoji`, `colloquial`, `contradiction`, `underspecified`."""
    share: float = Field(default=0.15, gt=0, le=1)
    """Share of the words of four letters or more that `typos` misspells; one at least."""
    style: str = ""
    """Of `colloquial`, in words: a dialect, an age, a place (`Scottish English`). Left out: everyday speech."""
    solves: PositiveInt = 2
    """Answers to a messy question at most, until the gold answer is reproduced."""
    verify: str = "math_answer"
    """The recipe's filter that compares answers; without it in the recipe, the first whole answer is taken."""
    probe: bool = True
    """Whether an `underspecified` question is solved once, and refused where the gold answer still comes out."""
    sampling: Sampling | None = None
    """Of writing, set over the model's own."""
    solving: Sampling | None = None
    """Of answering, set over the model's own."""

    def judges(self) -> tuple[str, ...]:
        return (self.verify,) if "verify" in self.model_fields_set and self.verify else ()

    def needs(self) -> dict[str, frozenset[Capability]]:
        return {name: frozenset({"chat"}) for name in (self.model, self.solver) if name}

    def calls_per_seed(self) -> float:
        cost = {"colloquial": 1 + self.solves, "contradiction": 1, "underspecified": 1 + self.probe}
        return float(sum(cost.get(kind, self.solves) for kind in dict.fromkeys(self.kinds)))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        kinds = list(dict.fromkeys(self.kinds))
        question = question_of(seed)
        solver = self._solver(seed, tools)
        make = {kind: self._flawed if kind in FLAWED else self._spoken if kind == "colloquial" else self._typed for kind in kinds}
        records, refused = await each([partial(make[kind], seed, question, kind, solver, tools) for kind in kinds])
        for record in records:
            yield record
        if refused:
            raise all_refused(refused, len(kinds))

    def _solver(self, seed: Record, tools: Tools) -> Solver:
        """Judges where it can: the recipe has the filter, and the seed an answer."""
        judging = bool(self.verify and seed.answer and tools.has_filter(self.verify))
        most = self.solves if judging else 1
        return Solver(self.part_name(), self.solver or self.model, most, 1, self.verify if judging else "", self.solving)

    async def _typed(self, seed: Record, question: str, kind: Kind, solver: Solver, tools: Tools) -> Record:
        rng = tools.rng(kind)
        match kind:
            case "typos":
                text = _mess.typos(question, rng, self.share)
            case "casing":
                text = _mess.casing(question, rng)
            case _:
                text = _mess.emoji(question, rng)
        if text == question:
            raise Refused("unchanged", f"{kind}: there is no word that may be changed in {question[:120]!r}")
        made = Made(text, seed.answer, f"{kind}.answer", None, (), seed.tests, (("operator", kind),), _labels(kind, "answer"))
        return await solver.reproduced(seed, made, tools)

    async def _spoken(self, seed: Record, question: str, kind: Kind, solver: Solver, tools: Tools) -> Record:
        style = self.style or STYLE.get(tools.language, STYLE["en"])
        got = await filled(
            tools,
            self.model,
            MESSAGE,
            "messy.colloquial",
            path=f"{kind}.write",
            sampling=self.sampling,
            question=material(question),
            style=style,
        )
        text = str(got.values["message"])
        if units(text) == units(question):
            raise Refused("unchanged", "the message is the question itself")
        if values(text) != values(question):
            raise Refused("number_changed", f"numbers before: {_told(question)}; after: {_told(text)}")
        detail = (("operator", kind), ("style", style))
        made = Made(text, seed.answer, f"{kind}.answer", got.wording, (got.reply,), seed.tests, detail, _labels(kind, "answer"))
        return await solver.reproduced(seed, made, tools)

    async def _flawed(self, seed: Record, question: str, kind: Kind, solver: Solver, tools: Tools) -> Record:
        """A question without an answer, and the reply that asks back."""
        got = await filled(
            tools, self.model, FLAW, f"messy.{kind}", path=f"{kind}.write", sampling=self.sampling, question=material(question)
        )
        text, reply = str(got.values["message"]), str(got.values["reply"])
        _check_flaw(kind, question, text)
        gold = (seed.answer or "").rpartition("####")[2].strip()
        if gold and says(reply, gold) and not says(text, gold):
            raise Refused("answered", "the reply gives the answer that the question no longer has")
        if "?" not in reply and "？" not in reply:
            raise Refused("asks_nothing", "the reply asks nothing, where only the person who asked can say what is right")
        if kind == "underspecified" and self.probe and solver.verify:
            probe = Made(text, seed.answer, f"{kind}.probe", got.wording)
            (tried,) = await solver.judged(await solver.solved(seed, probe, range(1), tools), tools)
            if tried.right:
                raise Refused("still_solvable", "solving it gives the gold answer: what was left out is not needed")
        return seed.derive(
            self.part_name(),
            (user(text), assistant(reply)),
            replies=[got.reply],
            prompt=got.wording.name,
            template=got.wording.template,
            labels={"finish_reason": got.reply.finish_reason, **dict(_labels(kind, "clarification"))},
            operator=kind,
            flaw=str(got.values["flaw"]),
        ).model_copy(update={"answer": None, "tests": None})


def _check_flaw(kind: str, question: str, text: str) -> None:
    """What a program can see of the flaw. Raises Refused."""
    before, after = values(question), values(text)
    if units(text) == units(question):
        raise Refused("unchanged", "the message is the question itself")
    if (same := shared(grams(text, 1), grams(question, 1))) < ABOUT:
        raise Refused("off_topic", f"only {same:.0%} of its words are the question's")
    if kind == "contradiction":
        if lost := before - after:
            raise Refused("number_changed", f"a fact was replaced, not contradicted: {', '.join(lost)} is gone")
        if not after - before:
            raise Refused("no_contradiction", "no second value was added")
    elif added := after - before:
        raise Refused("number_added", f"numbers that the question does not have: {', '.join(added)}")
    elif not before - after and len(units(text)) >= len(units(question)):
        raise Refused("nothing_left_out", "all numbers are there, and it is no shorter")


def _labels(kind: str, expects: str) -> tuple[tuple[str, str], ...]:
    return (("mess", kind), ("expects", expects))


def _told(text: str) -> str:
    return ", ".join(Counter(values(text)).elements()) or "none"
