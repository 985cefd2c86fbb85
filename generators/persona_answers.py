"""One question answered by several people, each from a point of view of their own (ours; personas after arXiv 2406.20094)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ..core.backend import Reply, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Rendered, Tools
from ..core.record import Message, Record, system
from ..personas.composed import Persona
from ..personas.listed import Listed
from ..personas.panel import PANEL
from ._overlap import grams, shared
from ._persona_checks import unleaked
from ._personas import Personas, several
from ._turns import asked, led_by, replied, together

GRAM = 3
"""Units of an n-gram by which answers are compared."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of them said."""

    sample: int
    who: Persona
    wording: Rendered
    reply: Reply
    said: Message


class PersonaAnswers(Generator):
    """Lets `k` different people answer the seed's question, all at once. An answer that mostly repeats an earlier one is left out.

    Label `distinct`: 1 minus the largest share of trigrams that the answer has in common with another one.
    """

    prompts: ClassVar[tuple[str, ...]] = ("persona_answers.role",)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that answers."""
    personas: Personas = None
    """Who answers. Left out: a panel of twelve points of view (teacher, doctor, sceptic, engineer ...)."""
    k: int = Field(default=4, ge=1, le=64)
    """How many of them, drawn anew for each question."""
    keep_persona: bool = True
    """Whether the point of view stays in the record, as its system turn. `false`: the record is the bare question and answer,
    and an answer that gives its persona away is refused."""
    max_shared: float = Field(default=0.6, gt=0, le=1)
    """Share of common trigrams with an earlier answer from which an answer is `near_equal`."""
    leak: int = Field(default=6, ge=2)
    """Without `keep_persona`: words in a row that an answer may share with its persona at most."""
    sampling: Sampling | None = None
    """Set over the model's own."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        there = len(PANEL) if self.personas is None else len(self.personas) if isinstance(self.personas, Listed) else self.k
        if self.k > there:
            raise ValueError(f"`k: {self.k}` different personas of {there}: lower `k`, or give more `personas`")
        return self

    def reads(self) -> dict[str, str]:
        return dict(self.personas.reads()) if isinstance(self.personas, Listed) else {}

    def calls_per_seed(self) -> float:
        return float(self.k)

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        turns = asked(seed)
        people = several(self.personas, self.k, tools)
        answers = await together([self._answer(turns, sample, who, tools) for sample, who in enumerate(people)])
        kept, dropped = self._kept(answers)
        for answer, distinct in kept:
            yield self._record(seed, turns, answer, distinct)
        if dropped:
            told = ", ".join(f"{reason} {count}" for reason, count in dropped.most_common())
            raise Refused(dropped.most_common(1)[0][0], f"of {self.k} answers were left out: {told}")

    async def _answer(self, turns: Sequence[Message], sample: int, who: Persona, tools: Tools) -> Answer:
        wording = tools.render("persona_answers.role", persona=who.text)
        reply = await tools.model(self.model).chat(led_by(wording.text, turns), path=f"answer{sample}", sampling=self.sampling)
        return Answer(sample, who, wording, reply, replied(reply))

    def _kept(self, answers: Sequence[Answer]) -> tuple[list[tuple[Answer, float]], Counter[str]]:
        """Those that stand, each with how distinct it is, and the reasons of the others."""
        dropped: Counter[str] = Counter()
        kept: list[Answer] = []
        seen = [grams(answer.said.text, GRAM) for answer in answers]
        for at, answer in enumerate(answers):
            flaw = self._flaw(answer)
            if not flaw and any(shared(seen[at], seen[other.sample]) >= self.max_shared for other in kept):
                flaw = "near_equal"
            if flaw:
                dropped[flaw] += 1
            else:
                kept.append(answer)
        return [(one, _distinct(one.sample, [other.sample for other in kept], seen)) for one in kept], dropped

    def _flaw(self, answer: Answer) -> str:
        if not answer.said.text:
            return "empty_answer"
        if self.keep_persona:
            return ""
        try:
            unleaked(answer.who.text, answer.said.text, self.leak)
        except Refused as refused:
            return refused.reason
        return ""

    def _record(self, seed: Record, turns: Sequence[Message], answer: Answer, distinct: float) -> Record:
        before = (system(answer.wording.text),) if self.keep_persona else tuple(turn for turn in turns if turn.role == "system")
        rest = tuple(turn for turn in turns if turn.role != "system")
        return seed.derive(
            self.part_name(),
            (*before, *rest, answer.said),
            replies=[answer.reply],
            prompt=answer.wording.name,
            template=answer.wording.template,
            labels={
                "finish_reason": answer.reply.finish_reason,
                "distinct": round(distinct, 4),
                "persona": answer.who.axes.get("view", answer.who.text),
            },
            sample=answer.sample,
            persona=answer.who.text,
        )


def _distinct(one: int, others: Sequence[int], seen: Sequence[frozenset[tuple[str, ...]]]) -> float:
    """How little an answer has in common with any other one that stands; 1 where it stands alone."""
    return 1.0 - max((shared(seen[one], seen[other]) for other in others if other != one), default=0.0)
