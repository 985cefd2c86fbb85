"""ifd: what it costs beside the calls; questions with their own answers told from questions with somebody else's."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from collections.abc import Iterator as Iter
from contextlib import asynccontextmanager
from typing import Any

from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Backend, Reply, Request, Usage
from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain

from ._judges import first_rate, judged
from ._records import worked

VOCABULARY = 50_000
PART = {"use": "ifd"}


def speed() -> Iter[Line]:
    records, _ = asked(1000)
    yield plain(
        "1,000 answers of 60 tokens, a scorer that answers at once (2 calls each)", first_rate(PART, records, scorer=Cache(name="fast"))
    )


def accuracy() -> Iter[Line]:
    """How often a question with somebody else's answer has the higher ratio, of all pairs of a right and a wrong one."""
    records, own = asked(1000)
    for ratio in ("perplexity", "loss"):
        found = judged({**PART, "ratio": ratio}, records, scorer=Cache(name="cache"))
        right = [one.score for one, mine in zip(found, own, strict=True) if mine and one.score is not None]
        strange = [one.score for one, mine in zip(found, own, strict=True) if not mine and one.score is not None]
        higher = sum(other > mine for mine in right for other in strange) / (len(right) * len(strange))
        yield above(f"1,000 questions, half with an answer to another one: these have the higher {ratio} ratio", higher, 0.95, "")


def asked(n: int) -> tuple[list[Record], list[bool]]:
    """Worked solutions, every other one behind the question of the next but some, and whether question and answer belong together."""
    source = worked(n)
    records, own = [], []
    for number, record in enumerate(source):
        strange = number % 2 == 1
        question = source[(number + 37) % n].prompt if strange else record.prompt
        last = record.response
        text = f"{last.reasoning} {last.text}" if last is not None else ""
        records.append(Record(content=Conversation(messages=(user(question), assistant(text))), origin=str(number)))
        own.append(not strange)
    return records, own


class Cache(Scripted):
    """A language model in twenty lines: a word is likely if it stood in the text before, more so behind the word it stood behind then."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Backend]:  # type: ignore[override]
        async with super().open() as backend:
            yield _CacheBackend(backend)  # type: ignore[misc]


class _CacheBackend:
    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.capabilities = backend.capabilities
        self._ids: dict[str, int] = {}

    def _of(self, text: str) -> list[int]:
        return [self._ids.setdefault(word, len(self._ids) + 3) for word in re.findall(r"\w+|\S", text)]

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        if isinstance(messages, str):
            return self._of(messages)
        return [0, *(token for m in messages for token in (1, *self._of(m["content"]), 2)), *([1] if add_generation_prompt else [])]

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        ids, seen, pairs = list(request.prompt), dict[int, int](), dict[tuple[int, int], int]()
        values: list[float | None] = []
        for at, token in enumerate(ids):
            before = ids[at - 1] if at else -1
            behind = pairs.get((before, token), 0) / max(1, seen.get(before, 0))
            values.append(math.log(0.3 / VOCABULARY + 0.3 * seen.get(token, 0) / max(1, at) + 0.4 * min(1.0, behind)))
            seen[token] = seen.get(token, 0) + 1
            pairs[before, token] = pairs.get((before, token), 0) + 1
        return [Reply(token_ids=tuple(ids), logprobs=(None, *values[1:]), usage=Usage(prompt_tokens=len(ids)))]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)
