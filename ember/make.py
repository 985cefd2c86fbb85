"""Makes ember from nothing: tokenizer, training, export, measurement; `make ember` runs exactly this.

What it leaves in the weights folder: the GGUF, the transformers folder, and training.json with everything
needed to make or to check them; and beside the folder the model card.
"""

import argparse
import hashlib
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from . import card, weights
from . import tokenizer as bpe
from .corpus import digest
from .export import to_gguf, to_hf
from .measure import measure, table
from .train import Plan, learn_tokenizer, run

PACKAGES = ("torch", "tokenizers", "safetensors", "gguf", "xllamacpp", "numpy")


def sha256(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums(folder: Path) -> dict[str, str]:
    """The sha256 of every weights file, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "training.json")
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def make(plan: Plan, build: Path, out: Path, threads: int) -> None:
    """Everything from the corpus to the measured figures."""
    torch.set_num_threads(threads)
    build.mkdir(parents=True, exist_ok=True)
    saved = build / "tokenizer.json"
    if not saved.exists():
        learn_tokenizer(plan).save(str(saved))
    tokenizer = bpe.load(saved)
    facts = run(plan, build, tokenizer)
    state = torch.load(build / "model.pt", weights_only=True)["model"]
    to_hf(state, tokenizer, out / "hf")
    to_gguf(state, tokenizer, out / "ember.gguf")
    described = {
        "command": f"python -m datalchemy.ember.make --minutes {plan.minutes:g} --threads {threads}",
        "threads": threads,
        "seed": plan.seed,
        "corpus_sha256": digest(plan.seed, plan.conversations),
        "corpus_head_sha256": digest(plan.seed, 500),
        "plan": asdict(plan),
        "run": facts,
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "sha256": sums(out),
    }
    record(out, described, measure(out / "ember.gguf", (plan.seed, plan.conversations), threads=threads))


def record(out: Path, described: dict[str, object], figures: dict[str, dict[str, float]]) -> None:
    """Write training.json and the model card, and print the figures."""
    text = json.dumps(described | {"measured": figures}, indent=2)
    (out / "training.json").write_text(text + "\n", encoding="utf-8")
    card.write(out)
    print(table(figures))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="the most that training may take")
    parser.add_argument("--threads", type=int, default=1, help="more than one helps only where the cores are idle")
    parser.add_argument("--conversations", type=int, default=Plan.conversations)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--build", type=Path, default=Path("build/ember"), help="checkpoints; an interrupted run goes on from here")
    parser.add_argument("--out", type=Path, default=weights().parent)
    given = parser.parse_args()
    make(Plan(seed=given.seed, conversations=given.conversations, minutes=given.minutes), given.build, given.out, given.threads)


if __name__ == "__main__":
    main()
