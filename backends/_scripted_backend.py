"""The connection behind `use: scripted`: everything it says is a pure function of the request, the seed and the attempt."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from random import Random
from typing import Any, Self

from ..core.backend import Capability, Probe, Reply, Request, Usage, Vector
from ..core.errors import BackendFatal, BadResponse, CallError, DeadlineExceeded, Disconnected, RateLimited, Rejected, ServerFault, nearest

Function = Callable[[Request, int | None], str | Reply | Awaitable[str | Reply]]
"""(request, seed) -> the answer; it may raise a CallError."""

_KINDS: tuple[tuple[type[CallError], tuple[str, ...]], ...] = (
    (RateLimited, ("rate_limited",)),
    (ServerFault, ("server_fault",)),
    (Disconnected, ("disconnected", "connect_failed")),
    (DeadlineExceeded, ("connect_deadline", "first_byte_deadline", "idle_deadline", "total_deadline")),
    (
        BadResponse,
        ("bad_json", "not_json", "no_choices", "wrong_n", "null_content", "bad_number", "bad_text", "bad_shape", "cut_body", "too_large"),
    ),
    (Rejected, ("rejected",)),
)


def check_fault(name: str) -> str:
    """The name itself. Raises ValueError where it is none, naming those there are."""
    known = [*(reason for _, reasons in _KINDS for reason in reasons), "fatal"]
    if name not in known:
        raise ValueError(f"no fault named {name!r}; {nearest(name, known)}")
    return name


def fault(name: str) -> CallError | BackendFatal:
    """The error of that name."""
    for kind, reasons in _KINDS:
        if name in reasons:
            return kind(f"scripted fault: {name}", reason=name, raw=b"scripted fault" if kind is BadResponse else b"")
    return BackendFatal("scripted fault: fatal")


def key(request: Request, seed: int | None) -> str:
    """16 hex digits of what was asked."""
    asked = json.dumps([request.model_dump(exclude_defaults=True), seed], sort_keys=True, default=str)
    return blake2b(asked.encode(), digest_size=8).hexdigest()


def question(request: Request) -> str:
    """What a script answers: the last user turn of a chat, the text of a raw prompt (ids below 256 are bytes)."""
    if request.kind not in ("chat", "score", "steps"):
        return request.prompt if isinstance(request.prompt, str) else _text_of(request.prompt)
    return next((_plain(m.get("content")) for m in reversed(request.messages) if m.get("role") == "user"), "")


def said_by(mode: str, prompt: str, seed: int | None) -> str:
    """The answer of a built-in mode."""
    if mode == "upper":
        return prompt.upper()
    if mode == "echo":
        return prompt
    mark = blake2b(f"{seed}\0{prompt}".encode("utf-8", "surrogatepass"), digest_size=8)
    if mode == "digest":
        return mark.hexdigest()
    number = int.from_bytes(mark.digest(), "big") % 100
    return f"<think>\nThe question is: {prompt}\nSo it is {number}.\n</think>\n\nThe answer is \\boxed{{{number}}}."


class ScriptedBackend:
    """Answers by a function, after a draw of its fate."""

    def __init__(
        self,
        *,
        name: str,
        answer: Function,
        capabilities: frozenset[Capability],
        faults: Mapping[str, float],
        fault_seed: int,
        latency_s: float,
        dimensions: int,
        context: int,
        calls: Counter[str],
        tried: Counter[str],
    ) -> None:
        self.capabilities = capabilities
        self.calls, self.tried = calls, tried
        self._name, self._answer = name, answer
        self._faults, self._fault_seed = faults, fault_seed
        self._latency_s, self._dimensions, self._context = latency_s, dimensions, context

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        mark = key(request, seed)
        self._fate(mark)
        if self._latency_s:
            await asyncio.sleep(self._latency_s * (0.5 + _unit(mark, "latency")))
        if request.kind == "prompt_logprobs":
            replies = [self._prompt_logprobs(request)] * n
        else:
            replies = [await self._reply(request, seed, sample) for sample in range(n)]
        self.calls[mark] += 1
        return replies

    def _fate(self, mark: str) -> None:
        attempt = self.tried[mark]
        self.tried[mark] += 1
        draw = _unit(self._fault_seed, mark, attempt)
        for name, share in self._faults.items():
            draw -= share
            if draw < 0:
                raise fault(name)

    async def _reply(self, request: Request, seed: int | None, sample: int) -> Reply:
        said = self._answer(request, None if seed is None else seed + sample)
        if inspect.isawaitable(said):
            said = await said
        if isinstance(said, Reply):
            return said
        most = request.sampling.max_tokens
        cut = isinstance(most, int) and len(_bytes(said)) > most
        text = _text_of(_bytes(said)[:most], "ignore") if cut and isinstance(most, int) else said
        ids = tuple(_bytes(text))
        asked = sum(len(_bytes(_plain(m.get("content")))) for m in request.messages) + len(_bytes(request.prompt))
        return Reply(
            text=text,
            finish_reason="length" if cut else "stop",
            usage=Usage(prompt_tokens=asked, completion_tokens=len(ids)),
            model=self._name,
            token_ids=ids if request.logprobs or request.kind == "complete" else (),
            logprobs=_pseudo_logprobs(ids) if request.logprobs else (),
        )

    def _prompt_logprobs(self, request: Request) -> Reply:
        ids = _bytes(request.prompt)
        usage = Usage(prompt_tokens=len(ids), completion_tokens=1)
        return Reply(token_ids=tuple(ids), logprobs=(None, *_pseudo_logprobs(ids)[1:]), model=self._name, usage=usage)

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return [_unit_vector(text, self._dimensions) for text in texts]

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        """By `function` where it gives a Reply with values, else drawn from the text (a raw score between -4 and 4, a step's in [0, 1))."""
        return [await self._scored(request) for request in requests]

    async def _scored(self, request: Request) -> Reply:
        mark = key(request, None)
        self._fate(mark)
        said = self._answer(request, None)
        reply = await said if inspect.isawaitable(said) else said
        if not isinstance(reply, Reply):
            last = _plain(request.messages[-1].get("content")) if request.messages else ""
            steps = last.split(request.step_tag)[:-1] if request.kind == "steps" else []
            values = [_unit("step", step) for step in steps] if steps else [8 * _unit("score", question(request), last) - 4]
            asked = sum(len(_bytes(_plain(m.get("content")))) for m in request.messages)
            reply = Reply(values=tuple(values), model=self._name, usage=Usage(prompt_tokens=asked))
        self.calls[mark] += 1
        return reply

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        if isinstance(messages, str):
            return list(_bytes(messages))
        turns = "".join(f"<|im_start|>{m.get('role', 'user')}\n{_plain(m.get('content'))}<|im_end|>\n" for m in messages)
        return list(_bytes(turns + "<|im_start|>assistant\n" * add_generation_prompt))

    async def probe(self) -> Probe:
        return Probe(reachable=True, models=(self._name,), context=self._context, server="scripted")


def _unit(*parts: object) -> float:
    """A number in [0, 1) that the parts decide."""
    mark = blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8)
    return (int.from_bytes(mark.digest(), "big") >> 11) / (1 << 53)


def _unit_vector(text: str, dimensions: int) -> list[float]:
    rng = Random(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    vector = [rng.gauss(0, 1) for _ in range(dimensions)]
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def _pseudo_logprobs(ids: Sequence[int]) -> tuple[float, ...]:
    """Of each token after the one before it, between -4 and 0."""
    return tuple(-4 * _unit(ids[at - 1] if at else "", token) for at, token in enumerate(ids))


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or ())


def _bytes(prompt: str | Sequence[int]) -> Sequence[int]:
    return prompt.encode("utf-8", "surrogatepass") if isinstance(prompt, str) else prompt


def _text_of(ids: Sequence[int], errors: str = "replace") -> str:
    return bytes(i for i in ids if 0 <= i < 256).decode("utf-8", errors)
