"""contamination: megabytes a second, alone and beside datatrove's n-gram filter; planted items, by rule and kind."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, scored, verdicts

from ._planted import KINDS, Writer
from ._records import PROBLEMS

ITEMS, DOCUMENTS, CLEAN = 2000, 1600, 2000
THEIRS = Path(__file__).parents[2] / ".venv-bench" / "bin" / "python"
"""A Python with datatrove, where there is one."""


def speed() -> Iterator[Line]:
    writer = Writer(1)
    items = [writer.item(n) for n in range(ITEMS)]
    train = [writer.text(24) for _ in range(DOCUMENTS)]
    for number in range(0, DOCUMENTS, 16):
        item = items[number % ITEMS]
        train[number] = f"{writer.text(3)} {writer.planted(item, KINDS[number // 16 % 3])[0]} {writer.text(12)}"
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("benchmark.jsonl", "train.jsonl")]
        for file, texts in zip(files, ([item.question for item in items], train), strict=True):
            file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        size = sum(len(text.encode()) for text in train) / 1e6
        ours = _ran([sys.executable, "-P", str(Path(__file__).with_name("_contamination_run.py")), *map(str, files)])
        yield above(f"{size:.1f} MB of text against {ITEMS:,} items, 12-grams, processor time", size / ours["seconds"], 5, " MB/s")
        if not THEIRS.exists():
            yield Line("beside datatrove's NGramsDecontFilter", "not measured: no datatrove in .venv-bench")
            return
        theirs = _ran([str(THEIRS), "-P", str(Path(__file__).with_name("_datatrove.py")), *map(str, files)])
        yield plain("datatrove's NGramsDecontFilter on the same files", size / theirs["seconds"], " MB/s")
        yield above("times as fast as datatrove's", theirs["seconds"] / ours["seconds"], 1, " x")
        same = set(ours["removed"]) == set(theirs["removed"])
        what = f"of {len(theirs['removed'])} texts that it removes, removed here ({len(ours['removed'])} in all)"
        yield Line(what, str(len(set(ours["removed"]) & set(theirs["removed"]))), "the same texts", same)


def accuracy() -> Iterator[Line]:
    writer = Writer(2)
    items = [writer.item(n) for n in range(400)]
    against = [{"name": "made", "inline": [{"question": item.question, "answer": item.solution} for item in items]}]
    planted = [writer.planted(item, KINDS[n % len(KINDS)]) for n, item in enumerate(items)]
    clean = [(writer.text(3), writer.text(2)) for _ in range(CLEAN)] + [(writer.sentence(5, 7), "7") for _ in range(200)]
    records = [_record(*texts) for texts in planted + clean]
    labels = [True] * len(planted) + [False] * len(clean)
    for rules, more in ((["8gram"], {}), (["10gram"], {}), (["13gram"], {}), (["share"], {}), (["exact"], {}), (["10gram", "exact"], {}),
                        (["10gram", "exact"], {"mask_numbers": True})):  # fmt: skip
        found = [one.outcome == "refuse" for one in verdicts({"use": "contamination", "against": against, "rules": rules, **more}, records)]
        score = scored(found, labels)
        by_kind = {kind: sum(found[: len(planted)][at :: len(KINDS)]) for at, kind in enumerate(KINDS)}
        each = len(planted) // len(KINDS)
        missed = ", ".join(f"{kind} {each - count}/{each}" for kind, count in by_kind.items() if count < each) or "nothing"
        name = " + ".join(rules) + (", numbers masked" if more else "")
        yield above(f"{name}: precision ({len(planted)} planted, {len(clean):,} clean)", score.precision, 0.99, "")
        yield Line(f"{name}: recall", f"{score.recall:.3g}; missed: {missed}")
    problems = [json.loads(line)["question"] for line in PROBLEMS.read_text().splitlines()]
    against = [{"name": "problems", "inline": [{"question": one} for one in problems[::2]]}]
    for rule in ("8gram", "10gram", "13gram", "share", "exact"):
        part = {"use": "contamination", "against": against, "rules": [rule]}
        found = [one.outcome == "refuse" for one in verdicts(part, [_record(one, "7") for one in problems[1::2]])]
        yield Line(f"{rule}: {len(found)} problems of the same templates as the benchmark's, refused", f"{sum(found)}")


def _record(prompt: str, answer: str) -> Record:
    return Record(content=Conversation(messages=(user(prompt), assistant(answer))))


def _ran(command: list[str]) -> dict[str, Any]:
    # -P: cases are named like filters, and `select.py` beside the script must not be taken for the library's module
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))
