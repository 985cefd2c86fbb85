"""The openai backend in front of a raw server, and the server that its contract is tested with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from contract import asking
from datalchemy.backends.openai import OpenAI
from datalchemy.core.backend import Reply, Request
from datalchemy.core.errors import DatalchemyError
from http_calls import always
from raw_server import Asked, RawServer, Step, answer, chat

MODELS = {"object": "list", "data": [{"id": "m", "object": "model"}, {"id": "m-large", "object": "model"}]}
PLAIN = {"name": "m", "api_key_env": None}


def hosted_model(asked: Asked) -> Sequence[Step]:
    """A service in the shape of OpenAI's."""
    body = asked.body
    if asked.path.startswith("/v1/models"):
        return [answer(MODELS)]
    return [answer(hosted_answer(asked.path, body))]


def hosted_answer(path: str, body: Any) -> dict[str, Any]:
    if path == "/v1/embeddings":
        rows = [{"index": i, "embedding": [float(len(text)), float(ord(text[0]))]} for i, text in enumerate(body["input"])]
        return {"data": rows[::-1], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    if path == "/v1/completions":
        choice = {"index": 0, "text": "four", "finish_reason": "length"}
        return {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    made = chat(f"{body['messages'][-1]['content'][::-1]} {body.get('seed')}", body.get("n", 1))
    most = body.get("max_completion_tokens", body.get("max_tokens", 5))
    made["usage"]["completion_tokens"] = min(5, most) * body.get("n", 1)
    return {**made, "system_fingerprint": "fp_1"}


async def ask(server: RawServer, request: Request | None = None, *, n: int = 1, **settings: Any) -> list[Reply]:
    async with OpenAI(url=server.url, **{**PLAIN, **settings}).open() as backend:
        return await backend.send(request or asking("Hi"), seed=1, n=n)


async def failure(*steps: Step, **settings: Any) -> DatalchemyError:
    """The error of one call to a server that always does this."""
    async with RawServer(always(*steps)) as server:
        with pytest.raises(DatalchemyError) as caught:
            await ask(server, **settings)
        return caught.value
