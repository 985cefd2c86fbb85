"""Mend texts: markup, stray spaces, invisible characters, mojibake, unicode forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from pydantic import Field

from ..core.errors import WorkerFault
from ..core.part import Change, Edit, Tools
from ..core.record import Conversation, Media, Message, PlainText, Preference, Record, ScoredSteps
from ._mend import KINDS, Kind, mended

HERE = 20_000
"""Characters of one record that are mended at once, in process; longer ones go to a worker."""
TIMEOUT_S = 60.0

Where = Literal["system", "prompt", "reasoning", "answer"]
Walker = Callable[[str], str]


class Clean(Edit):
    r"""Mends texts instead of refusing them.

    `mojibake` (`cafÃ©` becomes `café`; ftfy), `markup` (HTML tags and entities in prose), `controls` (control characters, terminal
    colours, lone surrogates), `invisible` (zero-width and bidi characters, byte-order marks, tag characters), `spaces` (odd and doubled ones, at
    the ends of lines, more than one empty line), `unicode` (the normal form). Code, formulas and `<think>` tags are not
    touched, nor tags that carry meaning (`<sup>`) or that HTML does not know (`<answer>`), nor joiners where a script or an emoji needs them.
    What was changed is in the lineage, counted by kind; a record with nothing to mend passes as it is. The reference answer and
    tool turns stay as they are.
    """

    parts: tuple[Where, ...] = ("system", "prompt", "reasoning", "answer")
    """Turns that are mended: the system's, the user's, the assistant's thinking and text (steps and plain text count as answers)."""
    kinds: tuple[Kind, ...] = KINDS
    """What is mended."""
    form: Literal["NFC", "NFKC", "NFD", "NFKD"] = "NFC"
    """The unicode normal form; NFKC also makes `ﬁ` `fi` and `²` `2`, which changes formulas."""
    max_chars: int = Field(default=2_000_000, ge=1)
    """A record with more text passes as it is."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Change]:
        async def change(records: Sequence[Record]) -> Sequence[Record]:
            return [await self._changed(record, tools) for record in records]

        yield change

    def edit(self, record: Record) -> Record:
        """The same without worker processes, for scripts."""
        texts = self._texts(record)
        return self._rebuilt(record, texts, [mended(text, self.kinds, self.form) for text in texts])

    async def _changed(self, record: Record, tools: Tools) -> Record:
        texts = self._texts(record)
        size = sum(map(len, texts))
        if size <= HERE or size > self.max_chars:
            return self.edit(record) if size <= HERE else record
        safe = [text.encode("utf-8", "replace").decode() for text in texts]
        question = {"texts": safe, "kinds": self.kinds, "form": self.form}
        try:
            answers = await tools.workers.call(f"{__package__}._mend:mended_all", question, timeout_s=TIMEOUT_S)
        except WorkerFault:
            return record
        return self._rebuilt(record, texts, [(text, Counter(counts)) for text, counts in answers])

    def _texts(self, record: Record) -> list[str]:
        """Every text that may be mended, in the order in which `_rebuilt` asks for it."""
        texts: list[str] = []

        def noted(text: str) -> str:
            texts.append(text)
            return text

        self._walk(record, noted)
        return texts

    def _rebuilt(self, record: Record, texts: list[str], answers: list[tuple[str, Counter[str]]]) -> Record:
        if all(text == new for text, (new, _) in zip(texts, answers, strict=True)):
            return record
        counts = sum((found for _, found in answers), Counter[str]())
        new = iter(answers)
        content = self._walk(record, lambda _: next(new)[0])
        return record.derive(self.part_name(), content, changed={kind: counts[kind] for kind in KINDS if counts[kind]})

    def _walk(self, record: Record, each: Walker) -> Conversation | Preference | ScoredSteps | PlainText:
        """The content with `each` applied to every text that may be mended."""

        def turns(messages: tuple[Message, ...]) -> tuple[Message, ...]:
            return tuple(self._turn(message, each) for message in messages)

        match record.content:
            case Conversation() as content:
                return content.model_copy(update={"messages": turns(content.messages)})
            case Preference() as content:
                return content.model_copy(
                    update={side: turns(getattr(content, side)) for side in ("prompt", "chosen", "rejected")},
                )
            case ScoredSteps() as content:
                prompt = turns(content.prompt)
                if "answer" not in self.parts:
                    return content.model_copy(update={"prompt": prompt})
                steps = tuple(step.model_copy(update={"text": each(step.text)}) for step in content.steps)
                return content.model_copy(update={"prompt": prompt, "steps": steps})
            case content:
                return content.model_copy(update={"text": each(content.text)}) if "answer" in self.parts else content

    def _turn(self, message: Message, each: Walker) -> Message:
        update: dict[str, object] = {}
        if message.role == "assistant" and message.reasoning is not None and "reasoning" in self.parts:
            update["reasoning"] = each(message.reasoning)
        if _ROLES.get(message.role) in self.parts:
            if isinstance(message.content, str):
                update["content"] = each(message.content)
            else:
                update["content"] = tuple(self._media(part, each) for part in message.content)
        return message.model_copy(update=update) if update else message

    def _media(self, part: Media, each: Walker) -> Media:
        return part.model_copy(update={"text": each(part.text)}) if part.type == "text" else part


_ROLES: dict[str, Where] = {"system": "system", "user": "prompt", "assistant": "answer"}
