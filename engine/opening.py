"""Opening what parts hold: models in their guards, worker processes, wordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ..core.backend import Backend
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ..core.part import Part
from ..core.workers import WorkerPool
from ..prompts import Wordings
from .asking import Asker
from .budget import Budget, Purse
from .recipe import Reuse
from .sandboxing import OnDemand
from .store import ResponseStore
from .toolbox import Shared

if TYPE_CHECKING:
    from .filterrecipe import FilterRecipe

OnEvent = Callable[[float, str, dict[str, Any]], None]
"""Takes note of what happens to a model: when (Unix time), what (`paused`, `resumed`), and the details."""


async def open_tools(recipe: FilterRecipe, stack: AsyncExitStack, folder: Path | None) -> Shared:
    """What filters outside of a run hold. The response store is only opened where a model is asked."""
    purse, askers = Purse(Budget(), tokens=0, dollars=0.0, seconds_before=0.0), dict[str, Asker]()
    if any(part.needs() for part in recipe.filters):
        store = await stack.enter_async_context(ResponseStore(folder))
        askers = await open_askers(
            recipe.models, recipe.filters, stack, store, purse, seed=recipe.seed, reuse=recipe.reuse, before={}, started=time.time()
        )
    workers = await stack.enter_async_context(WorkerPool())
    sandbox = await stack.enter_async_context(OnDemand())
    return Shared(recipe.seed, recipe.language, Wordings(recipe.language, recipe.prompts), workers, sandbox, askers, run=recipe.name)


async def open_askers(
    models: Mapping[str, Endpoint],
    parts: Iterable[Part],
    stack: AsyncExitStack,
    store: ResponseStore,
    purse: Purse,
    *,
    seed: int,
    reuse: Reuse,
    before: Mapping[str, Mapping[str, float]],
    started: float,
    on_event: OnEvent = lambda at, kind, body: None,
) -> dict[str, Asker]:
    """An opened backend in a guard for every model that a part asks. Raises RecipeError where one can do less than it must."""
    from ..backends._guard import Guard

    askers: dict[str, Asker] = {}
    parts = list(parts)
    for name in sorted({name for part in parts for name in part.needs()}):
        endpoint = models[name]
        backend = await stack.enter_async_context(endpoint.open())
        _can(parts, name, backend)
        heard = Heard(name, on_event)
        guard = Guard(backend, endpoint, rng=Random(f"{seed}:{name}"), on_event=heard)
        heard.asker = askers[name] = Asker(
            name, endpoint, guard, store, purse, reuse=reuse, run_started=started, before=before.get(name, {})
        )  # fmt: skip
    return askers


def _can(parts: Iterable[Part], name: str, backend: Backend) -> None:
    """The recipe was checked against what this kind of backend can do; the open one may do less. Raises RecipeError."""
    for part in parts:
        if missing := sorted(part.needs().get(name, frozenset()) - backend.capabilities):
            raise RecipeError(
                f"{part.part_name()} needs {', '.join(missing)} of the model {name!r}, and its server cannot give that", f"models.{name}"
            )


class Heard:
    """Takes a guard's events (paused, resumed; one endpoint of several down, up or lost) to who wants to know, and to the progress display."""

    def __init__(self, model: str, on_event: OnEvent) -> None:
        self.model = model
        self.on_event = on_event
        self.asker: Asker | None = None

    def _why(self, body: Mapping[str, Any]) -> str:
        patience = self.asker.endpoint.patience_s if self.asker is not None else 0
        return f"{self.model}: {body.get('error') or body.get('reason')}; waiting for it, up to {patience:.0f} s in all (patience_s)"

    def __call__(self, kind: str, body: Mapping[str, Any]) -> None:
        self.on_event(time.time(), kind, {"model": self.model, **body})
        if self.asker is not None and kind in ("paused", "resumed"):
            self.asker.paused = self._why(body) if kind == "paused" else ""
