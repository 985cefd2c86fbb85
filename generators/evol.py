"""Harder and rarer questions out of given ones, round after round (Evol-Instruct, WizardLM, arXiv 2304.12244)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from ..core.backend import Capability, Reply, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Rendered, Tools
from ..core.record import Message, Record, user
from ._elimination import check_answer, check_matter, check_question
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._method import method_of
from ._overlap import grams, jaccard, longest_run
from ._solving import all_refused, each, material, question_of
from ._turns import asked, replied

Operator = Literal["constraints", "deepen", "concretise", "steps", "input"]
OPERATORS: tuple[Operator, ...] = ("constraints", "deepen", "concretise", "steps", "input")
BREADTH = "breadth"
METHOD = "method"
FORM = Form((Part("plan", required=False), Part("question")))
GAIN = Form((Part("reason", required=False), Part("verdict", "choice", ("same", "new", "broken"))))
COPIED = 8
"""Words in a row of the wording (its example is part of it) from which a question is a copy of it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A question on its way: the seed's own (round 0), or what a round made of the one before."""

    text: str
    round: int = 0
    depth: int = 0
    operators: tuple[str, ...] = ()
    """What made it of the seed's question, in order."""
    earlier: tuple[str, ...] = ()
    """The texts that it comes from, the seed's first."""
    wording: Rendered | None = None
    replies: tuple[Reply, ...] = ()
    """All calls that led to it."""


class Evol(Generator):
    """Evolves the seed's question through `rounds`, each with another operator on what the last one made, and answers what came out.

    A round that fails leaves the question as it was for the next one, and is counted by its reason. Each record is a question and its
    answer, without the seed's reference answer and tests, which no longer hold. Labels: `finish_reason`, `depth` (in-depth rounds that
    it has behind it), `operator`.
    """

    prompts: ClassVar[tuple[str, ...]] = (*(f"evol.{name}" for name in (*OPERATORS, BREADTH, METHOD, "gain")), *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=1.0, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that evolves."""
    responder: str = ""
    """The model that answers; by default the same."""
    judge: str = ""
    """The model of `equal_check`; by default the one that evolves."""
    rounds: int = Field(default=3, ge=1, le=12)
    """How often the question is evolved; the failed rounds count."""
    operators: tuple[Operator, ...] = Field(default=OPERATORS, min_length=1)
    """In-depth ones: add `constraints`, `deepen`, `concretise`, more `steps` of reasoning, an `input` to be read. None twice on
    the same text before all have been tried on it."""
    method: str = ""
    """A file with a method of making questions harder, in your words (or, `.jsonl`, as the `text` of its last line), which takes the
    place of the in-depth operators."""
    breadth: float = Field(default=0.17, ge=0, le=1)
    """Share of rounds that write a new, rarer question of the same field instead; against collapse into one kind."""
    yields: Literal["all", "last"] = "all"
    """`all`: the question of every round that succeeded; `last`: only the last one whose answer stands."""
    respond: bool = True
    """Whether they are answered; `false` gives bare questions, as seeds for the next stage."""
    equal_check: bool = False
    """Whether a model judges each new question: one that asks for nothing new is `no_gain`, one that makes no sense `broken`."""
    alike: float = Field(default=0.9, gt=0, le=1)
    """Share of common word pairs with a text it comes from, from which a question is none of its own."""
    growth: float = Field(default=3.0, gt=1)
    """Length in words that a round may make of its question, times the one before (of at least 20)."""
    sampling: Sampling | None = None
    """Of evolving, set over the model's own."""
    judging: Sampling = Sampling(temperature=0)
    """Of `equal_check`, set over the model's own."""
    answering: Sampling | None = None
    """Of answering, set over the model's own."""

    _method: str = PrivateAttr(default="")
    _method_hash: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        if self.method and self.operators != OPERATORS:
            raise ValueError("`method` takes the place of `operators`: leave one of them out")
        self._method, self._method_hash = method_of(self.method, info)
        return self

    def reads(self) -> Mapping[str, str]:
        return {"method": self._method_hash} if self.method else {}

    def needs(self) -> dict[str, frozenset[Capability]]:
        used = (self.model, self.responder if self.respond else "", self.judge if self.equal_check else "")
        return {name: frozenset({"chat"}) for name in used if name}

    def calls_per_seed(self) -> float:
        return float(self.rounds * (1 + self.respond + self.equal_check))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        before, question = asked(seed)[:-1], question_of(seed)
        made, failed = await self._evolved(Stage(question), tools)
        for waiting in [made] if self.yields == "all" else [[stage] for stage in reversed(made)]:
            records, unanswered = await each([partial(self._record, seed, before, stage, tools) for stage in waiting])
            failed += unanswered
            for record in records:
                yield record
            if records:
                break
        if failed:
            raise all_refused(failed, self.rounds)

    async def _evolved(self, stage: Stage, tools: Tools) -> tuple[list[Stage], list[Refused]]:
        """What each round made, and why the others came to nothing."""
        made: list[Stage] = []
        failed: list[Refused] = []
        tried: set[str] = set()
        for number in range(1, self.rounds + 1):
            operator = self._drawn(number, tried, tools)
            tried.add(operator)
            evolved, refused = await each([partial(self._round, stage, number, operator, tools)])
            failed += refused
            if evolved:
                stage, tried = evolved[0], set()
                made += evolved
        return made, failed

    def _drawn(self, number: int, tried: set[str], tools: Tools) -> str:
        """The operator of a round: one that was not tried on this text, while there is one."""
        rng = tools.rng(f"round{number}")
        depth: Sequence[str] = () if self.breadth == 1 else (METHOD,) if self.method else self.operators
        untried = [name for name in depth if name not in tried]
        wide = rng.random() < self.breadth
        if self.breadth and BREADTH not in tried and (wide or not untried):
            return BREADTH
        return rng.choice(untried or depth or (BREADTH,))

    async def _round(self, parent: Stage, number: int, operator: str, tools: Tools) -> Stage:
        """The question that one operator makes of another. Raises Refused where it counts as failed."""
        wording, path = f"evol.{operator}", f"round{number}.{operator}"
        more: dict[str, Any] = {"method": material(self._method)} if operator == METHOD else {}
        got = await filled(tools, self.model, FORM, wording, path=path, sampling=self.sampling, question=material(parent.text), **more)
        text = str(got.values["question"])
        self._checked(parent, text, operator, tools.render(wording, question="", form="", **more).text)
        stage = Stage(
            text,
            number,
            parent.depth + (operator != BREADTH),
            (*parent.operators, operator),
            (*parent.earlier, parent.text),
            got.wording,
            (*parent.replies, got.reply),
        )
        return await self._gained(stage, tools) if self.equal_check else stage

    def _checked(self, parent: Stage, text: str, operator: str, request: str) -> None:
        """The rules; `request` is the wording without the question. Raises Refused where the text counts as failed."""
        check_question(parent.text, text, alike=self.alike, growth=self.growth)
        for other in parent.earlier:
            if jaccard(grams(text, 2), grams(other, 2)) >= self.alike:
                raise Refused("near_duplicate", "it goes back to an earlier text")
        if (run := longest_run(text, request)).words >= COPIED > longest_run(parent.text, request).words:
            raise Refused("scaffolding", f"it copies {run.text[:120]!r} from the wording of the request")
        if operator != BREADTH:
            check_matter(parent.text, text)

    async def _gained(self, stage: Stage, tools: Tools) -> Stage:
        """The same stage, with what the judge cost. Raises Refused(`no_gain`, `broken`), or `unjudged` where the judge's reply cannot be read."""
        model, parent = self.judge or self.model, stage.earlier[-1]
        call = partial(
            filled, tools, model, GAIN, "evol.gain", path=f"round{stage.round}.gain", sampling=self.judging,
            question=material(parent), evolved=material(stage.text),
        )  # fmt: skip
        judged, unread = await each([call])
        if unread:
            raise Refused("unjudged", f"the judge of what was gained: {unread[0]}")
        if (verdict := judged[0].values["verdict"]) != "new":
            raise Refused("no_gain" if verdict == "same" else "broken", str(judged[0].values["reason"] or "the judge gave no reason")[:200])
        return replace(stage, replies=(*stage.replies[:-1], judged[0].reply, stage.replies[-1]))  # the last one wrote the text

    async def _record(self, seed: Record, before: Sequence[Message], stage: Stage, tools: Tools) -> Record:
        """The question with its answer. Raises Refused where the answer counts as failed."""
        turns, replies = (*before, user(stage.text)), stage.replies
        if self.respond:
            model = tools.model(self.responder or self.model)
            reply = await model.chat(turns, path=f"round{stage.round}.answer", sampling=self.answering)
            turns, replies = (*turns, _answer(stage.text, reply)), (*replies, reply)
        assert stage.wording is not None, "a stage behind the seed's was asked for with a wording"
        record = seed.derive(
            self.part_name(),
            turns,
            replies=replies,
            prompt=stage.wording.name,
            template=stage.wording.template,
            labels={"finish_reason": replies[-1].finish_reason, "depth": stage.depth, "operator": stage.operators[-1]},
            round=stage.round,
            depth=stage.depth,
            operators=list(stage.operators),
            parent_text=_hash(stage.earlier[-1]),
            **({"method": self._method_hash} if METHOD in stage.operators else {}),
        )
        return record.model_copy(update={"answer": None, "tests": None})


def _answer(question: str, reply: Reply) -> Message:
    """The reply as a turn. Raises Refused where it is cut or empty, or counts as failed."""
    said = replied(reply)
    if reply.finish_reason == "length":
        raise Refused("cut", "the answer reached the token limit")
    if not said.text.strip():
        raise Refused("empty_answer", f"finish reason {reply.finish_reason}")
    check_answer(question, said.text)
    return said


def _hash(text: str) -> str:
    """16 hex digits that tell a text apart."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
