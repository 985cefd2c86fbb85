"""Instruction-following difficulty: how much the question helps a model to expect the answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ..core.backend import Capability, Model
from ..core.errors import Rejected
from ..core.part import Filter, Judge, Tools
from ..core.record import Message, PlainText, Record, Verdict, user
from ..core.think import CLOSE, OPEN
from ._parts import shown, split_message

DEFAULT_CONTEXT = 1024
"""Tokens, where neither the setting nor the server tells."""
LONGEST_TOKEN = 64
"""Characters; what of an endless answer cannot matter is not tokenized."""
_LARGEST = 700.0
"""exp of more is no float."""


class Losses(NamedTuple):
    """Mean negative log-likelihood of the answer's tokens."""

    given: float
    """With the question before them."""
    alone: float
    tokens: int
    cut: bool = False
    """Whether the answer had more."""

    @property
    def loss_ratio(self) -> float | None:
        """As in the Cherry papers' code; None where the answer alone has no loss at all."""
        return self.given / self.alone if self.alone > 1e-12 else None

    @property
    def perplexity_ratio(self) -> float:
        """As in Superfiltering: exp of the difference."""
        return math.exp(min(_LARGEST, self.given - self.alone))


class Ifd(Filter):
    """IFD: the perplexity of the answer after its question, by the perplexity of the answer alone, under one small model.

    At 1 and above the question does not help at all: it and the answer do not belong together, or the answer says the same to
    everything. Such records are refused. Below 1, higher is harder, and worth more to learn from; `select` keeps the highest ones.
    Both passes see the same tokens of the answer behind the same beginning; nothing but the question comes and goes.
    """

    model: str = "scorer"
    """A model whose server gives prompt log-probabilities (vLLM); a small one will do."""
    ratio: Literal["perplexity", "loss"] = "perplexity"
    """Of which the score is: exp(L(A|Q) - L(A)), or L(A|Q) / L(A). The two order records differently; the evidence has both."""
    max: float = Field(default=1.0, gt=0)
    """A ratio of this and above is refused."""
    min: float = Field(default=0.0, ge=0)
    """A ratio below this is refused: the answer follows from the question without any effort."""
    form: Literal["chat", "plain"] = "chat"
    """`chat`: both passes as the model's chat template has them; `plain`: for base models, question, a new line, answer."""
    start: str = ""
    """Of `plain`: what each pass begins with, the model's BOS as text (`<s>`, `<|endoftext|>`)."""
    min_tokens: int = Field(default=16, ge=2)
    """A shorter answer is an abstention: its ratio says more about chance than about the question."""
    max_tokens: int | None = Field(default=None, ge=32)
    """Of a pass; the answer is cut to fit, the same in both. Absent: the model's context."""
    thinking: bool = False
    """Whether the answer includes what was thought before it, in `<think>` tags: for a model that thinks itself."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record that cannot be judged: no answer, a short one, a question that leaves no room for it."""

    @model_validator(mode="after")
    def _begins(self) -> Self:
        if (self.form == "plain") != bool(self.start):
            raise ValueError(
                "`form: plain` needs `start`, the model's BOS as text (`<s>`, `<|endoftext|>`), and `chat` takes it from the template"
            )
        if self.min >= self.max:
            raise ValueError(f"min {self.min:g} is not below max {self.max:g}")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        return {self.model: frozenset({"prompt_logprobs", "token_ids", "template"})}

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        model = tools.model(self.model)

        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judged(record, model) for record in records))

        yield judge

    async def _judged(self, record: Record, model: Model) -> Verdict:
        answer = _answer(record, self.thinking)
        if not answer or not record.messages[:-1]:
            return self._abstained("no_answer: there is no question with an answer")
        try:
            losses = await self._losses(record.messages[:-1], answer, model)
        except Rejected as error:  # of this one text: an abstention, not a failed record
            return self._abstained(f"not_scored: {shown(str(error))}")
        return losses if isinstance(losses, Verdict) else self._verdict(losses)

    async def _losses(self, question: Sequence[Message], answer: str, model: Model) -> Losses | Verdict:
        given, alone = await self._beginnings(question, model)
        room = await self._room(model) - len(given)
        tokens = await model.tokenize(answer[: max(room, self.min_tokens) * LONGEST_TOKEN])
        cut = tokens[: max(0, room)]
        if len(tokens) < self.min_tokens:
            return self._abstained(f"short_answer: {len(tokens)} tokens, at least {self.min_tokens} are needed")
        if len(cut) < self.min_tokens:
            return self._abstained(f"too_long: the question has {len(given)} tokens and leaves {max(0, room)} for the answer")
        if not given or not alone:
            return self._abstained("no_beginning: the template puts nothing before an answer")
        with_question, without = await asyncio.gather(
            model.prompt_logprobs([*given, *cut], path="given"), model.prompt_logprobs([*alone, *cut], path="alone")
        )
        first, second = _loss(with_question.logprobs, len(cut)), _loss(without.logprobs, len(cut))
        if first is None or second is None:
            return self._abstained("no_logprobs: the server gave none for some token of the answer")
        return Losses(first, second, len(cut), len(cut) < len(tokens))

    async def _beginnings(self, question: Sequence[Message], model: Model) -> tuple[list[int], list[int]]:
        """What stands before the answer with its question, and without: the same opening of the answer, behind the same first token."""
        if self.form == "plain":
            start, text = await model.tokenize(self.start), "\n".join(turn.text for turn in question)
            return [*start, *await model.tokenize(f"{text}\n")], start
        given = await model.tokenize(question)
        small = [user("?")]
        opened, closed = await model.tokenize(small), await model.tokenize(small, add_generation_prompt=False)
        opening = opened[len(closed) :]
        first = opened[:1]
        return given, opening if opening[:1] == first else [*first, *opening]

    async def _room(self, model: Model) -> int:
        """Tokens of a pass; one is left for the token that the server makes on top."""
        context = await model.context()
        known = [most for most in (self.max_tokens, context - 1 if context else None) if most is not None]
        return min(known) if known else DEFAULT_CONTEXT

    def _verdict(self, losses: Losses) -> Verdict:
        score = losses.perplexity_ratio if self.ratio == "perplexity" else losses.loss_ratio
        evidence = {
            "ratio": self.ratio,
            "perplexity_ratio": round(losses.perplexity_ratio, 5),
            "loss_ratio": None if losses.loss_ratio is None else round(losses.loss_ratio, 5),
            "loss_given": round(losses.given, 5),
            "loss_alone": round(losses.alone, 5),
            "tokens": losses.tokens,
            "cut": losses.cut,
        }
        if score is None:
            return self._abstained("no_loss: the model is certain of the answer even without the question", evidence)
        reason = ""
        if score >= self.max:
            reason = f"question_does_not_help: {self.ratio} ratio {score:.4g}, below {self.max:g} asked"
        elif score < self.min:
            reason = f"too_easy: {self.ratio} ratio {score:.4g}, at least {self.min:g} asked"
        return Verdict(by=self.part_name(), outcome="refuse" if reason else "keep", score=score, reason=reason, evidence=evidence)

    def _abstained(self, reason: str, evidence: Mapping[str, object] | None = None) -> Verdict:
        return Verdict(by=self.part_name(), outcome="abstain", reason=reason, evidence=evidence or {})


def _answer(record: Record, thinking: bool) -> str:
    if record.response is None or isinstance(record.content, PlainText):
        return ""
    reasoning, answer = split_message(record.response)
    if not thinking or not reasoning.strip():
        return answer.strip()
    return f"{OPEN}\n{reasoning.strip()}\n{CLOSE}\n\n{answer.strip()}".strip()


def _loss(logprobs: Sequence[float | None], tokens: int) -> float | None:
    """Mean over the last `tokens` of a pass; None where one is missing, as a silent 0 would make a perfect score of it."""
    last = logprobs[len(logprobs) - tokens :] if tokens and len(logprobs) >= tokens else ()
    known = [value for value in last if value is not None and math.isfinite(value)]
    return -sum(known) / tokens if tokens and len(known) == tokens else None
