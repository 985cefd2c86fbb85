"""What our engine is measured against: a bare aiohttp loop, and the OpenAI SDK, with 256 in flight and one JSON line an answer.

`python bench/baseline.py aiohttp|openai|openai-aiohttp --url URL --seeds FILE --out FILE [--calls 2]`. The second call asks
with the first answer as its prompt. No retry of our own; the SDK at its defaults (two retries). A call that fails is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Ask = Callable[[str], Awaitable[str]]
IN_FLIGHT = 256


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Ask]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(prompt: str) -> str:
            body = {"model": "stub", "messages": [{"role": "user", "content": prompt}]}
            async with session.post(f"{url}/chat/completions", json=body) as response:
                response.raise_for_status()
                return (await response.json())["choices"][0]["message"]["content"]

        yield ask


@asynccontextmanager
async def sdk(url: str, transport: str) -> AsyncIterator[Ask]:
    import openai

    http = openai.DefaultAioHttpClient() if transport == "openai-aiohttp" else None
    async with openai.AsyncOpenAI(base_url=url, api_key="none", http_client=http) as client:

        async def ask(prompt: str) -> str:
            answer = await client.chat.completions.create(model="stub", messages=[{"role": "user", "content": prompt}])
            return answer.choices[0].message.content or ""

        yield ask


async def drive(name: str, url: str, seeds: Path, out: Path, calls: int) -> int:
    """Answers written; the errors' kinds go to the last line of stdout."""
    prompts = [json.loads(line)["question"] for line in seeds.read_text().splitlines()]
    slots = asyncio.Semaphore(IN_FLIGHT)
    lost: dict[str, int] = {}
    with out.open("w") as sink:
        async with bare(url) if name == "aiohttp" else sdk(url, name) as ask:

            async def one(prompt: str) -> None:
                try:
                    async with slots:
                        turns = [prompt]
                        for _ in range(calls):
                            turns.append(await ask(turns[-1]))
                except Exception as error:  # whatever a client raises: that row is lost, and the loop goes on
                    lost[type(error).__name__] = lost.get(type(error).__name__, 0) + 1
                    return
                sink.write(json.dumps(turns) + "\n")

            await asyncio.gather(*(one(prompt) for prompt in prompts))
    print(json.dumps({"lost": lost}))
    return len(prompts) - sum(lost.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("aiohttp", "openai", "openai-aiohttp"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=1)
    args = parser.parse_args()
    asyncio.run(drive(args.name, args.url, args.seeds, args.out, args.calls))


if __name__ == "__main__":
    main()
