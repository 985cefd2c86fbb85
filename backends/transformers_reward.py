"""A reward model in this process, through transformers (extra `transformers`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar, Literal

from pydantic import Field

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint


class TransformersReward(Endpoint):
    """A sequence classifier with one label, loaded into this process: the raw logit of each conversation.

    Code that a model brings along is never run; one that needs it (ArmoRM) wants a server of its own. The chat template
    is the tokenizer's; a BOS that template and tokenizer both put there is sent once.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset({"score"})

    path: str
    """A folder with the model, or its name on the hub."""
    revision: str | None = None
    """Of a model on the hub: the commit, tag or branch."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, `mps`; `auto` takes a GPU where there is one."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Precision of the weights; `auto`: as they are stored."""
    max_batch: int = Field(default=8, ge=1)
    """Conversations that are computed together."""
    offline: bool = False
    """Whether nothing may be fetched from the hub."""
    max_in_flight: int = Field(default=2, ge=1)
    """Batches under way: one is computed while the next one is made ready."""

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Loads the weights. Raises RecipeError where transformers or torch is missing, or the model is no reward model."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Backend]:
        from ._transformers_backend import TransformersBackend

        async with TransformersBackend(self) as backend:
            yield backend

    def who(self) -> str:
        """The folder or name, with the revision. Weights that changed under the same name need an `identity`."""
        return f"{self.path}@{self.revision}" if self.revision else self.path

    @property
    def in_process(self) -> bool:
        return True

    def most_items(self) -> int:
        return self.max_batch
