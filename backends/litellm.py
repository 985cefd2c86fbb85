"""Any provider that LiteLLM knows, by PROVIDER/NAME: for those that speak no OpenAI-compatible API of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint, Price
from ._address import checked_url, checked_variable, key_of


class LiteLLM(Endpoint):
    """A model of any provider, through LiteLLM."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset({"chat", "logprobs", "embed", "json_schema", "tools", "n", "seed"})

    name: str = Field(pattern=r"^[a-z0-9_.-]+/\S+$")
    """The model as LiteLLM knows it: `anthropic/claude-sonnet-4-5`, `bedrock/...`, `gemini/...`."""
    url: str | None = None
    """Another address than the provider's own; no key goes there but the one that `api_key_env` names."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; left out, LiteLLM looks where the provider's own client does (`ANTHROPIC_API_KEY`, AWS's files ...)."""
    drop_params: bool = False
    """Whether sampling parameters that the provider does not take are left out; otherwise they stop the run."""
    price_from_litellm: bool = False
    """Whether `price` is taken from the table that comes with LiteLLM, where it is not given: as old as the installed release, without discounts."""

    @model_validator(mode="before")
    @classmethod
    def _priced(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("price_from_litellm") is not True or given.get("price") is not None:
            return given
        from ._litellm_map import price

        name = str(given.get("name"))
        if found := price(name):
            return {**given, "price": found}
        raise ValueError(f"price_from_litellm: the table of the installed LiteLLM has no price of {name!r}: write `price` yourself")

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, name: str | None) -> str | None:
        return checked_variable(name)

    @field_validator("url")
    @classmethod
    def _checked(cls, url: str | None) -> str | None:
        return None if url is None else checked_url(url)

    @property
    def listed_price(self) -> Price | None:
        from ._litellm_map import price

        return self.price or (Price(**found) if (found := price(self.name)) else None)

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the key's variable is not set, or LiteLLM not installed; BackendFatal for an unknown provider."""
        return self._open(key_of(self.api_key_env))

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncGenerator[Backend]:
        from ._litellm_backend import LiteLLMBackend

        async with LiteLLMBackend(self, key) as backend:
            yield backend

    def who(self) -> str:
        return self.name
