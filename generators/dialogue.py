"""Conversations of several turns with a simulated user, who is somebody and wants something that the assistant is not told (ours)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ..core.backend import Capability, Reply, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Rendered, Tools
from ..core.record import Message, Record, system, user
from ..personas.composed import Composed, Persona
from ..personas.listed import Listed
from ._branching import again
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._marked import sealed
from ._personas import Personas, described, persona_of, several
from ._solving import question_of
from ._turns import System, drawn, replied, without_thinking
from ._user_turns import as_assistant, as_user, message_of, unanswered, unrevealed

GOAL = Form((Part("goal"), Part("details", "texts", required=False)))
OPEN = Form((Part("message"),))
NEXT = Form((Part("open", required=False), Part("message")))
END = Form((Part("open", required=False), Part("state", "choice", ("go_on", "reached", "stuck")), Part("message", required=False)))
Ended = Literal["reached", "stuck", "limit"]


@dataclass(slots=True)
class Talk:
    """One conversation while it goes on."""

    who: Persona
    goal: str
    details: tuple[str, ...]
    gold: str | None
    turns: list[Message] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    """All that was paid for and could be read."""
    last: Reply | None = None
    """The assistant's last one."""
    wording: Rendered | None = None
    """Of the first message."""
    retries: int = 0
    ended: Ended = "limit"

    @property
    def asked(self) -> int:
        return sum(turn.role == "user" for turn in self.turns)

    def wanted(self) -> str:
        """The goal and what only the user knows, as the simulator sees them."""
        return sealed("\n".join([self.goal, *(f"- {one}" for one in self.details)]), "goal")

    def told(self, names: tuple[str, str]) -> str:
        """What was said so far, without thinking."""
        lines = [f"{names[turn.role == 'assistant']}: {turn.text}" for turn in self.turns if turn.role != "system"]
        return sealed("\n\n".join(lines), "talk")


class Dialogue(Generator):
    """Lets a simulated user with a persona and a hidden goal talk to an assistant, until the user has what they want.

    The goal is the seed's prompt (with `persona` and `details` where the seed has such columns), or, without seeds, thought up for a composed
    persona. The assistant sees what was said and nothing else. Labels: `turns` of the user, `ended` (`reached`, `stuck`, `limit`),
    `retries`, `persona`.
    """

    seedless: ClassVar[bool] = True
    prompts: ClassVar[tuple[str, ...]] = ("dialogue.goal", "dialogue.open", "dialogue.next", "dialogue.end", "persona.person", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The assistant."""
    user: str = ""
    """The model that plays the user; by default the same."""
    personas: Personas = None
    """Who the user is, where the seed has no column `persona`: composed ones (by default) or those of a list."""
    min_turns: PositiveInt = 2
    """Messages of the user before the conversation may end."""
    max_turns: int = Field(default=4, ge=1, le=32)
    """Messages of the user at most."""
    tries: PositiveInt = 3
    """How often a message is asked for until the user speaks as one and gives nothing away."""
    leak: int = Field(default=7, ge=2)
    """Words of the goal in a row that the first message may hold at most (a Chinese character is half a word)."""
    system: System = None
    """System prompt of the assistant; of a list, one is drawn for each conversation. Left out: the seed's own, where it has one."""
    keep_system: bool = True
    """Whether the system prompt stays in the record."""
    sampling: Sampling | None = None
    """Of the assistant, set over the model's own."""
    simulating: Sampling | None = None
    """Of the user, set over the model's own."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_turns > self.max_turns:
            raise ValueError(f"`min_turns: {self.min_turns}` is more than `max_turns: {self.max_turns}`")
        return self

    @property
    def takes_seeds(self) -> bool:
        """Whether it can stand behind another stage, whose records are then the goals."""
        return True

    def needs(self) -> dict[str, frozenset[Capability]]:
        return {name: frozenset({"chat"}) for name in (self.model, self.user) if name}

    def reads(self) -> dict[str, str]:
        return dict(self.personas.reads()) if isinstance(self.personas, Listed) else {}

    def calls_per_seed(self) -> float:
        return float(1 + self.max_turns * (self.tries + 1))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        talk = await self._begun(seed, tools)
        steer = drawn(self.system, tools) or next((turn.text for turn in seed.messages if turn.role == "system"), "")
        for number in range(self.max_turns):
            message = await self._message(talk, number, tools)
            if message is None:
                break
            talk.turns.append(user(message))
            talk.turns.append(await self._answered(talk, steer, number, tools))
        yield self._record(seed, talk, steer)

    async def _begun(self, seed: Record, tools: Tools) -> Talk:
        """Who wants what: from the seed, or thought up."""
        if seed.messages or seed.content.kind == "text":
            return Talk(self._who(seed, tools), question_of(seed), _details(seed.fields.get("details")), seed.answer)
        who = persona_of(seed, self.personas, tools)
        person = described(who.text, tools).text
        got = await filled(tools, self._user, GOAL, "dialogue.goal", path="goal", sampling=self.simulating, person=person)
        talk = Talk(who, str(got.values["goal"]), tuple(got.values["details"]), None)
        talk.replies.append(got.reply)
        return talk

    @property
    def _user(self) -> str:
        return self.user or self.model

    def _who(self, seed: Record, tools: Tools) -> Persona:
        column = seed.fields.get("persona")
        if isinstance(column, str) and column.strip():
            return Persona(text=column.strip())
        return several(self.personas or Composed(), 1, tools)[0]

    async def _message(self, talk: Talk, number: int, tools: Tools) -> str | None:
        """The user's next message; None where the conversation ends. Raises Refused with what is wrong with the last try."""
        wrong = Refused("unreadable")
        for sample in range(self.tries):
            try:
                return await self._tried(talk, number, sample, tools)
            except Refused as refused:
                wrong = refused
                talk.retries += 1
        raise Refused(wrong.reason, f"message {number + 1}, in {self.tries} tries; the last: {wrong.detail}")

    async def _tried(self, talk: Talk, number: int, sample: int, tools: Tools) -> str | None:
        form, name = (
            (OPEN, "dialogue.open") if number == 0 else (NEXT, "dialogue.next") if number < self.min_turns else (END, "dialogue.end")
        )
        values: dict[str, Any] = {"person": described(talk.who.text, tools).text, "goal": talk.wanted()}
        if number:
            values["talk"] = talk.told(("用户", "助手") if tools.language == "zh" else ("Person", "Assistant"))
        sampling = again(self.simulating) if sample else self.simulating
        got = await filled(tools, self._user, form, name, path=f"turn{number}.user", sample=sample, sampling=sampling, **values)
        talk.replies.append(got.reply)
        state = got.values.get("state", "go_on")
        if state != "go_on":
            talk.ended = state
            return None
        text = message_of(got.values["message"])
        as_user(text, talk.turns)
        unanswered(text, talk.gold, talk.goal, talk.turns)
        if number == 0:
            unrevealed(text, talk.goal, talk.details, self.leak)
            talk.wording = got.wording
        return text

    async def _answered(self, talk: Talk, steer: str, number: int, tools: Tools) -> Message:
        """The assistant's turn. It is sent what was said, without earlier thinking, and nothing of the persona or the goal."""
        sent = (*((system(steer),) if steer else ()), *without_thinking(talk.turns))
        reply = await tools.model(self.model).chat(sent, path=f"turn{number}.assistant", sampling=self.sampling)
        talk.replies.append(reply)
        talk.last = reply
        said = replied(reply)
        if reply.finish_reason == "length":
            raise Refused("cut", f"answer {number + 1} reached the token limit before it was whole")
        if not said.text:
            raise Refused("empty_answer", f"answer {number + 1}; finish reason {reply.finish_reason}")
        as_assistant(said.text)
        return said

    def _record(self, seed: Record, talk: Talk, steer: str) -> Record:
        shown = (system(steer),) if steer and self.keep_system else ()
        details: dict[str, Any] = {"axes": dict(talk.who.axes)} if talk.who.axes else {}
        if steer and not self.keep_system:
            details["system"] = steer
        replies = [reply for reply in talk.replies if reply is not talk.last] + ([talk.last] if talk.last else [])
        return seed.derive(
            self.part_name(),
            (*shown, *talk.turns),
            replies=replies,
            prompt=talk.wording.name if talk.wording else "",
            template=talk.wording.template if talk.wording else "",
            labels={
                "finish_reason": replies[-1].finish_reason, "turns": talk.asked, "ended": talk.ended, "retries": talk.retries,
                "persona": talk.who.text,
            },
            goal=talk.goal,
            details=list(talk.details),
            **details,
        )  # fmt: skip


def _details(value: Any) -> tuple[str, ...]:
    """A column of facts: a list of texts, or a text of lines."""
    lines = value.splitlines() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(line.strip() for line in lines if isinstance(line, str) and line.strip())
