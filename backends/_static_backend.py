"""The connection behind `use: static`: tokens looked up in a table, their mean brought to length one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ..core.backend import Capability, Probe, Reply, Request, Vector
from ..core.errors import BackendFatal

_CHARS = 400_000
"""Characters embedded together: what they become in memory (a row of numbers a token) stays below some 200 MB."""


class StaticBackend:
    """Embeds in a thread; a text without a known token is a row of zeros."""

    def __init__(self, place: Path, name: str, max_chars: int) -> None:
        self.capabilities: frozenset[Capability] = frozenset({"embed"})
        self._place, self._name, self._max_chars = place, name, max_chars
        self._table: Any = None
        self._tokenizer: Any = None
        self._unknown: int | None = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await asyncio.to_thread(self._rows, [text[: self._max_chars] for text in texts]) if texts else []

    def _rows(self, texts: list[str]) -> list[Vector]:
        rows: list[Vector] = []
        start = size = 0
        for at, text in enumerate(texts):
            if size and size + len(text) > _CHARS:
                rows.extend(self._together(texts[start:at]))
                start, size = at, 0
            size += len(text)
        rows.extend(self._together(texts[start:]))
        return rows

    def _together(self, texts: list[str]) -> Any:
        import numpy as np

        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        out = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        ones = np.ones(1024, dtype=np.float32)
        for at, encoding in enumerate(self._tokenizer.encode_batch_fast(clean, add_special_tokens=False)):
            ids = encoding.ids
            if self._unknown in ids:
                ids = [token for token in ids if token != self._unknown]
            for begin in range(0, len(ids), len(ones)):  # a product with ones is a sum, eight times as fast as `reduceat`
                some = ids[begin : begin + len(ones)]
                out[at] += ones[: len(some)] @ self._table[some]
        return out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-12)

    def _load(self) -> None:
        import numpy as np
        from tokenizers import Tokenizer

        try:
            self._table = np.load(self._place / "vectors.npy", allow_pickle=False).astype(np.float32)
            self._tokenizer = Tokenizer.from_file(str(self._place / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception for a file that is none
            raise BackendFatal(f"the encoder in {self._place} cannot be read: {error}") from error
        if self._table.ndim != 2 or self._table.shape[0] < self._tokenizer.get_vocab_size():
            raise BackendFatal(f"vectors.npy in {self._place} has fewer rows than tokenizer.json has tokens")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._unknown = next((i for token in ("[UNK]", "<unk>") if (i := self._tokenizer.token_to_id(token)) is not None), None)

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        raise BackendFatal("a static encoder embeds; it cannot chat")

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal("a static encoder embeds; it gives no scores")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        if not isinstance(messages, str):
            raise BackendFatal("a static encoder has no chat template")
        return list(self._tokenizer.encode(messages.encode("utf-8", "replace").decode(), add_special_tokens=False).ids)

    async def probe(self) -> Probe:
        return Probe(reachable=True, models=(self._name,), server="static")

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._load)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._table = self._tokenizer = None
