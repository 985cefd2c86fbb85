"""The engines behind `use: vllm`: each call to the one with the least to do, a dead one started again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from ..core.backend import Capability, Probe, Reply, Request, Usage, Vector, Vectors
from ..core.errors import BackendFatal, BadResponse, CallError, DatalchemyError, DeadlineExceeded, RecipeError, Rejected, ServerFault
from ._openai_shape import sampling_fields
from ._vllm_child import Child, start

if TYPE_CHECKING:
    from .vllm import Vllm

_RESTARTS, _WITHIN_S = 3, 600.0
_POOLING: dict[str, frozenset[Capability]] = {"embed": frozenset({"embed"}), "classify": frozenset({"score"})}
_WRITING: frozenset[Capability] = frozenset(
    {"chat", "complete", "token_ids", "prompt_logprobs", "logprobs", "json_schema", "tools", "n", "seed", "template"}
)


class _Seat:
    """A place for one engine, with its GPUs."""

    def __init__(self, devices: str) -> None:
        self.devices = devices
        self.child: Child | None = None
        self.starting: asyncio.Task[None] | None = None
        self.broken: DatalchemyError | None = None
        """Why it is not started again."""

    @property
    def ready(self) -> bool:
        return self.starting is None and self.child is not None and not self.child.lost


class VllmBackend:
    """A Backend. Calls in flight when an engine dies raise Disconnected(`backend_died`); it is started again at once.

    Meanwhile the other engines take the calls; with none left they wait. After 3 restarts within 10 minutes a further death
    is BackendFatal, with the last lines of the log.
    """

    def __init__(self, endpoint: Vllm, python: str) -> None:
        self.capabilities: frozenset[Capability] = _POOLING.get(endpoint.task, _WRITING)
        self._endpoint, self._python = endpoint, python
        self._served = endpoint.who()
        self._seats = [
            _Seat(",".join(str(device) for device in endpoint.devices[at]) if endpoint.devices else "") for at in range(endpoint.engines)
        ]
        self._restarts: deque[float] = deque(maxlen=_RESTARTS)
        self._closed = False

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.TaskGroup() as group:
                for seat in self._seats:
                    group.create_task(self._fill(seat))
        except BaseExceptionGroup as errors:
            await self.__aexit__()
            raise errors.exceptions[0] from None
        except BaseException:
            await self.__aexit__()
            raise
        try:
            self._look_at(self._told)
        except RecipeError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closed = True
        for seat in self._seats:
            if seat.starting is not None:
                seat.starting.cancel()
        await asyncio.gather(*(seat.starting for seat in self._seats if seat.starting is not None), return_exceptions=True)
        await asyncio.gather(*(seat.child.end() for seat in self._seats if seat.child is not None))

    def _look_at(self, told: Mapping[str, Any]) -> None:
        """What the engine is decides what it can do. Raises RecipeError where it is not what `task` says."""
        if self._endpoint.task not in told["tasks"]:
            raise RecipeError(
                f"{self._endpoint.path} cannot `{self._endpoint.task}`; as vLLM loads it, it can: {', '.join(told['tasks']) or 'nothing'}"
            )
        if not told["template"]:
            self.capabilities -= {"chat", "score", "template", "tools"}
        if self._endpoint.tool_parser is None:
            self.capabilities -= {"tools"}

    @property
    def _told(self) -> dict[str, Any]:
        return next(seat.child.told for seat in self._seats if seat.child is not None)

    async def _fill(self, seat: _Seat) -> None:
        """Start its engine, the old one ended first (a GPU has no room for both)."""
        endpoint = self._endpoint
        if (old := seat.child) is not None:
            await old.end()
        settings = {
            "arguments": endpoint.arguments(),
            "lora": {name: str(path.expanduser().absolute()) for name, path in endpoint.lora.items()},
            "adapter": endpoint.adapter,
            "tool_parser": endpoint.tool_parser,
            "task": endpoint.task,
            "served": endpoint.path,
        }
        seat.child = await start(self._python, settings, devices=seat.devices, offline=endpoint.offline, within_s=endpoint.start_s)

    async def _engine(self) -> Child:
        """The living engine with the least to do. Raises BackendFatal, RecipeError."""
        while True:
            if self._closed:
                raise BackendFatal("the model is closed: use it inside `async with endpoint.open()`")
            for seat in self._seats:
                self._tend(seat)
            if alive := [seat.child for seat in self._seats if seat.ready and seat.child is not None]:
                return min(alive, key=lambda child: child.outstanding)
            starting = [seat.starting for seat in self._seats if seat.starting is not None]
            if not starting:
                raise next(seat.broken for seat in self._seats if seat.broken is not None)
            await asyncio.wait(starting, return_when=asyncio.FIRST_COMPLETED)

    def _tend(self, seat: _Seat) -> None:
        """Start its engine again where that is dead."""
        if seat.ready or seat.starting is not None or seat.broken is not None:
            return
        now = monotonic()
        if len(self._restarts) == _RESTARTS and now - self._restarts[0] < _WITHIN_S:
            last = seat.child.epitaph() if seat.child is not None else ""
            seat.broken = BackendFatal(f"vLLM died {_RESTARTS + 1} times within {_WITHIN_S / 60:.0f} minutes; the last time: {last}")
            return
        self._restarts.append(now)
        seat.starting = asyncio.ensure_future(self._refill(seat))

    async def _refill(self, seat: _Seat) -> None:
        try:
            await self._fill(seat)
        except DatalchemyError as error:
            seat.broken = error
        finally:
            seat.starting = None

    async def _call(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Raises CallError, BackendFatal."""
        engine = await self._engine()
        limit = min(self._endpoint.deadlines.first_byte_s, self._endpoint.deadlines.total_s)
        try:
            async with asyncio.timeout(limit):
                answer = await engine.call(frame)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within {limit:g} s (`deadlines`)", reason="total_deadline") from error
        if "error" in answer:
            raise _error(answer)
        return answer

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        if self._endpoint.task != "generate":
            raise BackendFatal(f"`vllm` with `task: {self._endpoint.task}` writes no text: name another model for that")
        if request.tools and "tools" not in self.capabilities:
            raise Rejected("how this model writes tool calls is not known: name vLLM's parser in `tool_parser`", reason="unsupported")
        if n > 1 and (request.kind == "prompt_logprobs" or request.sampling.temperature == 0):  # they do not differ, and vLLM refuses
            [reply] = await self.send(request, seed=seed)
            return [reply, *[reply.model_copy(update={"usage": Usage()})] * (n - 1)]
        rows = (await self._call(_frame(request, seed, n)))["replies"]
        if len(rows) != n:
            raise BadResponse(f"wrong_n: {len(rows)} answers where {n} were asked for", reason="wrong_n")
        return [_reply(row, self._served) for row in rows]

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        if "embed" not in self.capabilities:
            raise BackendFatal("`vllm` gives vectors with `task: embed` alone: name another model for embeddings")
        if not texts:
            return []
        answer = await self._call({"kind": "embed", "texts": list(texts)})
        return Vectors(answer["rows"], Usage(prompt_tokens=sum(answer["tokens"])))

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        if "score" not in self.capabilities or any(request.kind != "score" for request in requests):
            raise BackendFatal("`vllm` scores whole conversations, with `task: classify` alone (`reward_server` scores steps)")
        if not requests:
            return []
        answer = await self._call({"kind": "score", "chats": [request.messages for request in requests]})
        if labels := next((len(row) for row in answer["rows"] if len(row) != 1), 0):
            raise BackendFatal(f"{self._endpoint.path} has {labels} labels; a reward model has one")
        return [
            Reply(values=(row[0],), usage=Usage(prompt_tokens=tokens), model=self._served)
            for row, tokens in zip(answer["rows"], answer["tokens"], strict=True)
        ]

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        asked = {"text": messages} if isinstance(messages, str) else {"messages": list(messages), "open": add_generation_prompt}
        ids: list[int] = (await self._call({"kind": "tokenize", **asked}))["ids"]
        return ids

    async def probe(self) -> Probe:
        try:
            told = (await self._engine()).told
        except DatalchemyError as error:
            return Probe(reachable=False, detail=str(error), server="vllm")
        names = (self._endpoint.path, *self._endpoint.lora)
        return Probe(
            reachable=True,
            detail=told["version"],
            models=names,
            context=told["context"],
            chat_template=told["template"],
            template_from="tokenizer files" if told["template"] else "",
            server="vllm",
        )


def _frame(request: Request, seed: int | None, n: int) -> dict[str, Any]:
    """What `_vllm_asks.py` reads. Fields are spelled as for vLLM's server, so that one recipe serves both."""
    frame: dict[str, Any] = {
        "kind": request.kind,
        "fields": sampling_fields(request.sampling),
        "auto": request.sampling.max_tokens == "auto",
        "seed": None if seed is None else seed & 0x7FFFFFFF,
        "n": n,
        "logprobs": request.logprobs,
    }
    if request.kind == "chat":
        frame["messages"] = request.messages
    else:
        frame["prompt"] = request.prompt
    if request.tools:
        frame["tools"] = [tool if "function" in tool else {"type": "function", "function": tool} for tool in request.tools]
    if request.json_schema is not None:
        frame["schema"] = request.json_schema
    return frame


def _reply(row: Mapping[str, Any], model: str) -> Reply:
    reason = row["finish_reason"]
    return Reply(
        text=row["text"],
        tool_calls=tuple(row.get("tool_calls", ())),
        finish_reason=reason if reason in ("stop", "length", "tool_calls") else "other",
        usage=Usage(prompt_tokens=row.get("prompt", 0), completion_tokens=row["made"], cached_tokens=row.get("cached", 0)),
        model=model,
        token_ids=tuple(row.get("ids", ())),
        logprobs=tuple(row.get("logprobs", ())),
    )


def _error(answer: Mapping[str, Any]) -> CallError:
    reason, message = str(answer["error"]), str(answer["message"])
    if reason == "fault":
        return ServerFault(message)
    if reason == "bad_number":
        return BadResponse(f"bad_number: {message}", reason="bad_number")
    return Rejected(message, reason=reason)
