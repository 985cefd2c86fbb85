"""Backends: tokens a second of our engine over those of the same vLLM's own `LLM.generate`, and CPU of a request.

`make bench-backends` (or `python bench/backends.py [--quick] [--write]`). vLLM is where $DATALCHEMY_VLLM_PYTHON says. The same
prompts and sampling go through `LLM.generate`, through `use: vllm` and through `use: http`, in turns; what counts is the time
from the first request to the last answer, so that nobody's start-up does. A file `backend_rows_*.py` with `lines(quick=...)` adds rows.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from clients import environment
from gauge import Line
from measure import HERE, BenchError, run
from page import machine, verdict, write

PYTHON = "DATALCHEMY_VLLM_PYTHON"
EMBER = HERE.parent / "ember" / "weights" / "hf"
LEAST = {"vllm": 0.97, "http": 0.95, "bare": None}
SAMPLING = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 256}
TITLES = {
    "vllm": "recipe `answer`, `use: vllm`",
    "http": "recipe `answer`, `use: http` at a vLLM server",
    "bare": "bare aiohttp at the same server: what it gives to whoever asks",
}


def prompts(count: int) -> list[str]:
    """Problems of ember's kind, all different."""
    names, things = ("Ann", "Tom", "Lea", "Sam", "Eva"), ("apples", "pens", "books", "coins")
    return [
        f"{names[i % 5]} has {i % 37 + 3} {things[i % 4]} and buys {i // 37 + 2} more. How many {things[i % 4]} does {names[i % 5]} have now?"
        for i in range(count)
    ]


def rate(client: str, count: int, folder: Path) -> tuple[float, float]:
    """Tokens a second of one run, and CPU milliseconds of a request in the client's own process."""
    python = os.environ[PYTHON] if client == "generate" else sys.executable
    env = {**environment(folder), PYTHON: os.environ[PYTHON], "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    (folder / "prompts.json").write_text(json.dumps(prompts(count)))
    told = run([python, str(HERE / "backends_run.py"), client, str(EMBER), str(folder), json.dumps(SAMPLING)], folder, env)
    if told.rc != 0:
        raise BenchError(f"{client}: {told.stderr[-3000:]}")
    last = json.loads((folder / "told.json").read_text())
    if last["answers"] != count:
        raise BenchError(f"{client}: {last['answers']} answers to {count} prompts")
    return float(last["tokens"] / last["seconds"]), last.get("cpu_s", 0.0) / count * 1e3


def vllm_lines(*, quick: bool, rounds: int) -> list[Line]:
    """In turns, so that a busy minute hurts all alike; the median of the rounds' ratios counts."""
    count = 300 if quick else 2000
    rates: dict[str, list[float]] = {"generate": [], "vllm": [], "http": [], "bare": []}
    cpu: dict[str, list[float]] = {client: [] for client in rates}
    for _ in range(1 if quick else rounds):
        for client, found in rates.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as name:
                taken, ms = rate(client, count, Path(name))
            found.append(taken)
            cpu[client].append(ms)
            print(f"{client}: {found[-1]:,.0f} tokens/s", file=sys.stderr)
    lines = [Line(f"vLLM's own `LLM.generate`, {count:,} prompts", f"{statistics.median(rates['generate']):,.0f} tokens/s")]
    for client, least in LEAST.items():
        ratio = statistics.median(ours / own for ours, own in zip(rates[client], rates["generate"], strict=True))
        measured = (
            f"{statistics.median(rates[client]):,.0f} tokens/s, {ratio:.3f} of it; {statistics.median(cpu[client]):.2f} ms of CPU a request"
        )
        lines.append(Line(TITLES[client], measured, f">= {least}" if least else "-", ratio >= least if least else None))
    return lines


def all_lines(only: Sequence[str], *, quick: bool, rounds: int) -> list[Line]:
    found: list[Line] = []
    if "vllm" in only or not only:
        if PYTHON in os.environ:
            found += vllm_lines(quick=quick, rounds=rounds)
        else:
            print(f"no interpreter with vLLM: set {PYTHON}", file=sys.stderr)
    for file in sorted(HERE.glob("backend_rows_*.py")):
        if not only or file.stem.removeprefix("backend_rows_") in only:
            found += importlib.import_module(file.stem).lines(quick=quick)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer requests, one round: a smoke test, not a measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of tokens a second; the median counts")
    parser.add_argument("--only", action="append", default=[], help="`vllm`, or NAME of a backend_rows_NAME.py (repeatable)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    try:
        lines = all_lines(args.only, quick=args.quick, rounds=args.rounds)
    except BenchError as error:
        print(f"a run broke: {error}", file=sys.stderr)
        return 1
    head = [["what", "measured", "ours must", ""], ["---"] * 4]
    body = [[line.what, line.measured, line.limit, verdict(line.ok) if line.limit != "-" else ""] for line in lines]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *body])
    command = shlex.join(["python", "bench/backends.py", *(arg for arg in sys.argv[1:] if arg != "--write")])
    text = f"`{command}`: {machine(Path(tempfile.gettempdir()), load)}\n\n{table}"
    print(text)
    if args.write:
        write("bench-backends", "Backends", text)
    return 1 if any(line.ok is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
