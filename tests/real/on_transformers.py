"""What transformers itself says, in the environment that has it (vLLM's): the oracle of the tests of reward models and IFD.

`PYTHON on_transformers.py make FOLDER` writes a tiny reward model with random weights; `logits FOLDER`, `token_logits FOLDER`,
`backend FOLDER` score the conversations of stdin (JSON), `losses FOLDER` the [beginning, answer] pairs of token ids there.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

EMBER = Path(__file__).resolve().parents[2] / "ember" / "weights" / "hf"


def make(folder: Path) -> None:
    """Two layers with one label over ember's tokenizer; its scores spread over several units, on both sides of 0."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(7)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = LlamaConfig(
        vocab_size=1024, max_position_embeddings=1024, num_labels=1, pad_token_id=0, eos_token_id=2, bos_token_id=None, **sizes
    )
    model = LlamaForSequenceClassification(config).eval()
    with torch.no_grad():
        model.score.weight.mul_(20)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(EMBER / name, folder / name)


def _loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()


def logits(folder: Path, conversations: list[Any]) -> list[float]:
    """One at a time, without padding."""
    import torch

    tokenizer, model = _loaded(folder)
    found = []
    for messages in conversations:
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.inference_mode():
            found.append(model(ids).logits[0, 0].item())
    return found


def token_logits(folder: Path, conversations: list[Any]) -> list[Any]:
    """Of each conversation its token ids and the head's output at each of them."""
    import torch

    tokenizer, model = _loaded(folder)
    found = []
    for messages in conversations:
        ids = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False, return_tensors="pt").input_ids
        with torch.inference_mode():
            found.append([ids[0].tolist(), model.score(model.model(ids).last_hidden_state)[0, :, 0].tolist()])
    return found


def backend(folder: Path, conversations: list[Any]) -> list[Any]:
    """Through `use: transformers_reward`, in one batch. What this environment lacks comes from the one beside it."""
    root = Path(__file__).resolve().parents[2]
    sys.path += [str(root / ".typing"), *map(str, root.glob(".venv/lib/python*/site-packages"))]
    from datalchemy.backends.transformers_reward import TransformersReward
    from datalchemy.core.backend import Request

    async def score() -> list[Any]:
        async with TransformersReward(path=str(folder), offline=True, dtype="float32").open() as opened:
            replies = await opened.score([Request(kind="score", messages=messages) for messages in conversations])
            return [[reply.values[0], reply.usage.prompt_tokens] for reply in replies]

    return asyncio.run(score())


def losses(folder: Path, pairs: list[Any]) -> list[float]:
    """Mean negative log-likelihood of each answer's tokens behind its beginning."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for beginning, answer in pairs:
        ids = torch.tensor([[*beginning, *answer]])
        with torch.inference_mode():
            chances = model(ids).logits[0].float().log_softmax(-1)
        at = torch.arange(len(beginning) - 1, ids.shape[1] - 1)
        found.append(-chances[at, ids[0, at + 1]].mean().item())
    return found


if __name__ == "__main__":
    command, folder = sys.argv[1], Path(sys.argv[2])
    if command == "make":
        make(folder)
    else:
        print(json.dumps(globals()[command](folder, json.load(sys.stdin))))
