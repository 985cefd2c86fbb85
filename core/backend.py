"""The shape of a model: what can be asked of it, what comes back, and who may ask.

Two shapes: a `Backend` sends one request to one place (a file in backends/), a `Model` is what strategies and filters
hold: the same with seeds, limits, retries, budget and the response store wrapped around it, once, by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from .frozen import Frozen

if TYPE_CHECKING:
    from .record import Message

Capability = Literal[
    "chat",
    "complete",
    "token_ids",
    "prompt_logprobs",
    "logprobs",
    "embed",
    "score",
    "steps",
    "json_schema",
    "tools",
    "n",
    "seed",
    "template",
]
"""What a backend can be asked for. `token_ids`: raw completion of a list of ids; `template`: renders its own chat template;
`score`: one raw score a conversation; `steps`: a score for each step of its last answer."""

Vector = Sequence[float]
"""An embedding; a numpy row will do."""

Reasoning = Literal["inline", "field", "hidden", "none"]
"""Where a model's thinking is: in `<think>` tags within the text, split off by the server, paid for and not shown, nowhere."""

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "other"]


class Sampling(Frozen):
    """Sampling parameters; None means: the server's own default."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | Literal["auto"] | None = None
    """`auto` leaves room to the end of the context."""
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    reasoning_effort: str | None = None
    extra: Mapping[str, Any] = {}
    """Further fields for the request body, as the server spells them."""

    def over(self, base: Sampling) -> Sampling:
        """These settings where given, else those of `base`."""
        return base.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class Usage(Frozen):
    """Tokens of one or more calls."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    """Part of completion_tokens, where the server tells."""
    cached_tokens: int = 0
    """Part of prompt_tokens that the server found in its prefix cache, where it tells."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Request(Frozen):
    """One thing asked of a model, whole: equal requests with equal seeds have the same answer."""

    kind: Literal["chat", "complete", "prompt_logprobs", "embed", "score", "steps"]
    messages: tuple[Mapping[str, Any], ...] = ()
    """In the OpenAI shape (role, content, tool_calls ...), for `chat`, `score` and `steps`."""
    prompt: str | tuple[int, ...] = ""
    """Text or token ids, for the raw kinds; the text to `embed`."""
    sampling: Sampling = Sampling()
    json_schema: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    logprobs: bool = False
    """Whether the log-probabilities of the generated tokens are wanted."""
    step_tag: str = ""
    """Of `steps`: what stands behind each step in the last message; the score of a step is read there."""


class Reply(Frozen):
    """One sample of an answer."""

    text: str = ""
    """As the model wrote it: raw `<think>` blocks included (core/think.py splits them)."""
    reasoning: str | None = None
    """What the server itself split off, from `reasoning_content` or `reasoning`."""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """{"id", "name", "arguments"} each."""
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    model: str = ""
    """The model's name as the server tells it, with the revision (system_fingerprint) after `@` where given."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    """Of the generated tokens, or for `prompt_logprobs` of the prompt's tokens (None where undefined: the first)."""
    values: tuple[float, ...] = ()
    """Of `embed` the vector, of `score` the one raw score, of `steps` one score a step. Finite."""
    sampling: Mapping[str, Any] = {}
    """What was sent (filled in by the engine)."""
    seed: int | None = None
    key: str = ""
    """Key in the response store (filled in by the engine)."""
    reused: bool = False
    """Whether it came from the store and cost nothing."""


class Vectors(list[Vector]):
    """Embeddings with the usage that a server told for all of them together."""

    def __init__(self, vectors: Iterable[Vector], usage: Usage) -> None:
        super().__init__(vectors)
        self.usage = usage


class Probe(Frozen):
    """What a backend tells about itself."""

    reachable: bool
    detail: str = ""
    models: tuple[str, ...] = ()
    context: int | None = None
    """Tokens, where the server tells (vLLM's max_model_len, llama.cpp's n_ctx)."""
    chat_template: str = ""
    template_from: Literal["", "GGUF header", "tokenizer files", "server"] = ""
    """Where the template was read; empty where there is none."""
    server: str = ""
    """vllm, llama.cpp ... where it can be told."""


class Backend(Protocol):
    """One way to a model. It sends, reads and maps errors; it never retries, waits for a slot or counts money."""

    capabilities: frozenset[Capability]

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        """Ask once; exactly `n` replies. Raises CallError or BackendFatal, nothing else."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One vector a text; `Vectors` where the server tells its usage. Raises like `send`."""
        ...

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request (all of them `score`, or all `steps`), with its `values`: raw, never squashed. Raises like `send`."""
        ...

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        """Token ids of a chat (through the model's own template) or of a text (no special tokens added)."""
        ...

    async def probe(self) -> Probe:
        """What is there; never raises for a server that does not answer."""
        ...

    async def __aenter__(self) -> Backend: ...

    async def __aexit__(self, *exc: object) -> None: ...


class Model(Protocol):
    """What a strategy holds: a backend with limits, retries, budget and store around it, bound to one seed record.

    `path` names the call within the strategy ("solve", "round2.evolve") and `sample` numbers samples of the same
    request: together with the seed record they decide the call's random seed and its key in the store. Two calls
    with equal path, sample and request are the same call and are answered once.
    """

    name: str
    identity: str
    """What the response store takes it for: the same in every run that asks the same model."""
    capabilities: frozenset[Capability]

    async def context(self) -> int | None:
        """Context length in tokens, where known."""
        ...

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        path: str,
        sample: int = 0,
        sampling: Sampling | None = None,
        json_schema: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Reply: ...

    async def complete(self, prompt: str | Sequence[int], *, path: str, sample: int = 0, sampling: Sampling | None = None) -> Reply: ...

    async def prompt_logprobs(self, prompt: str | Sequence[int], *, path: str) -> Reply: ...

    async def tokenize(self, messages: Sequence[Message] | str, *, add_generation_prompt: bool = True) -> list[int]: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One vector a text."""
        ...

    async def score(self, conversations: Sequence[Sequence[Message]], *, step_tag: str = "") -> list[Reply]:
        """What a reward model thinks of each conversation: `values` holds its raw score, or with `step_tag` (which stands
        behind each step of the last message) one score a step. Of a conversation that the server refuses, which is
        mostly one too long for it, `values` is empty and `text` says why."""
        ...
