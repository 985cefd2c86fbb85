"""`python bench/engine.py`: one table from one run, our engine beside a bare aiohttp loop and the OpenAI SDK (README.md)."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clients import BARE, CLIENTS, OURS, SDK, SDK_AIOHTTP
from measure import HERE, BenchError
from rows import QUICK, ROWS, Bench, Line, Sizes

PAGE = HERE.parent / "docs" / "benchmarks.md"
OPEN, CLOSE = "<!-- bench-engine -->", "<!-- /bench-engine -->"
TITLES = {BARE: "bare aiohttp", SDK: "OpenAI SDK", SDK_AIOHTTP: "OpenAI SDK, its aiohttp transport", OURS: "datalchemy"}
PACKAGES = ("aiohttp", "openai", "uvloop", "orjson", "pydantic", "pyarrow", "zstandard")


def render(lines: Sequence[Line]) -> str:
    """A Markdown table."""
    head = ["on cores shared with the stub", "best other tool*", *TITLES.values(), "ours must", ""]
    body = [[line.what, line.best, *(line.cells.get(c, "-") for c in TITLES), line.limit, verdict(line)] for line in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *body])


def verdict(line: Line) -> str:
    return {True: "ok", False: "**MISSED**", None: "not run"}[line.ok]


def machine(folder: Path, load: float) -> str:
    """What the figures depend on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    commit = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    packages = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {cores} cores, load {load:.1f} at the start, {platform.system()} {platform.release()}, "
        f"files on {filesystem(folder)}; commit {commit or 'unknown'}, Python {platform.python_version()}, {packages}"
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def filesystem(folder: Path) -> str:
    """The type of the file system that holds a folder: on tmpfs a commit costs nothing."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    holding = [(len(at), kind) for at, kind in mounts if folder.resolve().is_relative_to(at)]
    return max(holding)[1] if holding else "an unknown file system"


def write(text: str) -> None:
    """Into docs/benchmarks.md, between the markers; all else on the page stays."""
    page = PAGE.read_text() if PAGE.exists() else f"# Benchmarks\n\n## The engine\n{OPEN}\n{CLOSE}\n"
    if OPEN not in page or CLOSE not in page:
        page += f"\n## The engine\n{OPEN}\n{CLOSE}\n"
    before, _, rest = page.partition(OPEN)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(f"{before}{OPEN}\n{text}\n{CLOSE}{rest.partition(CLOSE)[2]}")


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
        write(text)
    return 1 if broken or any(line.ok is False for line in lines) else 0


def warm_up(bench: Bench, client: str) -> None:
    """Byte code compiled, files in the cache."""
    bench.once(client, 20, healthy=False)


if __name__ == "__main__":
    sys.exit(main())
