"""One client of `backend_rows_cpu.py`: `python backend_asks.py KIND URL COUNT` asks so often, 64 at a time, and prints the processor seconds of
its own process. Imports only what the client needs: `litellm` runs in an environment that has little else.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

IN_FLIGHT = 64
Ask = Callable[[str], Awaitable[str]]


def endpoint(kind: str, url: str) -> Any:
    if kind == "http":
        from datalchemy.backends.http import Http

        return Http(url=url, name="stub", max_in_flight=IN_FLIGHT)
    if kind == "openai":
        from datalchemy.backends.openai import OpenAI

        return OpenAI(url=url, name="stub", api_key_env=None, max_in_flight=IN_FLIGHT)
    if kind == "litellm":
        from datalchemy.backends.litellm import LiteLLM

        return LiteLLM(url=url, name="openai/stub", max_in_flight=IN_FLIGHT)
    from datalchemy.backends.embedded import Embedded

    return Embedded(max_in_flight=IN_FLIGHT)


@asynccontextmanager
async def ours(kind: str, url: str) -> AsyncIterator[Ask]:
    """As the engine asks: a backend in its guard."""
    from datalchemy.backends._guard import Guard
    from datalchemy.core.backend import Request, Sampling

    one = endpoint(kind, url)
    sampling = Sampling(max_tokens=4) if kind == "embedded" else Sampling()
    async with one.open() as backend:
        guard = Guard(backend, one, rng=Random(1))

        async def ask(prompt: str) -> str:
            [reply] = await guard.send(Request(kind="chat", messages=({"role": "user", "content": prompt},), sampling=sampling), seed=1)
            return str(reply.text)

        yield ask


@asynccontextmanager
async def aiohttp_client(url: str, key: str = "", **more: Any) -> AsyncIterator[Ask]:
    import aiohttp

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def ask(prompt: str) -> str:
            body = {"model": "stub", "messages": [{"role": "user", "content": prompt}], "seed": 1, **more}
            async with session.post(f"{url}/chat/completions", json=body) as answer:
                return str((await answer.json())["choices"][0]["message"]["content"])

        yield ask


@asynccontextmanager
async def sdk(url: str) -> AsyncIterator[Ask]:
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", http_client=openai.DefaultAioHttpClient(), max_retries=0) as client:

        async def ask(prompt: str) -> str:
            answer = await client.chat.completions.create(model="stub", messages=[{"role": "user", "content": prompt}], seed=1)
            return answer.choices[0].message.content or ""

        yield ask


@asynccontextmanager
async def bare_litellm(url: str) -> AsyncIterator[Ask]:
    import litellm

    async def ask(prompt: str) -> str:
        turns = [{"role": "user", "content": prompt}]
        answer = await litellm.acompletion("openai/stub", turns, api_base=url, api_key="none", seed=1, max_retries=0)
        return str(answer.choices[0].message.content)

    yield ask


@asynccontextmanager
async def bare_llama() -> AsyncIterator[Ask]:
    """aiohttp at the llama.cpp of an embedded model that is open."""
    async with endpoint("embedded", "").open() as backend:
        from datalchemy.core.backend import Request, Sampling

        await backend.send(Request(kind="chat", messages=({"role": "user", "content": "Hi"},), sampling=Sampling(max_tokens=1)), seed=1)
        child = backend._served.child
        async with aiohttp_client(f"{child.url}/v1", child.key, max_tokens=4) as ask:
            yield ask


def client(kind: str, url: str) -> Any:
    match kind:
        case "aiohttp":
            return aiohttp_client(url)
        case "sdk":
            return sdk(url)
        case "bare litellm":
            return bare_litellm(url)
        case "bare llama.cpp":
            return bare_llama()
    return ours(kind, url)


async def drive(kind: str, url: str, count: int) -> float:
    """Seconds of this process, from the first request to the last."""
    slots = asyncio.Semaphore(IN_FLIGHT)
    async with client(kind, url) as ask:

        async def one(number: int) -> None:
            async with slots:
                if not await ask(f"Question {number}: " + "what comes next? " * 16):
                    raise RuntimeError("an empty answer")

        await asyncio.gather(*(one(number) for number in range(IN_FLIGHT)))
        began = time.process_time()
        await asyncio.gather(*(one(number) for number in range(count)))
        return time.process_time() - began


if __name__ == "__main__":
    print(json.dumps({"cpu_s": asyncio.run(drive(sys.argv[1], sys.argv[2], int(sys.argv[3])))}))
