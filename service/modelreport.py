"""What `models M` tells of a model: what its server and template say, and what a short probe shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from ..core.backend import Backend, Capability, Probe, Reply, Request, Sampling
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
    ("Llama 3", "<|start_header_id|>"),
    ("Gemma", "<start_of_turn>"),
    ("DeepSeek", "<｜User｜>"),
    ("ChatML", "<|im_start|>"),
    ("Phi", "<|user|>"),
    ("Mistral", "[INST]"),
    ("Alpaca", "### Instruction"),
)
"""By the first marker that a template holds."""


class Speed(Frozen):
    """Of the probe, not of the model: with few calls and short answers."""

    alone: float
    """Tokens a second of one call."""
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
    template_characters: int = 0
    reasoning: Literal["inline", "field", "hidden", "none"] | None = None
    """`inline`: in `<think>` tags within the text; `field`: split off by the server; `hidden`: paid for and not shown."""
    reasoning_by: Literal["probe", "template"] | None = None
    speed: Speed | None = None
    price: Price | None = None
    probe_failed: str = ""


async def report(endpoint: Endpoint, *, probe: bool, cost: Callable[[float], None] = lambda dollars: None) -> ModelReport:
    """Ask the backend what it is, and with `probe` nine short questions; `cost` is told before what they cost at most."""
    async with endpoint.open() as backend:
        told = await backend.probe()
        found = _told(told, backend, endpoint)
        if not (probe and told.reachable and "chat" in backend.capabilities):
            return found
        if found.price is not None:
            cost((1 + TOGETHER) * (PROMPT * found.price.input + MOST * found.price.output) / 1e6)
        try:
            return found.model_copy(update=await _probed(backend))
        except (CallError, RunStopped) as error:
            return found.model_copy(update={"probe_failed": str(error)[:300]})


def _told(told: Probe, backend: Backend, endpoint: Endpoint) -> ModelReport:
    thinks = OPEN in told.chat_template
    return ModelReport(
        reachable=told.reachable,
        detail=told.detail,
        server=told.server,
        models=told.models,
        context=told.context or endpoint.context_length,
        capabilities=tuple(sorted(backend.capabilities)),
        template=family(told.chat_template),
        template_characters=len(told.chat_template),
        reasoning="inline" if thinks else None,
        reasoning_by="template" if thinks else None,
        price=endpoint.effective_price,
    )


def family(template: str) -> str:
    """Whose chat template it is, by the markers that it holds; empty where there is none."""
    if not template:
        return ""
    return next((name for name, marker in FAMILIES if marker in template), "other")


async def _probed(backend: Backend) -> dict[str, object]:
    """One call alone, then some at once; what the replies show."""
    began = time.perf_counter()
    first = await _asked(backend, 0)
    alone = time.perf_counter() - began
    began = time.perf_counter()
    others = await asyncio.gather(*(_asked(backend, number) for number in range(1, 1 + TOGETHER)))
    together = time.perf_counter() - began
    replies = [first, *others]
    rest = sum(reply.usage.completion_tokens for reply in others)
    written = first.usage.completion_tokens
    speed = Speed(alone=written / alone, together=rest / together, calls=TOGETHER, tokens=written + rest)
    return {"reasoning": reasoning(replies), "reasoning_by": "probe", "speed": speed if written + rest else None}


async def _asked(backend: Backend, seed: int) -> Reply:
    request = Request(kind="chat", messages=({"role": "user", "content": QUESTION},), sampling=Sampling(max_tokens=MOST))
    (reply,) = await backend.send(request, seed=seed if "seed" in backend.capabilities else None)
    return reply


def reasoning(replies: list[Reply]) -> Literal["inline", "field", "hidden", "none"]:
    """Where the thinking of these replies is."""
    if any(reply.reasoning for reply in replies):
        return "field"
    if any(reply.text.lstrip().startswith(OPEN) or CLOSE in reply.text for reply in replies):
        return "inline"
    return "hidden" if any(reply.usage.reasoning_tokens for reply in replies) else "none"
