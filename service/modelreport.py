"""What `models M` tells of a model: what its server and template say, and what a short probe shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from ..core.backend import Backend, Capability, Probe, Reasoning, Reply, Request, Sampling
from ..core.endpoint import Endpoint, Price
from ..core.errors import CallError, RunStopped
from ..core.frozen import Frozen
from ..core.think import CLOSE, OPEN

QUESTION = "A shop sells pens at 3 for 2 dollars. How many dollars do 12 pens cost? Explain it step by step."
TOGETHER = 8
"""Calls at once in the second half of the probe."""
MOST = 256
"""Tokens that each of its answers may have."""
PROMPT = 100
"""Tokens of its question at most, template included, for the cost that is shown before."""
FAMILIES = (
    ("Llama 3", ("<|start_header_id|>",)),
    ("Gemma", ("<start_of_turn>",)),
    ("DeepSeek", ("<｜User｜>",)),
    ("Qwen", ("<|im_start|>", "You are Qwen")),
    ("Qwen", ("<|im_start|>", "multi_step_tool")),
    ("ChatML", ("<|im_start|>",)),
    ("Phi", ("<|user|>",)),
    ("Mistral", ("[INST]",)),
    ("Alpaca", ("### Instruction",)),
)
"""The first of which a template holds all markers. (Qwen's is ChatML with its own first words, or its own way with calls of tools.)"""


class Speed(Frozen):
    """Of the probe, not of the model: with few calls and short answers."""

    alone: float
    """Tokens a second of one call."""
    first_token_s: float | None
    """Seconds of a call for one token; None where the model gives none (a reasoning model cannot begin an answer with it)."""
    together: float
    """Tokens a second of `calls` at once."""
    calls: int
    tokens: int
    """That the whole probe wrote."""


class ModelReport(Frozen):
    """All that is known of a model. A part that nobody tells is None or empty."""

    reachable: bool
    detail: str = ""
    server: str = ""
    models: tuple[str, ...] = ()
    context: int | None = None
    capabilities: tuple[Capability, ...] = ()
    template: str = ""
    """Its family: `ChatML`, `Llama 3` ...; `other` where none of their markers is in it."""
    template_from: str = ""
    """`GGUF header`, `tokenizer files`, `server`."""
    template_characters: int = 0
    reasoning: Reasoning | None = None
    """As the probe shows it, else as it is told."""
    reasoning_by: Literal["probe", "settings", "template"] | None = None
    reasoning_told: Reasoning | None = None
    """What its settings or name tell, else its template."""
    speed: Speed | None = None
    price: Price | None = None
    probe_failed: str = ""


async def report(endpoint: Endpoint, *, probe: bool, cost: Callable[[float], None] = lambda dollars: None) -> ModelReport:
    """Ask the backend what it is, and with `probe` ten short questions; `cost` is told before what they cost at most."""
    async with endpoint.open() as backend:
        told = await backend.probe()
        found = _told(told, backend, endpoint)
        if not (probe and told.reachable and "chat" in backend.capabilities):
            return found
        if found.price is not None:
            tokens = (1 + TOGETHER) * MOST + 1
            cost(((2 + TOGETHER) * PROMPT * found.price.input + tokens * found.price.output) / 1e6)
        try:
            return found.model_copy(update=await _probed(backend))
        except (CallError, RunStopped) as error:
            return found.model_copy(update={"probe_failed": str(error)[:300]})


def _told(told: Probe, backend: Backend, endpoint: Endpoint) -> ModelReport:
    by_template: Reasoning | None = "inline" if OPEN in told.chat_template else None
    reasoning = endpoint.reasoning_told or by_template
    return ModelReport(
        reachable=told.reachable,
        detail=told.detail,
        server=told.server,
        models=told.models,
        context=told.context or endpoint.context_length,
        capabilities=tuple(sorted(backend.capabilities)),
        template=family(told.chat_template),
        template_from=told.template_from,
        template_characters=len(told.chat_template),
        reasoning=reasoning,
        reasoning_by=None if reasoning is None else "settings" if endpoint.reasoning_told else "template",
        reasoning_told=reasoning,
        price=endpoint.listed_price,
    )


def family(template: str) -> str:
    """Whose chat template it is, by the markers that it holds; empty where there is none."""
    if not template:
        return ""
    return next((name for name, markers in FAMILIES if all(marker in template for marker in markers)), "other")


async def _probed(backend: Backend) -> dict[str, object]:
    """One call alone, one for a single token, then some at once; what the replies show."""
    began = time.perf_counter()
    first = await _asked(backend, 0)
    alone = time.perf_counter() - began
    first_token = await _first_token(backend)
    began = time.perf_counter()
    others = await asyncio.gather(*(_asked(backend, number) for number in range(1, 1 + TOGETHER)))
    together = time.perf_counter() - began
    replies = [first, *others]
    rest = sum(reply.usage.completion_tokens for reply in others)
    written = first.usage.completion_tokens
    speed = Speed(alone=written / alone, first_token_s=first_token, together=rest / together, calls=TOGETHER, tokens=written + rest)
    return {"reasoning": reasoning(replies), "reasoning_by": "probe", "speed": speed if written + rest else None}


async def _first_token(backend: Backend) -> float | None:
    began = time.perf_counter()
    try:
        await _asked(backend, 0, most=1)
    except CallError:  # the other calls show whether it answers at all
        return None
    return time.perf_counter() - began


async def _asked(backend: Backend, seed: int, most: int = MOST) -> Reply:
    request = Request(kind="chat", messages=({"role": "user", "content": QUESTION},), sampling=Sampling(max_tokens=most))
    (reply,) = await backend.send(request, seed=seed if "seed" in backend.capabilities else None)
    return reply


def reasoning(replies: list[Reply]) -> Reasoning:
    """Where the thinking of these replies is."""
    if any(reply.reasoning for reply in replies):
        return "field"
    if any(reply.text.lstrip().startswith(OPEN) or CLOSE in reply.text for reply in replies):
        return "inline"
    return "hidden" if any(reply.usage.reasoning_tokens for reply in replies) else "none"
