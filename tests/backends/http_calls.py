"""One call of the http backend to a raw server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from contract import asking
from datalchemy.backends.http import Http
from datalchemy.core.backend import Reply, Request
from datalchemy.core.errors import (
    DatalchemyError,
)
from raw_server import Asked, RawServer, Step

MODELS = {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 100}]}


def always(*steps: Step) -> Callable[[Asked], Sequence[Step]]:
    return lambda asked: steps


async def ask(server: RawServer, request: Request | None = None, *, n: int = 1, **settings: Any) -> list[Reply]:
    async with Http(url=server.url, **{"name": "m", **settings}).open() as backend:
        return await backend.send(request or asking("Hi"), seed=1, n=n)


async def failure(*steps: Step, **settings: Any) -> DatalchemyError:
    """The error of one call to a server that always does this."""
    async with RawServer(always(*steps)) as server:
        with pytest.raises(DatalchemyError) as caught:
            await ask(server, **settings)
        return caught.value
