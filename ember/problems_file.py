"""Writes held-out problems as JSON lines: `python -m datalchemy.ember.problems_file 600 problems.jsonl`."""

import argparse
import json
from pathlib import Path

from .corpus import held_out_problems


def write(n: int, path: Path, seed: int) -> None:
    """Write `n` problems that ember was not trained on, each with its exact answer."""
    lines = [json.dumps({"question": item.question, "answer": item.answer}, ensure_ascii=False) for item in held_out_problems(seed, n)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args()
    write(given.n, given.out, given.seed)


if __name__ == "__main__":
    main()
