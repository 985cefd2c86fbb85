"""An OpenAI-compatible stub server for benchmarks and fault tests, as cheap on CPU as possible.

As a script (`python bench/stub.py --help`) it prints {"port": N} once it listens and stops on SIGTERM. In a test:
`async with Stub(faults="500=0.1") as stub: stub.url, stub.stats()`; `expected(prompt)` is the answer it gives to a prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

if __package__:
    from .stub_replies import TOKENS, Plan, expected, key, number
    from .stub_server import Stub
else:
    if str(Path(__file__).parent) not in sys.path:
        sys.path.insert(0, str(Path(__file__).parent))
    from stub_replies import TOKENS, Plan, expected, key, number
    from stub_server import Stub

__all__ = ["TOKENS", "Plan", "Stub", "expected", "key", "number"]


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="An OpenAI-compatible stub server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=0, help="0: every answer at once")
    parser.add_argument("--ttft", type=float, default=0.05, help="seconds")
    parser.add_argument("--per-token", type=float, default=0.005, help="seconds")
    parser.add_argument("--tokens", default="50-150", type=lambda text: tuple(int(part) for part in text.split("-")))
    parser.add_argument("--faults", default="", help="429=0.05,500=0.05,drop=0.01,cut=0.01,badjson=0.01 ...")
    parser.add_argument("--script", default="", help="fates of each prompt's first requests: html,ok")
    parser.add_argument("--poison", type=float, default=0, help="share of prompts that get 500 for ever")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", help="file: a line `monotonic_s key outcome` a request")
    parser.add_argument("--key", help="bearer token to ask for")
    parser.add_argument("--mode", choices=("plain", "reasoning"), default="plain")
    parser.add_argument("--wrong", type=float, default=0, help="share of wrong results in reasoning mode")
    parser.add_argument("--name", default="stub")
    parser.add_argument("--retry-after", type=float, default=0.05)
    parser.add_argument("--drip-s", type=float, default=10)
    parser.add_argument("--tied", action="store_true", help="exit when stdin closes")
    parser.add_argument("--selfcheck", action="store_true")
    return parser


async def serve(tied: bool, **settings: Any) -> None:
    """Serve until SIGTERM or SIGINT, or until stdin closes where tied to it."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    if tied:

        def watch() -> None:
            while os.read(0, 4096):
                pass
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=watch, daemon=True).start()
    async with Stub(**settings) as stub:
        print(json.dumps({"port": stub.port}), flush=True)
        gc.freeze()
        gc.set_threshold(100_000)
        await stop.wait()


def main() -> None:
    settings = vars(options().parse_args())
    import uvloop

    if settings.pop("selfcheck"):
        from stub_check import check

        uvloop.run(check())
        return
    uvloop.run(serve(settings.pop("tied"), **settings))


if __name__ == "__main__":
    main()
