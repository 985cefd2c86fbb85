"""`python bench/duplicates.py [--peers PYTHON] [--texts N]`: removing duplicates beside datasketch, rensa and semhash, in one run.

`--peers` is the interpreter of an environment with them (`make bench-filters` makes .venv-bench, the default). Texts are
made here: sixty English words each, a fifth of them with a twin planted further on (one word changed: Jaccard 0.90), the
rest unlike. Each contender has a process of its own and its turn three times; the median counts. README.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import median

from duplicate_contenders import CONTENDERS, OURS, WEIGHTS
from page import machine, write

ROUNDS = 3


def corpus(count: int, seed: int = 4) -> tuple[list[str], set[int]]:
    """The texts, and the positions of twins."""
    draw = Random(seed)
    vocabulary = json.loads((WEIGHTS / "tokenizer.json").read_text())["model"]["vocab"]
    words = [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 3]
    texts = [draw.choices(words, k=60) for _ in range(count * 5 // 6)]
    for at in draw.sample(range(len(texts)), count - len(texts)):
        twin = list(texts[at])
        twin[draw.randrange(3, 57)] = draw.choice(words)
        texts.append(twin)
    order = list(range(len(texts)))
    head, tail = order[: count * 5 // 6], order[count * 5 // 6 :]
    draw.shuffle(tail)
    return [" ".join(texts[at]) for at in head + tail], set(range(len(head), len(texts)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=str(Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"))
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    args = parser.parse_args()
    texts, twins = corpus(args.texts)
    results: dict[str, list[dict]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps(texts))
        for _ in range(ROUNDS):
            for name in CONTENDERS:
                python = sys.executable if name in OURS else args.peers
                command = [python, str(Path(__file__).with_name("duplicate_contenders.py")), name, str(file)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
                results[name].append(json.loads(done.stdout.splitlines()[-1]))
    rows = ["| | texts/s | CPU s | memory, MB | twins found | others dropped |", "|---|---|---|---|---|---|"]
    for name, runs in results.items():
        seconds, cpu, grown = (median(run[key] for run in runs) for key in ("seconds", "cpu", "grown_mb"))
        dropped = set(runs[0]["dropped"])
        if name == "rensa, bulk flags":
            dropped -= set(range(len(texts) * 5 // 6)) - twins  # the first of a pair is flagged, too; here it does not count
        found, wrong = len(dropped & twins), len(dropped - twins)
        rows.append(f"| {name} | {len(texts) / seconds:,.0f} | {cpu:.2f} | {grown:.0f} | {found} of {len(twins)} | {wrong} |")
    text = f"`python bench/duplicates.py`: {args.texts:,} texts; {machine(Path.cwd())}\n\n" + "\n".join(rows)
    print(text)
    if args.write:
        write("bench-duplicates", "Duplicates, beside other tools", text)


if __name__ == "__main__":
    main()
