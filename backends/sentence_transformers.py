"""Embeddings by a sentence-transformers model, in this process (extra `sentence-transformers`)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint, Price
from ..core.errors import RecipeError

_ENDS = 1 << 20


class SentenceTransformers(Endpoint):
    """A model that sentence-transformers loads: a folder, or a name on the Hugging Face hub. Its vectors are stored.

    Code that comes with a model is never run (`trust_remote_code` is off). It embeds and does nothing else.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset({"embed"})

    name: str
    """A folder, or a name on the hub (`sentence-transformers/all-MiniLM-L6-v2`), which is fetched once."""
    revision: str = ""
    """A commit of the model on the hub; left out: the newest, which then has no fixed identity."""
    device: str = ""
    """`cpu`, `cuda` ...; left out: what there is."""
    batch: int = Field(default=32, ge=1)
    """Texts computed together."""
    prefix: str = ""
    """What stands before each text (`query: ` for E5)."""
    max_in_flight: int = Field(default=1, ge=1)
    """Calls at the same time at most; they share one model."""
    price: Price | None = Price(input=0, output=0)
    """Nothing, unless you say otherwise."""

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the extra is not installed; BackendFatal where the model cannot be loaded."""
        if find_spec("sentence_transformers") is None:
            raise RecipeError("`use: sentence_transformers` needs its extra: pip install 'datalchemy[sentence-transformers]'")
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Backend]:
        from ._sentence_backend import SentenceBackend

        async with SentenceBackend(self, self.who()) as backend:
            yield backend

    def who(self) -> str:
        """The name and its revision; of a folder the hash of its ends (weights are large) and its files' sizes; and the prefix."""
        folder = Path(self.name).expanduser()
        if not folder.is_dir():
            told = f"{self.name}@{self.revision}" if self.revision else self.name
        else:
            whole = hashlib.sha256()
            for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
                size = file.stat().st_size
                whole.update(f"{file.relative_to(folder)}\0{size}\0".encode())
                with file.open("rb") as body:
                    whole.update(body.read(_ENDS))
                    body.seek(max(0, size - _ENDS))
                    whole.update(body.read(_ENDS))
            told = f"{folder.name}@{whole.hexdigest()[:16]}"
        return f"sentence-transformers:{told}{f'+{self.prefix}' if self.prefix else ''}"

    @property
    def in_process(self) -> bool:
        return True

    def most_items(self) -> int:
        return 256
