"""Models as filters hold them in a run: the engine's own, with its store, over backends that a test chooses."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from datalchemy.backends._guard import Guard
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply, Request
from datalchemy.core.endpoint import Endpoint
from datalchemy.engine.asking import Asker, BoundModel
from datalchemy.engine.budget import Budget, Purse
from datalchemy.engine.keys import Identity
from datalchemy.engine.recipe import Reuse
from datalchemy.engine.store import ResponseStore


@asynccontextmanager
async def asked(folder: Path, **endpoints: Endpoint) -> AsyncIterator[dict[str, BoundModel]]:
    """The models by name, for as long as the context is."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(ResponseStore(folder))
        models: dict[str, BoundModel] = {}
        for name, endpoint in endpoints.items():
            backend = await stack.enter_async_context(endpoint.open())
            guard = Guard(backend, endpoint, rng=Random(1))
            asker = Asker(name, endpoint, guard, store, Purse(Budget()), reuse=Reuse(), run_started=time.time(), before={})
            models[name] = BoundModel(asker, Identity(0, "", ""), deque(maxlen=3), endpoint.sampling)
        yield models


def scoring(function: Callable[[str], float | list[float] | Exception], name: str = "rm") -> Scripted:
    """A reward model that scores the last turn by a function; what it gives as an exception is raised."""

    def answer(request: Request, seed: int | None) -> Reply:
        value = function(str(request.messages[-1]["content"]))
        if isinstance(value, Exception):
            raise value
        return Reply(values=tuple(value) if isinstance(value, list) else (value,))

    return Scripted(name=name, function=answer, attempts=1)
