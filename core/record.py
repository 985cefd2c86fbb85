"""The one thing that flows: a Record, never changed, only derived."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import Discriminator, Tag, field_validator
from pydantic_core import PydanticSerializationError

from .backend import Reply, Usage
from .frozen import Frozen

Role = Literal["system", "user", "assistant", "tool"]
Outcome = Literal["keep", "refuse", "abstain"]
Label = str | int | float | bool | None


class Media(Frozen):
    """One part of a multi-modal content: text, or media by reference and hash, never its bytes."""

    type: Literal["text", "image", "audio", "video"]
    text: str = ""
    url: str = ""
    sha256: str = ""


class ToolCall(Frozen):
    """A call the assistant makes; `arguments` is the JSON text as the model wrote it."""

    id: str = ""
    name: str
    arguments: str = "{}"


class Message(Frozen):
    """One turn. Reasoning and tool calls are fields of their own, never mixed into the text."""

    role: Role
    content: str | tuple[Media, ...] = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The text of the content, without media."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class Conversation(Frozen):
    """Turns between a user and an assistant (system and tool turns included)."""

    kind: Literal["conversation"] = "conversation"
    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    """JSON schemas of the tools that the assistant may call."""


class Preference(Frozen):
    """One prompt, a better and a worse answer."""

    kind: Literal["preference"] = "preference"
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]


class ScoredStep(Frozen):
    """One reasoning step with its label or score."""

    text: str
    score: float | None = None
    label: bool | None = None


class ScoredSteps(Frozen):
    """A prompt and the steps of one answer, each judged (process supervision)."""

    kind: Literal["steps"] = "steps"
    prompt: tuple[Message, ...]
    steps: tuple[ScoredStep, ...]


class PlainText(Frozen):
    """Text without turns (documents, pretraining text)."""

    kind: Literal["text"] = "text"
    text: str


def _kind(raw: Any) -> str:
    """Which kind of content this is, by its fields (a dump leaves defaults out, `kind` among them)."""
    if isinstance(raw, Frozen):
        return str(getattr(raw, "kind", ""))
    if not isinstance(raw, dict):
        return ""
    return str(raw.get("kind") or next((kind for key, kind in _MARKS if key in raw), "conversation"))


_MARKS = (("chosen", "preference"), ("steps", "steps"), ("text", "text"))

Content = Annotated[
    Annotated[Conversation, Tag("conversation")]
    | Annotated[Preference, Tag("preference")]
    | Annotated[ScoredSteps, Tag("steps")]
    | Annotated[PlainText, Tag("text")],
    Discriminator(_kind),
]


class Step(Frozen):
    """One link of a lineage: which part made this record, from what, with which calls."""

    by: str
    """The part: a strategy or an edit."""
    parent: str
    """The id of the record it started from."""
    model: str = ""
    """Identity of the model that wrote the text, with its revision where the server tells one."""
    sampling: Mapping[str, Any] = {}
    seed: int | None = None
    """The seed sent with the (last) call."""
    prompt: str = ""
    """Name of the wording."""
    template: str = ""
    """Hash of the wording."""
    usage: Usage = Usage()
    keys: tuple[str, ...] = ()
    """Keys of the responses in the response store."""
    detail: Mapping[str, Any] = {}
    """What the part itself wants remembered (depth, round, operator ...)."""


class Verdict(Frozen):
    """What one filter said of one record."""

    by: str
    outcome: Outcome
    score: float | None = None
    reason: str = ""
    """A short phrase that a person understands, starting with a stable word: `wrong_answer: got 7, expected 8`."""
    evidence: Mapping[str, Any] = {}

    @field_validator("score")
    @classmethod
    def _finite(cls, score: float | None) -> float | None:
        if score is not None and not math.isfinite(score):
            raise ValueError("bad_score: a score must be a finite number")
        return score

    @property
    def keep(self) -> bool:
        return self.outcome == "keep"


class Record(Frozen):
    """One piece of data with its whole story."""

    content: Content = Conversation()
    answer: str | None = None
    """The reference (gold) answer, where a verifier needs one."""
    tests: str | None = None
    """Reference tests as JSON text, where a verifier runs code."""
    origin: str = ""
    """Where it came from: the seed's place or the candidate's; stamped by the engine, part of the id."""
    fields: Mapping[str, Any] = {}
    """Further columns of the seed, carried along."""
    labels: Mapping[str, Label] = {}
    """Columns for the output: pass_rate, difficulty, topic ..."""
    lineage: tuple[Step, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @cached_property
    def id(self) -> str:
        """16 hex digits of a hash over content and origin: the same record has the same id in every run.

        Raises ValueError for a content that no JSON can hold (a tool's schema made in Python of other things).
        """
        return blake2b(_body(self.content) + b"\0" + self.origin.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    @property
    def messages(self) -> tuple[Message, ...]:
        """All turns: of a preference pair, prompt and chosen; of plain text, none."""
        match self.content:
            case Conversation(messages=messages):
                return messages
            case Preference(prompt=prompt, chosen=chosen):
                return (*prompt, *chosen)
            case ScoredSteps(prompt=prompt, steps=steps):
                return (*prompt, Message(role="assistant", content="\n".join(s.text for s in steps)))
            case _:
                return ()

    @property
    def prompt(self) -> str:
        """The text of the last user turn; of plain text, all of it."""
        if isinstance(self.content, PlainText):
            return self.content.text
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def response(self) -> Message | None:
        """The closing assistant turn, if there is one."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last.role == "assistant" else None

    def derive(
        self,
        by: str,
        content: Conversation | Preference | ScoredSteps | PlainText | Sequence[Message],
        *,
        replies: Sequence[Reply] = (),
        prompt: str = "",
        template: str = "",
        labels: Mapping[str, Label] | None = None,
        answer: str | None = None,
        **detail: Any,
    ) -> Record:
        """A new record whose lineage remembers this one and the replies it was made of."""
        body = content if isinstance(content, Frozen) else Conversation(messages=tuple(content))
        last = replies[-1] if replies else None
        step = Step(
            by=by,
            parent=self.id,
            model=last.model if last else "",
            sampling=last.sampling if last else {},
            seed=last.seed if last else None,
            prompt=prompt,
            template=template,
            usage=sum((r.usage for r in replies), Usage()),
            keys=tuple(r.key for r in replies),
            detail=detail,
        )
        return Record(
            content=body,
            answer=self.answer if answer is None else answer,
            tests=self.tests,
            fields=self.fields,
            labels={**self.labels, **(labels or {})},
            lineage=(*self.lineage, step),
        )

    def judged(self, *verdicts: Verdict) -> Self:
        """The same record with further verdicts."""
        return self.model_copy(update={"verdicts": (*self.verdicts, *verdicts)})

    def stamped(self, origin: str) -> Record:
        """The same record with its origin set (which gives it its id); only the engine calls this."""
        values = {name: getattr(self, name) for name in Record.model_fields}
        return Record.model_construct(**{**values, "origin": origin})

    def dump(self) -> bytes:
        """As JSON bytes. Raises ValueError for what no JSON or UTF-8 can hold (a lone surrogate)."""
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def load(cls, body: bytes | str) -> Record:
        return cls.model_validate(orjson.loads(body))


def _body(content: Frozen) -> bytes:
    """The content as an id sees it."""
    try:
        return content.model_dump_json().encode()
    except PydanticSerializationError:  # a lone surrogate, which no UTF-8 can hold; whatever else it is raises again
        plain = content.model_dump(mode="json")
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str, reasoning: str | None = None) -> Message:
    return Message(role="assistant", content=text, reasoning=reasoning)


def system(text: str) -> Message:
    return Message(role="system", content=text)
