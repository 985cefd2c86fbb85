"""A small double of what the engine hands to a strategy: a scripted model that remembers its calls, and filters as functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any

import pytest
from datalchemy.core.backend import Capability, Reply, Sampling, Usage
from datalchemy.core.part import Generator, Rendered, Workers
from datalchemy.core.record import Message, Record, Verdict
from datalchemy.prompts import Wordings


@dataclass(frozen=True)
class Call:
    kind: str
    prompt: Any
    path: str
    sample: int = 0
    sampling: Sampling | None = None
    tools: tuple[Any, ...] = ()
    json_schema: Any = None

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(turn.role, turn.text) for turn in self.prompt]

    @property
    def asked(self) -> str:
        return self.prompt[-1].text

    @property
    def number(self) -> int:
        """A number that depends on what is asked and on nothing else."""
        return int.from_bytes(blake2b(repr((self.kind, self.prompt, self.path, self.sample)).encode(), digest_size=4).digest(), "big")


@dataclass
class ScriptedModel:
    """Answers with `say(call)`: a text or a Reply. `latency(call)` is the number of turns of the event loop it takes."""

    say: Callable[[Call], str | Reply]
    latency: Callable[[Call], int] = lambda call: 0
    render: Callable[[Sequence[Message], bool], list[int]] | None = None
    encode: Callable[[str], list[int]] = lambda text: [1000 + ord(letter) for letter in text]
    name: str = "teacher"
    capabilities: frozenset[Capability] = frozenset({"chat", "complete", "token_ids", "template"})
    calls: list[Call] = field(default_factory=list)
    finished: list[Call] = field(default_factory=list)

    async def context(self) -> int | None:
        return 4096

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        path: str,
        sample: int = 0,
        sampling: Sampling | None = None,
        json_schema: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Reply:
        return await self._answer(Call("chat", tuple(messages), path, sample, sampling, tuple(tools), json_schema))

    async def complete(self, prompt: str | Sequence[int], *, path: str, sample: int = 0, sampling: Sampling | None = None) -> Reply:
        return await self._answer(Call("complete", prompt if isinstance(prompt, str) else tuple(prompt), path, sample, sampling))

    async def tokenize(self, messages: Sequence[Message] | str, *, add_generation_prompt: bool = True) -> list[int]:
        if isinstance(messages, str):
            return self.encode(messages)
        assert self.render is not None, "this test gave the model no chat template"
        return self.render(messages, add_generation_prompt)

    async def prompt_logprobs(self, prompt: str | Sequence[int], *, path: str) -> Reply:
        raise NotImplementedError

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        raise NotImplementedError

    async def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        raise NotImplementedError

    async def _answer(self, call: Call) -> Reply:
        self.calls.append(call)
        for _ in range(self.latency(call)):
            await asyncio.sleep(0)
        said = self.say(call)
        self.finished.append(call)
        reply = said if isinstance(said, Reply) else Reply(text=said)
        return reply.model_copy(
            update={
                "model": "scripted@1",
                "key": f"{call.number:08x}",
                "seed": call.number,
                "usage": Usage(prompt_tokens=10, completion_tokens=len(reply.text)),
                "sampling": call.sampling.model_dump(exclude_unset=True) if call.sampling else {},
            }
        )


@dataclass
class Double:
    """Tools of one seed. `filters` maps a filter's name to a function of one record."""

    teacher: ScriptedModel
    filters: Mapping[str, Callable[[Record], Verdict]] = field(default_factory=dict)
    language: str = "en"
    seed: int = 7
    judged: list[tuple[str, list[Record]]] = field(default_factory=list)

    @property
    def workers(self) -> Workers:
        raise NotImplementedError

    def model(self, name: str) -> ScriptedModel:
        assert name == self.teacher.name
        return self.teacher

    def rng(self, path: str = "") -> Random:
        return Random(f"{self.seed}/{path}")

    def render(self, prompt: str, **values: Any) -> Rendered:
        return Wordings(self.language).render(prompt, **values)

    async def judge(self, name: str, records: Sequence[Record]) -> list[Verdict]:
        self.judged.append((name, list(records)))
        return [self.filters[name](record) for record in records]

    def has_filter(self, name: str) -> bool:
        return name in self.filters


async def run(strategy: Generator, seed: Record, tools: Double) -> list[Record]:
    return [record async for record in strategy.generate(seed, tools)]


@pytest.fixture(scope="session")
def scripted() -> type[ScriptedModel]:
    return ScriptedModel


@pytest.fixture(scope="session")
def double() -> type[Double]:
    return Double


@pytest.fixture(scope="session")
def yielded() -> Callable[..., Any]:
    """All records that a strategy makes of one seed."""
    return run
