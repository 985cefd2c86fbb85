"""The static encoder: embeddings from one vector a token, here in this process, thousands a second."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint, Price
from ..core.errors import RecipeError
from .static_encoder import folder


class Static(Endpoint):
    """A table of one vector a token; without `path` the one that ships (all-MiniLM-L6-v2, distilled by `make encoder`).

    It is what filters embed with where a recipe names no other model `encoder`. It embeds and does nothing else.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset({"embed"})
    stored: ClassVar[bool] = False

    path: Path | None = None
    """A folder with `vectors.npy` (a row a token) and `tokenizer.json` (Hugging Face tokenizers); left out: the one that ships."""
    max_chars: int = Field(default=16_000, ge=1)
    """Of a longer text only the beginning is read."""
    max_in_flight: int = Field(default=2, ge=1)
    """Calls at the same time at most; each is a thread that computes."""
    price: Price | None = Price(input=0, output=0)
    """Nothing, unless you say otherwise."""

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the folder does not hold an encoder."""
        return self._open(self.files())

    @asynccontextmanager
    async def _open(self, place: Path) -> AsyncGenerator[Backend]:
        from ._static_backend import StaticBackend

        async with StaticBackend(place, self.who(), self.max_chars) as backend:
            yield backend

    def who(self) -> str:
        """`static:HASH`: 16 hex digits of the sha256 of vectors and tokenizer. Raises RecipeError."""
        place = self.files()
        return f"static:{_digest(place, (place / 'vectors.npy').stat().st_mtime_ns)}"

    def files(self) -> Path:
        """The folder that is meant. Raises RecipeError where files are missing."""
        place = self.path.expanduser() if self.path is not None else folder()
        for name in ("vectors.npy", "tokenizer.json"):
            if not (place / name).is_file():
                raise RecipeError(f"`use: static` needs {name} in {place}, and there is none")
        return place

    @property
    def in_process(self) -> bool:
        return True

    def most_items(self) -> int:
        return 1024


@cache
def _digest(place: Path, changed: int) -> str:
    """Hash of an encoder; `changed` tells one file from its successor."""
    whole = hashlib.sha256()
    for name in ("vectors.npy", "tokenizer.json"):
        whole.update((place / name).read_bytes())
    return whole.hexdigest()[:16]
