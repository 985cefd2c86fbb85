"""Trains ember's tokenizer: byte-level BPE where every digit is a token of its own.

The pre-tokenizer is the one llama.cpp calls `smollm` (split digits, then the GPT-2 pattern), so that a GGUF
with that name gives the ids that the tokenizers library gives.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 1024
END, OPEN, CLOSE = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CONTROL = (END, OPEN, CLOSE)
THOUGHT = ("<think>", "</think>")


def train(texts: Iterable[str]) -> Tokenizer:
    """Learn the merges from plain text; ChatML tokens are control tokens, `<think>` and `</think>` stay visible."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(text, special=True, normalized=False) for text in CONTROL]
        + [AddedToken(text, special=False, normalized=False) for text in THOUGHT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return visible(tokenizer)


def visible(tokenizer: Tokenizer) -> Tokenizer:
    """Mark the thought tokens as ordinary text, whatever the trainer made of them."""
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in THOUGHT])
    return tokenizer


def load(path: Path) -> Tokenizer:
    """Read a tokenizer.json."""
    return Tokenizer.from_file(str(path))


def token_id(tokenizer: Tokenizer, text: str) -> int:
    """The id of a token that must exist."""
    found: int | None = tokenizer.token_to_id(text)
    if found is None:
        raise KeyError(text)
    return found
