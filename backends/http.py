"""Any OpenAI-compatible server over HTTP: vLLM, llama.cpp, SGLang, hosted ones. Made for vLLM first."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import PrivateAttr, field_validator

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError


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
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError("expected the name of an environment variable, not a key: export the key and write the variable's name")
        return name

    @field_validator("url")
    @classmethod
    def _checked(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid:
            raise ValueError(f"expected an address such as http://127.0.0.1:8000/v1, got {url!r}")
        if parts.username or parts.password:
            raise ValueError("an address must not hold a key or password; name an environment variable in `api_key_env`")
        if parts.query or parts.fragment:
            raise ValueError("the address of a server has no ? or # part; give the model as `name`")
        return url.rstrip("/")

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the key's variable is not set; BackendFatal where `name` is left out and cannot be found."""
        return self._open(self._key())

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

    def _key(self) -> str:
        if self.api_key_env is None:
            return ""
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise RecipeError(f"the environment variable {self.api_key_env} (api_key_env) is not set: export {self.api_key_env}=...")
        if not key.isprintable() or not key.isascii():
            raise RecipeError(f"the environment variable {self.api_key_env} (api_key_env) holds characters that no key has")
        return key
