"""Problems, requests, texts, tools and characters as different people give rise to them (Persona Hub, arXiv 2406.20094)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, PrivateAttr, ValidationInfo, model_validator

from ..core.backend import Reply, Sampling
from ..core.errors import Refused, nearest
from ..core.part import Generator, Tools
from ..core.record import Conversation, Record, user
from ..formats.constraints import IDS, Constraint, describe, draw, dump
from ..personas.composed import Persona as Somebody
from ..personas.listed import Listed
from ._demonstrations import Demonstration, demonstrations_of, shown
from ._forms import FORMS, filled
from ._overlap import longest_run
from ._persona_checks import unleaked
from ._persona_tasks import TASKS, Body, Task, TaskName, content_of, text_of
from ._personas import Personas, described, persona_of, unmarked
from ._turns import replied

COPIED = 12
"""Words in a row of a demonstration from which a text is a copy of it."""


class Persona(Generator):
    """Shows the model a person and asks for what that person would give rise to; a question is then answered, without the person.

    Personas are the seeds, or, without seeds, composed ones (31 million distinct) or those of a list. A text that repeats its
    persona, or that announces it (`As a nurse, ...`), is refused before an answer is paid for.
    """

    seedless: ClassVar[bool] = True
    prompts: ClassVar[tuple[str, ...]] = (*(f"persona.{task}" for task in TASKS), "persona.person", "persona.examples", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that writes, and that answers."""
    task: TaskName
    """What is asked for."""
    personas: Personas = None
    """Personas of a recipe without seeds: `{cover: 2}`, `{only: {sector: [care]}}`, `{seed: 3}` compose them, `{path: FILE}` or
    `{texts: [...]}` lists them. Left out: composed ones. With seeds, the seeds are the personas."""
    mode: Literal["zero_shot", "few_shot", "persona_few_shot"] = "zero_shot"
    """Whether demonstrations are shown, and whether each with its own persona."""
    demonstrations: tuple[Demonstration, ...] | str = ()
    """`{text, persona}` each, or a JSON lines file: with those columns, or records that this strategy made before."""
    shots: PositiveInt = 3
    """Demonstrations shown, drawn anew for each persona."""
    respond: bool = True
    """Whether problems, puzzles and instructions are answered; `false` gives the bare question, as a seed for the next stage."""
    constraints: NonNegativeInt = Field(default=0, le=5)
    """Of `instruction`: checkable constraints added to it, which `use: instructions` verifies in the answer."""
    held_out: tuple[str, ...] = ()
    """Types of constraints that are never drawn. Measure on them: what was trained on says little about what was not."""
    leak: int | None = Field(default=6, ge=2)
    """Words in a row that a text may share with its persona at most (a Chinese character is half a word); null: any."""
    sampling: Sampling | None = None
    """How the text is written, set over the model's own."""
    answering: Sampling | None = None
    """How it is answered, set over the model's own."""
    _pool: tuple[Demonstration, ...] = PrivateAttr(default=())
    _pool_hash: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _holds_together(self, info: ValidationInfo) -> Self:
        for name in self.held_out:
            if name not in IDS:
                raise ValueError(f"unknown instruction {name!r}; {nearest(name, IDS)}")
        if self.constraints and set(self.held_out) == set(IDS):
            raise ValueError("`held_out` leaves no constraint to draw")
        if self.constraints and self.task != "instruction":
            raise ValueError(f"`constraints` are for `task: instruction`, not for {self.task}")
        self._pool, self._pool_hash = demonstrations_of(self.demonstrations, info)
        if (self.mode == "zero_shot") != (not self._pool):
            raise ValueError("`few_shot` and `persona_few_shot` need `demonstrations`; `zero_shot` takes none")
        if self.mode == "persona_few_shot" and not all(one.persona for one in self._pool):
            raise ValueError("`persona_few_shot` shows each demonstration with its persona: one of them has none")
        return self

    @property
    def takes_seeds(self) -> bool:
        """Whether it can stand behind another stage: not where its own `personas` would be left unused."""
        return self.personas is None

    def reads(self) -> Mapping[str, str]:
        files = dict(self.personas.reads()) if isinstance(self.personas, Listed) else {}
        return {**files, "demonstrations": self._pool_hash} if self._pool_hash else files

    def calls_per_seed(self) -> float:
        return 2.0 if self._answers else 1.0

    @property
    def _answers(self) -> bool:
        return self.respond and TASKS[self.task].asks

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        task, somebody = TASKS[self.task], persona_of(seed, self.personas, tools)
        shots = tools.rng("shots").sample(self._pool, min(self.shots, len(self._pool)))
        asked = await filled(
            tools, self.model, task.form, f"persona.{self.task}", path="write", sampling=self.sampling, material=self._material(somebody, shots, tools)
        )  # fmt: skip
        body = self._body(task, asked.values, somebody, shots)
        body, constraints = self._constrained(body, tools)
        replies = [asked.reply]
        if self._answers:
            body = await self._answered(body, replies, tools)
        record = seed.derive(
            self.part_name(),
            body,
            replies=replies,
            prompt=asked.wording.name,
            template=asked.wording.template,
            labels={"finish_reason": replies[-1].finish_reason, "task": self.task, "persona": somebody.text},
            mode=self.mode,
            persona=somebody.text,
            **_details(somebody, shots, asked.values),
        )
        yield record.model_copy(update={"tests": dump(constraints)}) if constraints else record

    def _material(self, somebody: Somebody, shots: Sequence[Demonstration], tools: Tools) -> str:
        parts = [described(somebody.text, tools).text]
        if shots:
            examples = "\n\n".join(shown(one, with_persona=self.mode == "persona_few_shot", language=tools.language) for one in shots)
            parts.insert(0, tools.render("persona.examples", examples=unmarked(examples)).text)
        return "\n\n".join(parts)

    def _body(self, task: Task, values: Mapping[str, Any], somebody: Somebody, shots: Sequence[Demonstration]) -> Body:
        """The content. Raises Refused where it is none, gives its persona away or copies a demonstration."""
        body = content_of(task, values)
        if self.leak is not None:
            unleaked(somebody.text, text_of(body), self.leak)
        for one in shots:
            if (run := longest_run(text_of(body), one.text)).words >= COPIED:
                raise Refused("example_copied", f"{run.words:g} words in a row of a demonstration: {run.text[:200]!r}")
        return body

    def _constrained(self, body: Body, tools: Tools) -> tuple[Body, list[Constraint]]:
        """The instruction with constraints in words behind it, and the constraints."""
        if not self.constraints or not isinstance(body, Conversation):
            return body, []
        text = body.messages[-1].text
        drawn = draw(tools.rng("constraints"), self.constraints, language=tools.language, ids=set(IDS) - set(self.held_out), prompt=text)
        gap = "" if tools.language == "zh" else " "
        ended = gap if text.endswith((".", "!", "?", "。", "！", "？")) else "\n"
        worded = text + ended + gap.join(describe(one, tools.language) for one in drawn)
        return Conversation(messages=(user(worded),)), drawn

    async def _answered(self, body: Body, replies: list[Reply], tools: Tools) -> Body:
        assert isinstance(body, Conversation)
        replies.append(await tools.model(self.model).chat(body.messages, path="answer", sampling=self.answering))
        said = replied(replies[-1])
        if not said.content:
            raise Refused("empty_answer", f"finish reason {replies[-1].finish_reason}")
        return Conversation(messages=(*body.messages, said))


def _details(somebody: Somebody, shots: Sequence[Demonstration], values: Mapping[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {"axes": dict(somebody.axes)} if somebody.axes else {}
    if shots:
        details["shots"] = [one.text[:80] for one in shots]
    if values.get("idea"):
        details["idea"] = values["idea"]
    return details
