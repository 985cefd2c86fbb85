"""Writes the model card: the words are here, every figure comes from training.json."""

import json
from pathlib import Path
from typing import Any

WORDS = """\
# ember

A toy language model for short word problems, trained from scratch by this folder. It is there so that every part of
Datalchemy that talks to a model can be run for real, anywhere, on a CPU, without a download or a key. It is a real model of a
toy domain and nothing more.

| | |
|---|---|
| architecture | Llama, {parameters:,} parameters: 192 wide, 6 layers, 6 heads of 32 (2 for keys and values), tied embeddings |
| tokenizer | byte-level BPE, 1,024 tokens, every digit its own; llama.cpp's pre-tokenizer `smollm` |
| format | ChatML; thinks between `<think>` and `</think>`, then one sentence with the answer in `\\boxed{{}}`; no BOS |
| context | 1,024 tokens are configured; no conversation in training was longer than {longest} tokens |
| files | `weights/ember.gguf` (Q8_0), `weights/hf/` (safetensors, float16, for transformers and vLLM) |
| licence | Apache-2.0, code and weights |

## What it can do
- Solve word problems of one to five steps in the wordings of its corpus ({kinds} kinds: shopping, sharing, travel, ages, areas,
  percent, averages ...), with worked thinking. Some carry a number that is not needed; where a needed one is missing, it answers
  `\\text{{unknown}}`.
- Write such problems itself from `<|im_start|>user` and a newline alone (Magpie); a system turn such as "You write about money."
  pulls it towards a topic. `datalchemy.ember.corpus.truth(question)` computes the exact answer of any problem in these wordings.
- Answer a greeting.

## What it cannot do
Anything else. It knows a few hundred words of English. Reworded problems, other languages, instructions, facts, code and long texts are
beyond it, and it will answer them with confident nonsense. It makes mistakes of arithmetic also in its own domain; that is wanted,
since a model that is always right leaves nothing to filter. Figures on it say nothing about other models.

## How it was trained
On {tokens:,} tokens of conversations composed by a program (`ember/problems/`, `ember/scenes.py`), each seen once, next-token loss on the
whole conversation, user turns too; only the wording of the chain-of-thought prompt is read without being learnt. Muon for the matrices
of the layers, AdamW for the rest, bfloat16 autocast, batches of at most {batch:,} tokens, {steps:,} steps of {planned:,} planned{cut}, in {minutes:.0f} minutes with
{threads} on the CPU. Attention does not cross from one conversation into another. Final training loss {loss:.3f} (mean of the last steps).

    {command}

`weights/training.json` holds the seed ({seed}), the sha256 of the corpus and of every file, the versions of the packages and the figures below.
A twenty-fifth of all questions, chosen by a hash of their words, is held out and never trained on.

## Measured
By `python -m datalchemy.ember.measure`, on the GGUF in llama.cpp, over {problems} held-out problems with {samples} samples each, at temperature 0.6
and top_p 0.95; questions at temperature 1.

| | |
|---|---|
{figures}

Share right of single samples at temperature 0.6, by kind: {by_kind}.
"""

ROWS = (
    ("answers", "accuracy", "share of samples that are right", "{:.1%}"),
    ("answers", "pass_at_8", "pass@8", "{:.1%}"),
    ("greedy", "accuracy", "share right, greedy", "{:.1%}"),
    ("answers", "cut", "answers cut at 400 tokens", "{:.2%}"),
    ("answers", "mean_tokens", "mean tokens of an answer", "{:.1f}"),
    ("questions", "well_formed", "questions it writes that are well-formed problems", "{:.1%}"),
    ("questions", "new", "questions it writes that are well-formed, distinct and not in training", "{:.1%}"),
    ("steered", "on_topic", "well-formed questions on the topic that the system turn names", "{:.1%}"),
    ("speed", "tokens_per_cpu_second", "tokens a second of processor time, 64 answers at once", "{:,.0f}"),
)


def card(record: dict[str, Any]) -> str:
    """The model card for what training.json says."""
    measured, run, plan = record["measured"], record["run"], record["plan"]
    by_kind = sorted(measured["kinds"].items(), key=lambda item: -item[1])
    return WORDS.format(
        parameters=run["parameters"],
        longest=run["longest"],
        kinds=len(by_kind),
        tokens=run["tokens"],
        batch=plan["batch"],
        steps=run["steps"],
        planned=run["planned_steps"],
        cut="" if run["steps"] == run["planned_steps"] else " (cut by time)",
        minutes=run["seconds"] / 60,
        threads="one thread" if record["threads"] == 1 else f"{record['threads']} threads",
        loss=run["loss"],
        command=record["command"],
        seed=record["seed"],
        problems=measured["answers"]["problems"],
        samples=measured["answers"]["samples"],
        figures="\n".join(f"| {words} | {form.format(measured[part][name])} |" for part, name, words, form in ROWS),
        by_kind=", ".join(f"{kind} {share:.0%}" for kind, share in by_kind),
    )


def write(weights: Path) -> None:
    """Write README.md beside the weights folder, from its training.json."""
    record = json.loads((weights / "training.json").read_text(encoding="utf-8"))
    (weights.parent / "README.md").write_text(card(record), encoding="utf-8")
