"""Any OpenAI-compatible server over HTTP: vLLM, llama.cpp, SGLang, hosted ones. Made for vLLM first."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

from pydantic import PrivateAttr, field_validator

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ._address import checked_url, checked_variable, key_of


class Http(Endpoint):
    """A model behind an OpenAI-compatible server."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {"chat", "complete", "token_ids", "prompt_logprobs", "logprobs", "embed", "json_schema", "tools", "n", "seed", "template"}
    )

    url: str
    """Where the server is, `/v1` included (`http://127.0.0.1:8000/v1`)."""
    name: str = ""
    """The model's name as the server knows it; may be left out where the server offers exactly one."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; without it no key is sent, whatever the environment holds."""

    _found: str = PrivateAttr(default="")

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, name: str | None) -> str | None:
        return checked_variable(name)

    @field_validator("url")
    @classmethod
    def _checked(cls, url: str) -> str:
        return checked_url(url)

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the key's variable is not set; BackendFatal where `name` is left out and cannot be found."""
        return self._open(key_of(self.api_key_env))

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncGenerator[Backend]:
        from ._http_backend import HttpBackend

        async with HttpBackend(self, url=self.url, name=self.name, key=key, key_name=self.api_key_env or "") as backend:
            if not self.name:
                self._found = await backend.only_model()
            yield backend

    def known(self) -> bool:
        return bool(self.name or self._found)

    def who(self) -> str:
        """The model's name. Where it is left out it is known once the endpoint was opened. Raises RecipeError before that."""
        if name := self.name or self._found:
            return name
        raise RecipeError(f"the model behind {self.url} is not known yet: write its `name` (or `identity`), or open the endpoint first")
