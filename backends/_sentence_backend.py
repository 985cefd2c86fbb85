"""The connection behind `use: sentence_transformers`: the model in this process, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from ..core.backend import Capability, Probe, Reply, Request, Vector
from ..core.errors import BackendFatal

if TYPE_CHECKING:
    from .sentence_transformers import SentenceTransformers


class SentenceBackend:
    """Embeds; vectors of length one."""

    def __init__(self, settings: SentenceTransformers, name: str) -> None:
        self.capabilities: frozenset[Capability] = frozenset({"embed"})
        self._settings, self._name = settings, name
        self._thread = ThreadPoolExecutor(1, "sentence-transformers")
        self._model: Any = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        clean = [self._settings.prefix + text.encode("utf-8", "replace").decode() for text in texts]
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._rows, clean) if texts else []

    def _rows(self, texts: list[str]) -> list[Vector]:
        try:
            rows = self._model.encode(texts, batch_size=self._settings.batch, normalize_embeddings=True, show_progress_bar=False)
        except RuntimeError as error:  # torch's own: out of memory, a broken device
            raise BackendFatal(f"{self._settings.name} cannot embed: {error}") from error
        return [row.tolist() for row in rows]

    def _load(self) -> None:
        from sentence_transformers import SentenceTransformer

        settings = self._settings
        try:
            self._model = SentenceTransformer(
                settings.name, revision=settings.revision or None, device=settings.device or None, trust_remote_code=False
            )
        except Exception as error:  # it raises whatever the hub, torch and transformers raise
            raise BackendFatal(f"the model {settings.name} cannot be loaded: {str(error)[:300]}") from error

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        raise BackendFatal("a sentence-transformers model embeds; it cannot chat")

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        raise BackendFatal("a sentence-transformers model embeds; it gives no scores")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        raise BackendFatal("a sentence-transformers model has no chat template")

    async def probe(self) -> Probe:
        return Probe(reachable=True, models=(self._name,), server="sentence-transformers")

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._model = None
        await asyncio.to_thread(self._thread.shutdown)
