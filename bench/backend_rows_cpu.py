"""CPU milliseconds that a request costs in our own process, for each backend beside its bare client.

`python bench/backend_rows_cpu.py [--quick]`, or `lines()` from the bench of all backends. Each client is a process of its own, at a stub or
at the embedded model, with 64 requests in flight; the first 64 and all imports do not count. `litellm` runs where $DATALCHEMY_LITELLM_PYTHON says.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from clients import environment
from gauge import Line
from measure import HERE, BenchError, StubProcess, run

LITELLM = "DATALCHEMY_LITELLM_PYTHON"
PAIRS = {"http": "aiohttp", "openai": "sdk", "litellm": "bare litellm", "embedded": "bare llama.cpp"}
"""Ours, and what it is measured beside."""
TITLES = {
    "aiohttp": "bare aiohttp", "sdk": "the bare SDK, its aiohttp transport", "bare litellm": "bare LiteLLM",
    "bare llama.cpp": "bare aiohttp at the same llama.cpp",
}  # fmt: skip
MOST = {"openai": 1.0}
"""What ours may cost at most, times the bare client."""
COUNT, QUICK, FEW = 3_000, 300, 600
REPEAT = 3


def cpu_ms(kind: str, count: int) -> float:
    """Of one request."""
    python = os.environ[LITELLM] if "litellm" in kind else sys.executable
    count = min(count, FEW) if kind in ("embedded", "bare llama.cpp") else count
    with StubProcess() as stub, tempfile.TemporaryDirectory() as name:
        env = {**environment(Path(name)), "OPENAI_API_KEY": "none"}
        ended = run([python, str(HERE / "backend_asks.py"), kind, stub.url, str(count)], Path(name), env)
        if ended.rc != 0:
            raise BenchError(f"{kind}: {ended.stderr[-2000:]}")
        return float(json.loads(ended.stdout.splitlines()[-1])["cpu_s"]) / count * 1e3


def lines(*, quick: bool = False) -> list[Line]:
    """The clients take turns, so that a busy minute hurts all alike; the median of the rounds counts."""
    pairs = {one: bare for one, bare in PAIRS.items() if one != "litellm" or LITELLM in os.environ}
    rounds: dict[str, list[float]] = {kind: [] for pair in pairs.items() for kind in pair}
    for _ in range(1 if quick else REPEAT):
        for kind, taken in rounds.items():
            taken.append(cpu_ms(kind, QUICK if quick else COUNT))
    ms = {kind: statistics.median(taken) for kind, taken in rounds.items()}
    found: list[Line] = []
    for one, bare in pairs.items():
        limit, most = (f"<= {MOST[one]:g} x", ms[one] <= MOST[one] * ms[bare]) if one in MOST else ("-", None)
        measured = f"{ms[one]:.2f} ms, {ms[one] / ms[bare]:.2f} x {TITLES[bare]} ({ms[bare]:.2f} ms)"
        found.append(Line(f"CPU of a request in our process, `use: {one}`", measured, limit, most))
    if LITELLM not in os.environ:
        print(f"no interpreter with LiteLLM: set {LITELLM}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for line in lines(quick=parser.parse_args().quick):
        print(f"{line.what:55} {line.measured:>10}  {line.limit}")


if __name__ == "__main__":
    main()
