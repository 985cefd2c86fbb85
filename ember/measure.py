"""Measures a GGUF of ember on held-out problems and on questions it writes itself; prints a table, then JSON."""

import argparse
import json
import os
import re
import time
from math import comb
from pathlib import Path

from . import weights
from .corpus import COT_SUFFIX, TOPICS, Problem, conversations, held_out_problems, topic_of, truth
from .server import Client, serve

BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
PRE_QUERY = "<|im_start|>user\n"
LIMIT = 400


def prompt(question: str) -> str:
    """A question as ember is asked it: with the wording of the chain-of-thought prompt, as ChatML."""
    return f"{PRE_QUERY}{question}\n\n{COT_SUFFIX}<|im_end|>\n<|im_start|>assistant\n"


def boxed(text: str) -> str | None:
    """The last boxed answer after the thinking."""
    found = BOXED.findall(text.split("</think>")[-1])
    return str(found[-1]).strip() if found else None


def pass_at(k: int, right: list[int], n: int) -> float:
    """The unbiased pass@k over problems with `right` correct of n samples each."""
    return sum(1 - comb(n - c, k) / comb(n, k) for c in right) / len(right)


def answers(client: Client, problems: list[Problem], samples: int, temperature: float, seed: int) -> dict[str, float]:
    """Accuracy, pass@k, cut share, length and speed over the problems."""
    asked = [(prompt(item.question), seed + 1000 * i + s) for i, item in enumerate(problems) for s in range(samples)]
    replies = client.complete_all(asked, temperature, LIMIT)
    grid = [replies[i * samples : (i + 1) * samples] for i in range(len(problems))]
    right = [sum(boxed(reply.text) == item.answer for reply in row) for item, row in zip(problems, grid, strict=True)]
    tokens = sum(reply.tokens for reply in replies)
    return {
        "problems": len(problems),
        "samples": samples,
        "accuracy": sum(right) / len(replies),
        "pass_at_1": pass_at(1, right, samples),
        f"pass_at_{samples}": pass_at(samples, right, samples),
        "cut": sum(reply.cut for reply in replies) / len(replies),
        "mean_tokens": tokens / len(replies),
    }


def speed(client: Client, problems: list[Problem], seed: int) -> dict[str, float]:
    """Tokens a second over many answers at once, by the clock and by the processor time that it cost, and how busy the machine was."""
    begun, used = time.monotonic(), time.process_time()
    replies = client.complete_all([(prompt(item.question), seed + i) for i, item in enumerate(problems)], 0.6, LIMIT)
    tokens = sum(reply.tokens for reply in replies)
    return {
        "tokens_per_second": tokens / (time.monotonic() - begun),
        "tokens_per_cpu_second": tokens / (time.process_time() - used),
        "load": os.getloadavg()[0],
    }


def by_kind(client: Client, problems: list[Problem], temperature: float, seed: int) -> dict[str, float]:
    """Accuracy of each kind, one sample a problem."""
    replies = client.complete_all([(prompt(item.question), seed + i) for i, item in enumerate(problems)], temperature, LIMIT)
    marks: dict[str, list[bool]] = {}
    for item, reply in zip(problems, replies, strict=True):
        marks.setdefault(item.kind, []).append(boxed(reply.text) == item.answer)
    return {kind: sum(hits) / len(hits) for kind, hits in sorted(marks.items())}


def questions(client: Client, n: int, known: set[str], temperature: float, seed: int) -> dict[str, float]:
    """What the model writes from the pre-query alone: how much of it is a problem, and how much of that is new."""
    replies = client.complete_all([(PRE_QUERY, seed + i) for i in range(n)], temperature, 200)
    texts = [reply.text.strip() for reply in replies]
    good = [text for text in texts if truth(text) is not None]
    new = {text for text in good if text not in known}
    return {"written": n, "well_formed": len(good) / n, "new": len(new) / n}


def steered(client: Client, each: int, temperature: float, seed: int) -> dict[str, float]:
    """With a system turn that names a topic: how much of what it writes is a problem, and how much of that is on the topic."""
    asked = [(f"<|im_start|>system\nYou write about {topic}.<|im_end|>\n{PRE_QUERY}", topic) for topic in TOPICS for _ in range(each)]
    replies = client.complete_all([(text, seed + i) for i, (text, _) in enumerate(asked)], temperature, 200)
    topics = [(topic, topic_of(reply.text)) for (_, topic), reply in zip(asked, replies, strict=True)]
    good = [wanted == found for wanted, found in topics if found is not None]
    return {"topics": len(TOPICS), "written": len(asked), "well_formed": len(good) / len(asked), "on_topic": sum(good) / max(len(good), 1)}


def trained_questions(seed: int, n: int) -> set[str]:
    """Every user turn of the training corpus."""
    return {turn.text for conversation in conversations(seed, n) for turn in conversation if turn.role == "user"}


def measure(path: Path, corpus: tuple[int, int], size: int = 300, threads: int = 1) -> dict[str, dict[str, float]]:
    """All figures for one GGUF."""
    seed, samples = 7, 8
    problems = held_out_problems(seed, size)
    known = trained_questions(*corpus)
    with serve(path, threads=threads) as client:
        return {
            "speed": speed(client, problems, seed),
            "answers": answers(client, problems, samples, 0.6, seed),
            "greedy": {"accuracy": answers(client, problems, 1, 0.0, seed)["accuracy"]},
            "questions": questions(client, size, known, 1.0, seed),
            "steered": steered(client, max(size // 15, 1), 1.0, seed),
            "kinds": by_kind(client, held_out_problems(seed + 1, 4 * size), 0.6, seed),
        }


def table(figures: dict[str, dict[str, float]]) -> str:
    """The figures, one a line."""
    return "\n".join(f"{part:10} {name:18} {value:10.4g}" for part, row in figures.items() for name, value in row.items())


def main() -> None:
    """Measure the shipped weights, or those given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path, nargs="?", default=weights())
    parser.add_argument("--size", type=int, default=300, help="how many problems, and how many questions")
    parser.add_argument("--threads", type=int, default=1, help="more than one helps only where the cores are idle")
    given = parser.parse_args()
    plan = json.loads((given.gguf.parent / "training.json").read_text(encoding="utf-8"))["plan"]
    figures = measure(given.gguf, (plan["seed"], plan["conversations"]), given.size, given.threads)
    print(table(figures))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
