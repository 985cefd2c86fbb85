"""One model of a run: response store, budget and guard around its backend, and the handle that strategies hold."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from ..backends._guard import Guard
from ..core.backend import Capability, Probe, Reply, Request, Sampling, Usage, Vector
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ..core.record import Message
from . import many
from .budget import Purse, dollars, most_prompt_tokens
from .keys import Identity, store_key, wire_seed
from .recipe import Reuse
from .store import ResponseStore

UNKNOWN_CONTEXT = 32_768
"""What a call with `max_tokens: auto` reserves where nobody tells the context length."""


class Spending:
    """Running totals of one model, over all sessions of a run."""

    def __init__(self, before: Mapping[str, float]) -> None:
        self.calls = int(before.get("calls", 0))
        self.reused = int(before.get("reused", 0))
        self.retries = int(before.get("retries", 0))
        self.prompt_tokens = int(before.get("prompt_tokens", 0))
        self.completion_tokens = int(before.get("completion_tokens", 0))
        self.dollars = before.get("dollars", 0.0)

    def dump(self) -> dict[str, float]:
        return dict(vars(self))


class Asker:
    """Asks one model: from the store where it was paid for, else within the budget, through the guard, into the store."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        guard: Guard,
        store: ResponseStore,
        purse: Purse,
        *,
        reuse: Reuse,
        run_started: float,
        before: Mapping[str, float],
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.guard = guard
        self.store = store
        self.purse = purse
        self.reuse = reuse
        self.run_started = run_started
        self.spending = Spending(before)
        self.identity = endpoint.stored_as
        self.seeded = "seed" in guard.capabilities
        self.paused = ""
        """Why calls wait, while the backend is taken to be down."""
        self.sends = 0
        """Calls that went to the guard; its attempts beyond them are retries."""
        self.flights: dict[bytes, asyncio.Future[Reply]] = {}
        self._tokenized: dict[bytes, asyncio.Future[list[int]]] = {}
        self._probe: asyncio.Future[Probe] | None = None

    def totals(self) -> dict[str, float]:
        """Running totals over all sessions of the run, for the ledger."""
        before = self.spending.dump()
        return {**before, "retries": before["retries"] + max(0, self.guard.attempts - self.sends)}

    async def ask(self, request: Request, call_seed: bytes) -> Reply:
        """The answer to one request; asked at most once, ever. Raises CallError, BackendFatal or BudgetExhausted."""
        key = store_key(self.store.tenant, self.identity, request, call_seed)
        while (flight := self.flights.get(key)) is not None:
            try:
                return await asyncio.shield(flight)
            except asyncio.CancelledError:
                if not flight.cancelled():
                    raise
        if (reply := self.stored(key)) is not None:
            self.spending.reused += 1
            return self._finished(reply, request, call_seed, key, reused=True)
        flight = self.flights[key] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._pay(request, call_seed, key)
        except BaseException as error:
            if isinstance(error, Exception):
                flight.set_exception(error)
                flight.exception()
            else:
                flight.cancel()
            raise
        finally:
            del self.flights[key]
        finished = self._finished(reply, request, call_seed, key, reused=False)
        flight.set_result(finished)
        return finished

    def stored(self, key: bytes) -> Reply | None:
        found = self.store.get(key)
        if found is None:
            return None
        reply, created = found
        if reply.finish_reason in self.reuse.exclude and created < self.run_started:
            return None
        return reply

    async def _pay(self, request: Request, call_seed: bytes, key: bytes) -> Reply:
        most, cost = await self._most(request)
        await self.purse.reserve(most, cost)
        self.sends += 1
        usage, paid = Usage(), 0.0
        try:
            (reply,) = await self.guard.send(request, seed=wire_seed(call_seed) if self.seeded else None)
            usage, paid = reply.usage, dollars(reply.usage, self.endpoint.effective_price)
        finally:
            self.purse.settle(most, cost, usage, paid)
        spending = self.spending
        spending.calls += 1
        spending.prompt_tokens += usage.prompt_tokens
        spending.completion_tokens += usage.completion_tokens
        spending.dollars += paid
        await self.store.put(key, self.identity, reply)
        return reply

    async def _most(self, request: Request) -> tuple[int, float]:
        """Tokens and dollars that a request can take at most; (0, 0) where no such ceiling binds."""
        if not self.purse.binds:
            return 0, 0.0
        prompt = most_prompt_tokens(request)
        completion = request.sampling.max_tokens
        if not isinstance(completion, int):
            completion = await self.context() or UNKNOWN_CONTEXT
        return prompt + completion, dollars(Usage(prompt_tokens=prompt, completion_tokens=completion), self.endpoint.effective_price)

    def _finished(self, reply: Reply, request: Request, call_seed: bytes, key: bytes, *, reused: bool) -> Reply:
        return reply.model_copy(
            update={
                "model": reply.model or self.identity,
                "sampling": request.sampling.model_dump(exclude_defaults=True),
                "seed": wire_seed(call_seed) if self.seeded else None,
                "key": key.hex(),
                "reused": reused,
            }
        )

    async def context(self) -> int | None:
        if self.endpoint.context_length is not None:
            return self.endpoint.context_length
        if self._probe is None:
            self._probe = asyncio.ensure_future(self.guard.backend.probe())
        return (await asyncio.shield(self._probe)).context

    async def tokenize(self, messages: tuple[Mapping[str, Any], ...] | str, add_generation_prompt: bool) -> list[int]:
        """Token ids, remembered for the run (templates are asked for again and again)."""
        request = Request(kind="chat", messages=messages) if not isinstance(messages, str) else Request(kind="complete", prompt=messages)
        key = store_key("tokenize", str(add_generation_prompt), request, b"")
        known = self._tokenized.get(key)
        if known is None or (known.done() and (known.cancelled() or known.exception())):
            if len(self._tokenized) > 1000:
                self._tokenized.clear()
            self.sends += 1
            known = self._tokenized[key] = asyncio.ensure_future(self.guard.tokenize(messages, add_generation_prompt=add_generation_prompt))
        return await asyncio.shield(known)


class BoundModel:
    """The Model that a strategy or filter holds: an Asker bound to one part and one seed record."""

    __slots__ = ("_asker", "_away", "_base", "_identity", "_seen", "capabilities", "identity", "name")

    def __init__(
        self,
        asker: Asker,
        identity: Identity,
        seen: deque[Reply],
        defaults: Sampling,
        away: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._asker = asker
        self._away = nullcontext if asker.endpoint.in_process else away
        self._base = asker.endpoint.sampling.over(defaults)
        self._identity = identity
        self._seen = seen
        self.name = asker.name
        self.identity = asker.identity
        self.capabilities: frozenset[Capability] = asker.guard.capabilities

    async def context(self) -> int | None:
        with self._away():
            return await self._asker.context()

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
        request = Request(
            kind="chat",
            messages=tuple(wire(message) for message in messages),
            sampling=self._sampling(sampling),
            json_schema=json_schema,
            tools=tuple(tools),
        )
        return await self._ask(request, path, sample)

    async def complete(self, prompt: str | Sequence[int], *, path: str, sample: int = 0, sampling: Sampling | None = None) -> Reply:
        return await self._ask(Request(kind="complete", prompt=_raw(prompt), sampling=self._sampling(sampling)), path, sample)

    async def prompt_logprobs(self, prompt: str | Sequence[int], *, path: str) -> Reply:
        return await self._ask(
            Request(kind="prompt_logprobs", prompt=_raw(prompt), sampling=Sampling(max_tokens=1, temperature=0)), path, 0
        )

    async def tokenize(self, messages: Sequence[Message] | str, *, add_generation_prompt: bool = True) -> list[int]:
        plain = messages if isinstance(messages, str) else tuple(wire(message) for message in messages)
        with self._away():
            return await self._asker.tokenize(plain, add_generation_prompt)

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        with self._away():
            return await many.embed(self._asker, texts)

    async def score(self, conversations: Sequence[Sequence[Message]], *, step_tag: str = "") -> list[Reply]:
        kind: Literal["steps", "score"] = "steps" if step_tag else "score"
        requests = [
            Request(kind=kind, messages=tuple(wire(message) for message in messages), step_tag=step_tag) for messages in conversations
        ]
        with self._away():
            return await many.score(self._asker, requests)

    async def _ask(self, request: Request, path: str, sample: int) -> Reply:
        with self._away():
            reply = await self._asker.ask(request, self._identity.call_seed(path, sample))
        self._seen.append(reply)
        return reply

    def _sampling(self, own: Sampling | None) -> Sampling:
        return self._base if own is None else own.over(self._base)


def _raw(prompt: str | Sequence[int]) -> str | tuple[int, ...]:
    return prompt if isinstance(prompt, str) else tuple(prompt)


def wire(message: Message) -> dict[str, Any]:
    """A message as the OpenAI shape has it; the reasoning of earlier turns is not sent (as chat templates drop it too)."""
    out: dict[str, Any] = {"role": message.role}
    if isinstance(message.content, str):
        out["content"] = message.content
    else:
        out["content"] = [
            {"type": "text", "text": part.text}
            if part.type == "text"
            else {"type": f"{part.type}_url", f"{part.type}_url": {"url": part.url}}
            for part in message.content
        ]
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        out["name"] = message.name
    return out


def find_asker(askers: Mapping[str, Asker], name: str) -> Asker:
    if name not in askers:
        raise RecipeError(f"no model named {name!r} in `models`; there are: {', '.join(sorted(askers)) or 'none'}")
    return askers[name]
