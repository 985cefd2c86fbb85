"""Trains ember on the CPU: next-token loss on whole conversations, each a row of its own.

Attention never crosses from one conversation into another, and every conversation is seen once.  A run can be interrupted and started again: it goes on from the last
checkpoint in its folder and ends with the same weights, unless `minutes` cut it short.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

from . import tokenizer as bpe
from .corpus import Conversation, conversations
from .model import Ember, Shape, parameters

IGNORED = -100
Movers = tuple[torch.optim.Optimizer, ...]
Row = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """Everything that decides what comes out of a run."""

    seed: int = 1
    conversations: int = 56_000
    batch: int = 3_072
    pool: int = 2_048
    rate: float = 6e-3
    warmup: int = 60
    decay: float = 0.1
    minutes: float = 45.0


def segments(conversation: Conversation) -> Iterator[tuple[str, bool]]:
    """A conversation as ChatML, cut where the loss is switched off or on."""
    for turn in conversation:
        yield f"<|im_start|>{turn.role}\n{turn.text}", True
        if turn.muted:
            yield turn.muted, False
        yield "<|im_end|>\n", True


def encode(tokenizer: Tokenizer, conversation: Conversation) -> Row:
    """A conversation as ids, and the same with what is not learnt left out."""
    ids: list[int] = []
    targets: list[int] = []
    for text, learnt in segments(conversation):
        new = tokenizer.encode(text, add_special_tokens=False).ids
        ids += new
        targets += new if learnt else [IGNORED] * len(new)
    return np.array(ids, dtype=np.int64), np.array(targets, dtype=np.int64)


def batches(rows: list[Row], plan: Plan) -> list[list[Row]]:
    """Conversations of about one length together, so that little is padding; the first fifth goes from short to long, the rest is shuffled."""
    made: list[list[Row]] = []
    for start in range(0, len(rows), plan.pool):
        batch: list[Row] = []
        for row in sorted(rows[start : start + plan.pool], key=lambda row: len(row[0])):
            if batch and (len(batch) + 1) * len(row[0]) > plan.batch:
                made.append(batch)
                batch = []
            batch.append(row)
        made.append(batch)
    Random(plan.seed).shuffle(made)
    first = len(made) // 5
    return sorted(made[:first], key=lambda batch: len(batch[0][0])) + made[first:]


def rate(plan: Plan, step: int, done: float) -> float:
    """The learning rate: a short rise, then a cosine down to nearly nothing."""
    rise = min(1.0, (step + 1) / plan.warmup)
    return plan.rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def optimizers(model: Ember, plan: Plan) -> Movers:
    """Muon for the matrices of the layers, AdamW without decay for norms and the embedding."""
    inner = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "embed" not in name]
    outer = [weight for name, weight in model.named_parameters() if weight.dim() != 2 or "embed" in name]
    muon = torch.optim.Muon(inner, lr=plan.rate, weight_decay=plan.decay, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    return muon, torch.optim.AdamW(outer, lr=plan.rate, weight_decay=0.0, betas=(0.9, 0.95))


def loss_of(model: Ember, rows: list[Row]) -> torch.Tensor:
    """The mean loss of a batch: each token from those before it in its own conversation."""
    length = max(len(ids) for ids, _ in rows)
    x = torch.zeros(len(rows), length - 1, dtype=torch.long)
    y = torch.full((len(rows), length - 1), IGNORED)
    for place, (ids, targets) in enumerate(rows):
        x[place, : len(ids) - 1] = torch.from_numpy(ids[:-1])
        y[place, : len(ids) - 1] = torch.from_numpy(targets[1:])
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
    return F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), ignore_index=IGNORED)


def run(plan: Plan, folder: Path, tokenizer: Tokenizer, every: float = 240.0) -> dict[str, float]:
    """Train, or go on training; leaves `model.pt` and numbered checkpoints in the folder, returns the facts of the run."""
    torch.manual_seed(plan.seed)
    model = Ember(replace(Shape(), vocabulary=tokenizer.get_vocab_size()))
    movers = optimizers(model, plan)
    rows = [encode(tokenizer, conversation) for conversation in conversations(plan.seed, plan.conversations)]
    order = batches(rows, plan)
    last = len(order)
    step, spent, loss = _restore(folder, model, movers)
    print(f"{parameters(model)} parameters, {sum(len(ids) for ids, _ in rows)} tokens, {last} steps, from step {step}", flush=True)
    begun = saved = time.monotonic()
    while step < last:
        seconds = spent + time.monotonic() - begun
        done = max(step / last, seconds / (60 * plan.minutes))
        if done >= 1.0:
            break
        now = _step(model, movers, order[step], rate(plan, step, done))
        loss = now if math.isnan(loss) else 0.95 * loss + 0.05 * now
        step += 1
        if step % 20 == 0:
            print(f"step {step} loss {loss:.4f} rate {rate(plan, step, done):.5f} seconds {seconds:.0f}", flush=True)
        if time.monotonic() - saved > every:
            _save(folder, model, movers, (step, seconds, loss))
            saved = time.monotonic()
    seconds = spent + time.monotonic() - begun
    _save(folder, model, movers, (step, seconds, loss))
    seen = [len(ids) for batch in order[:step] for ids, _ in batch]
    facts = {"parameters": parameters(model), "steps": step, "planned_steps": last, "tokens": sum(seen), "longest": max(seen)}
    return facts | {"seconds": seconds, "loss": loss}


def _step(model: Ember, movers: Movers, rows: list[Row], speed: float) -> float:
    for group in (group for mover in movers for group in mover.param_groups):
        group["lr"] = speed
    loss = loss_of(model, rows)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for mover in movers:
        mover.step()
        mover.zero_grad(set_to_none=True)
    return loss.item()


def _save(folder: Path, model: Ember, movers: Movers, at: tuple[int, float, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"model": model.state_dict(), "optimizers": [mover.state_dict() for mover in movers], "at": at}
    fresh = folder / "model.tmp"
    torch.save(state, fresh)
    fresh.replace(folder / "model.pt")
    torch.save({"model": model.state_dict(), "at": at}, folder / f"step-{at[0]}.pt")


def _restore(folder: Path, model: Ember, movers: Movers) -> tuple[int, float, float]:
    path = folder / "model.pt"
    if not path.exists():
        return 0, 0.0, float("nan")
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    for mover, saved in zip(movers, state["optimizers"], strict=True):
        mover.load_state_dict(saved)
    step, seconds, loss = state["at"]
    return step, seconds, loss


def learn_tokenizer(plan: Plan, sample: int = 8_000) -> Tokenizer:
    """The tokenizer, from the first conversations of the corpus."""
    return bpe.train(text for conversation in conversations(plan.seed, sample) for text, _ in segments(conversation))
