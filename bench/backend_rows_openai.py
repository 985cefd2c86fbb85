"""CPU milliseconds of a request through `use: openai`, beside the bare SDK over the same transport and beside `use: http`.

`python bench/backend_rows_openai.py [--quick]`, or `lines()` from a bench of all backends. Each client is a process of its
own against the stub, with 64 in flight; what counts is the slope between two numbers of requests, so that imports do not.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from clients import environment
from gauge import Line
from measure import BenchError, StubProcess, run

CLIENTS = ("openai", "http", "sdk")
SIZES, QUICK_SIZES = (500, 3_000), (200, 800)
REPEAT = 3
IN_FLIGHT = 64
Ask = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def ours(kind: str, url: str) -> Any:
    """As the engine asks: a backend in its guard."""
    from datalchemy.backends._guard import Guard
    from datalchemy.backends.http import Http
    from datalchemy.backends.openai import OpenAI
    from datalchemy.core.backend import Request

    endpoint: Any = (OpenAI if kind == "openai" else Http)(url=url, name="stub", api_key_env=None, max_in_flight=IN_FLIGHT)
    async with endpoint.open() as backend:
        guard = Guard(backend, endpoint, rng=Random(1))

        async def ask(prompt: str) -> str:
            [reply] = await guard.send(Request(kind="chat", messages=({"role": "user", "content": prompt},)), seed=1)
            return reply.text

        yield ask


@asynccontextmanager
async def sdk(url: str) -> Any:
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", http_client=openai.DefaultAioHttpClient(), max_retries=0) as client:

        async def ask(prompt: str) -> str:
            answer = await client.chat.completions.create(model="stub", messages=[{"role": "user", "content": prompt}], seed=1)
            return answer.choices[0].message.content or ""

        yield ask


async def drive(kind: str, url: str, count: int) -> None:
    slots = asyncio.Semaphore(IN_FLIGHT)
    async with sdk(url) if kind == "sdk" else ours(kind, url) as ask:

        async def one(number: int) -> None:
            async with slots:
                if not await ask(f"Question {number}: " + "what comes next? " * 16):
                    raise BenchError("an empty answer")

        await asyncio.gather(*(one(number) for number in range(count)))


def cpu_ms(kind: str, sizes: tuple[int, int]) -> float:
    """Of one request more."""
    cost = []
    for count in sizes:
        with StubProcess() as stub, tempfile.TemporaryDirectory() as name:
            argv = [sys.executable, __file__, "--client", kind, "--url", stub.url, "--count", str(count)]
            ended = run(argv, Path(name), environment(Path(name)))
            if ended.rc != 0:
                raise BenchError(ended.stderr[-2000:])
            cost.append(ended.cpu_s)
    return (cost[1] - cost[0]) / (sizes[1] - sizes[0]) * 1e3


def lines(*, quick: bool = False) -> list[Line]:
    """The clients take turns, so that a busy minute hurts all alike; the median of the rounds counts."""
    rounds: dict[str, list[float]] = {kind: [] for kind in CLIENTS}
    for _ in range(1 if quick else REPEAT):
        for kind, taken in rounds.items():
            taken.append(cpu_ms(kind, QUICK_SIZES if quick else SIZES))
    ms = {kind: statistics.median(taken) for kind, taken in rounds.items()}
    return [
        Line("CPU of a request, `openai`", f"{ms['openai']:.2f} ms", f"<= the bare SDK's {ms['sdk']:.2f} ms", ms["openai"] <= ms["sdk"]),
        Line("CPU of a request, the bare SDK (aiohttp transport)", f"{ms['sdk']:.2f} ms"),
        Line("CPU of a request, `http`", f"{ms['http']:.2f} ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.client:
        asyncio.run(drive(args.client, args.url, args.count))
        return
    for line in lines(quick=args.quick):
        print(f"{line.what:55} {line.measured:>10}  {line.limit}")


if __name__ == "__main__":
    main()
