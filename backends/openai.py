"""OpenAI and what speaks its API, through OpenAI's own SDK; as calls that are answered at once, or in batches at half the price."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ..core.backend import Backend, Capability, Reasoning
from ..core.endpoint import Endpoint, Price
from ._address import checked_url, checked_variable, key_of

OPENAI = "https://api.openai.com/v1"
FOREIGN = ("top_k", "min_p", "repetition_penalty", "stop_token_ids")
"""Sampling that OpenAI's own service refuses."""
BATCHED = 10_000
"""`max_in_flight` of batches, where it is not given."""


class OpenAI(Endpoint):
    """A model of OpenAI, or of a service that its SDK can talk to."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {"chat", "complete", "logprobs", "embed", "json_schema", "tools", "n", "seed"}
    )

    name: str = Field(min_length=1)
    """The model's name as the service knows it."""
    url: str = OPENAI
    """The service, `/v1` included; of Azure `https://RESOURCE.openai.azure.com/openai/v1`."""
    api_key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; `null` sends none."""
    organization: str | None = None
    """Id of the organization that pays; the key's own where it is left out (OPENAI_ORG_ID is not read)."""
    project: str | None = None
    """Id of the project that pays; the key's own where it is left out (OPENAI_PROJECT_ID is not read)."""
    reasoning_model: Literal["auto"] | bool = "auto"
    """Whether it is a reasoning model, which takes other parameters; `auto` goes by the name (o1, o3, gpt-5 and later)."""
    service_tier: str | None = None
    """`flex`, `priority` ...: sent with every call."""
    mode: Literal["calls", "batch"] = "calls"
    """`batch`: calls are gathered and sent through the Batch API: done within `window`, at `batch_discount` off the price."""
    window: str = "24h"
    """Of a batch: within which time it is done; requests that are not done by then are sent again in a later one."""
    linger_s: float = Field(default=15, ge=0)
    """Of a batch: it goes out once no call has joined it for so long (in all ten times as long at most)."""
    batch_size: int = Field(default=50_000, ge=1, le=50_000)
    """Requests of one batch at most."""
    poll_s: float = Field(default=20, gt=0)
    """Seconds until a batch is first looked at; then half as long again each time, up to six times as long."""
    batch_discount: float = Field(default=0.5, ge=0, le=1)
    """What batches take off `price`."""

    @model_validator(mode="before")
    @classmethod
    def _wide(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("mode") == "batch":
            return {"max_in_flight": BATCHED, **given}
        return given

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, name: str | None) -> str | None:
        return checked_variable(name)

    @field_validator("url")
    @classmethod
    def _checked(cls, url: str) -> str:
        return checked_url(url)

    @model_validator(mode="after")
    def _fits(self) -> OpenAI:
        if self.official and (unknown := sorted(set(FOREIGN) & self.sampling.model_fields_set)):
            raise ValueError(f"{OPENAI} has no {', '.join(unknown)}: take {'it' if len(unknown) == 1 else 'them'} out of `sampling`")
        return self

    @property
    def official(self) -> bool:
        """Whether it is OpenAI's own service, of which it is known what it takes."""
        return self.url == OPENAI

    @property
    def reasoning(self) -> bool:
        """Whether it takes a reasoning model's parameters."""
        from ._openai_hosted import reasons

        return reasons(self.name) if self.reasoning_model == "auto" else self.reasoning_model

    @property
    def reasoning_told(self) -> Reasoning | None:
        return "hidden" if self.reasoning else None

    def able(self) -> frozenset[Capability]:
        return self.capabilities - ({"logprobs"} if self.reasoning else frozenset())

    @property
    def gathers(self) -> bool:
        return self.mode == "batch"

    @property
    def effective_price(self) -> Price | None:
        if self.price is None or self.mode != "batch":
            return self.price
        left = 1 - self.batch_discount
        cached = None if self.price.cached is None else self.price.cached * left
        return Price(input=self.price.input * left, output=self.price.output * left, cached=cached)

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the key's variable is not set."""
        return self._open(key_of(self.api_key_env))

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncGenerator[Backend]:
        from ._openai_backend import OpenAIBackend

        async with OpenAIBackend(self, key) as backend:
            yield backend

    def who(self) -> str:
        return self.name
