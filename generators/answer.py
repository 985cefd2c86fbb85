"""A response to each seed prompt; on demand, every assistant turn of a conversation written anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..core.backend import Model, Reply, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import Conversation, Message, Record, user
from ._turns import System, asked, drawn, led_by, replied, together, without_thinking

Turns = tuple[Message, ...]
Schemas = tuple[dict[str, Any], ...]


class Answer(Generator):
    """Asks the model what the seed asks. One call a sample; with `redistil`, one a sample and assistant turn."""

    model: str
    """The model that answers."""
    sampling: Sampling | None = None
    """Set over the model's own."""
    system: System = None
    """System prompt; of a list, one is drawn for each seed. It replaces the seed's own."""
    keep_system: bool = True
    """Whether `system` stays in the record; `false` teaches the behaviour without the prompt."""
    source: Literal["prompt", "response"] = "prompt"
    """What is asked: the conversation up to its last user turn, or the seed's last response as a new question."""
    redistil: bool = False
    """Whether every assistant turn is written anew, in turn, each after the new ones before it."""
    samples: int = Field(default=1, ge=1)
    """Responses a seed, each a record of its own."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.redistil and self.source == "response":
            raise ValueError("`redistil` rewrites a conversation, `source: response` starts a new one: set one of them")
        return self

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        steer = drawn(self.system, tools)
        turns = led_by(steer, self._turns(seed))
        schemas = seed.content.tools if isinstance(seed.content, Conversation) else ()
        talks = await together([self._talk(tools.model(self.model), turns, schemas, sample) for sample in range(self.samples)])
        for sample, (said, replies) in enumerate(talks):
            if said:
                yield self._made(seed, said, schemas, replies, sample, steer)
        empty = [replies[-1].finish_reason for said, replies in talks if not said]
        if empty:
            raise Refused("empty_answer", f"{len(empty)} of {self.samples} came back without text (finish reason {empty[0]})")

    def calls_per_seed(self) -> float:
        """At most, of a single-turn seed."""
        return float(self.samples)

    def _turns(self, seed: Record) -> tuple[Message, ...]:
        """The turns to walk through: all of them to redistil, else those up to the question that is answered."""
        if self.source == "response":
            if seed.response is None or not seed.response.text:
                raise Refused("no_response", "`source: response` needs seeds that end with an assistant turn")
            return (user(seed.response.text),)
        turns = asked(seed)
        if not self.redistil:
            return turns
        if any(turn.role == "tool" or turn.tool_calls for turn in seed.messages):
            raise Refused("tool_turns", "tool results belong to the calls that got them: such a conversation cannot be redistilled")
        return seed.messages or turns

    async def _talk(self, model: Model, turns: Turns, schemas: Schemas, sample: int) -> tuple[Turns, list[Reply]]:
        """The turns with the model's own among them, and its replies; no turns where one of them came back empty."""
        said: Turns = ()
        replies: list[Reply] = []
        for index, turn in enumerate(turns):
            rewritten = self.redistil and turn.role == "assistant"
            if not rewritten:
                said = (*said, turn)
            if rewritten or index == len(turns) - 1:
                path = f"turn{len(replies)}" if self.redistil else "answer"
                replies.append(await model.chat(without_thinking(said), path=path, sample=sample, sampling=self.sampling, tools=schemas))
                said = (*said, replied(replies[-1]))
                if not (said[-1].content or said[-1].tool_calls):
                    return (), replies
        return said, replies

    def _made(self, seed: Record, said: Turns, schemas: Schemas, replies: list[Reply], sample: int, steer: str) -> Record:
        hidden = bool(steer) and not self.keep_system
        return seed.derive(
            self.part_name(),
            Conversation(messages=said[1:] if hidden else said, tools=schemas),
            replies=replies,
            labels={"finish_reason": next((reply.finish_reason for reply in replies if reply.finish_reason != "stop"), "stop")},
            sample=sample,
            **({"system": steer} if hidden else {}),
        )
