"""`python bench/engine.py`: one table from one run, our engine beside a bare aiohttp loop and the OpenAI SDK (README.md)."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clients import BARE, CLIENTS, OURS, SDK, SDK_AIOHTTP
from measure import BenchError
from page import machine, verdict, write
from rows import QUICK, ROWS, Bench, Line, Sizes

TITLES = {BARE: "bare aiohttp", SDK: "OpenAI SDK", SDK_AIOHTTP: "OpenAI SDK, its aiohttp transport", OURS: "datalchemy"}


def render(lines: Sequence[Line]) -> str:
    """A Markdown table."""
    head = ["on cores shared with the stub", "best other tool*", *TITLES.values(), "ours must", ""]
    body = [[line.what, line.best, *(line.cells.get(c, "-") for c in TITLES), line.limit, verdict(line.ok)] for line in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *body])


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ROWS), help="one row (repeatable)")
    parser.add_argument("--clients", default=",".join(CLIENTS), help="which to run, separated by commas")
    parser.add_argument("--quick", action="store_true", help="fewer records, one run each: a smoke test, not a measurement")
    parser.add_argument("--repeat", type=int, help="runs of which the median counts")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where runs keep their files")
    return parser.parse_args()


def main() -> int:
    args = options()
    clients = args.clients.split(",")
    if unknown := set(clients) - set(CLIENTS):
        print(f"no client named {', '.join(unknown)}; there are: {', '.join(CLIENTS)}", file=sys.stderr)
        return 2
    sizes = QUICK if args.quick else Sizes()
    if args.repeat:
        sizes = replace(sizes, repeat=args.repeat)
    began, load = time.monotonic(), os.getloadavg()[0]
    lines: list[Line] = []
    broken = False
    with tempfile.TemporaryDirectory(dir=args.dir, prefix="bench-") as name:
        bench = Bench(sizes, clients, Path(name), lambda text: print(f"[{time.monotonic() - began:5.0f} s] {text}", file=sys.stderr))
        for client in clients:
            warm_up(bench, client)
        for row in args.only or ROWS:
            try:
                lines += ROWS[row](bench)
            except BenchError as error:
                broken = True
                lines.append(Line(row, "-", {OURS: "run failed"}, "-", False))
                print(f"{row}: {error}", file=sys.stderr)
    command = shlex.join(["python", "bench/engine.py", *(arg for arg in sys.argv[1:] if arg != "--write")])
    text = f'`{command}`: {machine(args.dir, load)}\n\n{render(lines)}\n\n\\* measured earlier, in other runs; "-": not measured.'
    print(text)
    if args.write:
        write("bench-engine", "The engine", text)
    return 1 if broken or any(line.ok is False for line in lines) else 0


def warm_up(bench: Bench, client: str) -> None:
    """Byte code compiled, files in the cache."""
    bench.once(client, 20, healthy=False)


if __name__ == "__main__":
    sys.exit(main())
