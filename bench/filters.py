"""`python bench/filters.py [NAME ...]`: how fast each filter is (`--accuracy`: how right, against labelled sets); README.md.

Each filter has a file in cases/ with `speed()` and `accuracy()`, which give Lines.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from gauge import Line
from page import machine, verdict, write

CASES = Path(__file__).parent / "cases"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    known = sorted(path.stem for path in CASES.glob("*.py") if not path.stem.startswith("_"))
    parser.add_argument("names", nargs="*", choices=[[], *known], help="filters; absent: all")
    parser.add_argument("--accuracy", action="store_true", help="accuracy instead of speed")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    args = parser.parse_args()
    measured: list[tuple[str, Line]] = []
    broken = 0
    for name in args.names or known:
        case = importlib.import_module(f"cases.{name}")
        measure = getattr(case, "accuracy" if args.accuracy else "speed", None)
        if measure is None:
            continue
        try:
            for line in measure():
                measured.append((name, line))
                print(f"{name}: {line.what}: {line.measured} {line.limit if line.limit != '-' else ''}".rstrip(), file=sys.stderr)
        except Exception as error:  # one filter's case must not hide the others'
            broken += 1
            measured.append((name, Line("did not run", f"{type(error).__name__}: {error}"[:120], "-", False)))
    rows = [["filter", "what", "measured", "must be", ""], ["---"] * 5]
    rows += [[name, line.what, line.measured, line.limit, verdict(line.ok) if line.ok is not None else ""] for name, line in measured]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    command = f"python bench/filters.py{' --accuracy' if args.accuracy else ''}"
    text = f"`{command}`: {machine(Path.cwd())}\n\n{table}"
    print(text)
    if args.write:
        write("bench-accuracy" if args.accuracy else "bench-filters", "Filters: accuracy" if args.accuracy else "Filters: speed", text)
    return 1 if broken or any(line.ok is False for _, line in measured) else 0


if __name__ == "__main__":
    sys.exit(main())
