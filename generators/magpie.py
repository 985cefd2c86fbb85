"""Questions that an aligned model writes by itself when it is shown nothing but the start of a user turn (Magpie, arXiv 2406.08464)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from ..core.backend import Capability, Reply, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import Message, Record, system, user
from ._prequery import prequery
from ._turns import System, drawn, replied

ROLE_WORD = re.compile(r"^(?:(?:user|human)\s*(?:[:：]\s*|\n\s*))+", re.IGNORECASE)
"""A header that the model repeats before the question."""
THINK_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
SPECIAL_TOKEN = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|</?(?:start_of_turn|end_of_turn|bos|eos)>|\[/?(?:INST|SYSTEM_PROMPT)\]"
)
ANSWER_LEAK = re.compile(
    r"^[ \t>*#]*(?:(?:answer|solution|assistant|step 1)\b[ *]*[:：]|(?:答案|解答|解析|解|回答|助手)[ *]*[:：])[ *]*\s*\S"
    r"|\\boxed\s*\{|^####\s*-?[\d.,]+\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""The question goes on to its own answer. A bare `Answer:` at the very end asks for one and stays."""
ASSISTANT_VOICE = re.compile(
    r"^(?:sure[,!.]|certainly[,!.]|of course[,!.]|absolutely[,!]|as an ai\b|i'?m sorry, (?:but )?i\b|i cannot\b|i can't (?:help|assist)|"
    r"(?:hello|hi)[!,.] how (?:can|may) i|how (?:can|may) i (?:help|assist)|i'?d be happy to|i'?m here to|great question|"
    r"当然[，,！!可]|好的[，,！!]|作为一个?(?:人工智能|AI)|很抱歉，我|我很乐意|(?:你好|您好)[！!，,]?有什么)",
    re.IGNORECASE,
)
"""The model took the wrong part and speaks as the assistant."""


class Magpie(Generator):
    """Shows the model the tokens before a user turn, takes what it writes up to the turn's end, and asks it that.

    Needs a backend that takes token ids and renders its own template. One call for the question, one for the answer.
    """

    seedless: ClassVar[bool] = True

    model: str
    """An aligned chat model; a base model has learned no user turns."""
    instruction: Sampling = Sampling()
    """How questions are drawn; where it leaves them open: temperature 1.0, top_p 1.0, max_tokens 512."""
    sampling: Sampling | None = None
    """How answers are drawn, set over the model's own."""
    system: System = None
    """A system turn before the question, to steer its topic or language; of a list, one is drawn each time. It costs
    quality and difficulty, says the paper."""
    keep_system: bool = False
    """Whether that system turn also stands before the answer and in the record."""
    respond: bool = True
    """`false` gives the bare question, as a seed for the next stage."""
    min_chars: int = Field(default=6, ge=1)
    """Characters of a question at least."""
    max_chars: int = Field(default=4000, ge=1)
    """Characters of a question at most."""

    @model_validator(mode="after")
    def _ids_only(self) -> Self:
        if self.instruction.stop:
            raise ValueError("`instruction.stop`: questions end at tokens of the chat template; a stop string would cut those that hold it")
        return self

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        raw: frozenset[Capability] = frozenset({"complete", "token_ids", "template"})
        return {self.model: raw | {"chat"} if self.respond else raw}

    def calls_per_seed(self) -> float:
        return 2.0 if self.respond else 1.0

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        model = tools.model(self.model)
        steer = drawn(self.system, tools)
        before = (system(steer),) if steer else ()
        start = await prequery(model, before)
        written = await model.complete(start.ids, path="instruction", sampling=self._drawing(start.stop))
        question = self._question(written)
        talk = (*(before if self.keep_system else ()), user(question))
        replies = [written]
        if self.respond:
            replies.append(await model.chat(talk, path="answer", sampling=self.sampling))
            talk = (*talk, _answer(replies[-1]))
        detail: dict[str, Any] = {"raw": written.text, "instruction": question, "instruction_sampling": written.sampling}
        if steer:
            detail["system"] = steer
        yield seed.derive(self.part_name(), talk, replies=replies, labels={"finish_reason": replies[-1].finish_reason}, **detail)

    def _drawing(self, stop: tuple[int, ...]) -> Sampling:
        """Sampling of the question. The model's own stop strings are switched off, and its token ids added to."""
        drawing = self.instruction.over(Sampling(temperature=1.0, top_p=1.0, max_tokens=512))
        return drawing.model_copy(update={"stop": (), "stop_token_ids": tuple(dict.fromkeys((*stop, *drawing.stop_token_ids)))})

    def _question(self, written: Reply) -> str:
        """The question, trimmed and without a repeated header. Raises Refused where it is none; the raw text stays in the store."""
        text = ROLE_WORD.sub("", written.text.lstrip()).strip()
        checks = {
            "think_tag": written.reasoning is not None or THINK_TAG.search(text),
            "cut": written.finish_reason != "stop",
            "empty": not text,
            "special_token": SPECIAL_TOKEN.search(text),
            "assistant_voice": ASSISTANT_VOICE.search(text),
            "answer_leak": ANSWER_LEAK.search(text),
            "too_short": len(text) < self.min_chars,
            "too_long": len(text) > self.max_chars,
        }
        reason = next((reason for reason, found in checks.items() if found), "")
        if reason:
            raise Refused(reason, written.text[:300])
        return text


def _answer(reply: Reply) -> Message:
    said = replied(reply)
    if not said.content:
        raise Refused("empty_answer", f"finish reason {reply.finish_reason}")
    return said
