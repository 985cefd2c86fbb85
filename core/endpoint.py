"""A model as a recipe describes it: where it is, how hard it may be driven, what it costs."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from pydantic import Field

from .backend import Backend, Capability, Reasoning, Sampling
from .frozen import Frozen
from .part import Part


class Price(Frozen):
    """Dollars a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    """Of prompt tokens that the server had cached; like `input` where absent."""


class Deadlines(Frozen):
    """Seconds; each one that passes ends the attempt, and the call is tried again."""

    connect_s: float = Field(default=10, gt=0)
    first_byte_s: float = Field(default=900, gt=0)
    """Until the answer's first byte: without streaming, the whole generation."""
    idle_s: float = Field(default=120, gt=0)
    """Between two chunks of the body."""
    total_s: float = Field(default=1800, gt=0)


class Endpoint(Part):
    """Base of the settings in a recipe's `models:` block; each file of backends/ defines exactly one subclass."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    """What this kind of backend can do at all; checked against the recipe before a token is spent."""

    stored: ClassVar[bool] = True
    """Whether its scores and vectors go to the response store; false where asking again is cheaper than looking them up."""

    max_in_flight: int = Field(default=64, ge=1)
    """Calls at the same time at most; the engine goes below while the server is overloaded."""
    rpm: float | None = Field(default=None, gt=0)
    """Requests a minute at most."""
    tpm: float | None = Field(default=None, gt=0)
    """Tokens a minute at most (prompt and completion)."""
    attempts: int = Field(default=8, ge=1)
    """Tries of one call at most, the first one counted in."""
    patience_s: float = Field(default=300, ge=0)
    """How long the backend may be down (no call succeeds, connections fail) before the run stops."""
    deadlines: Deadlines = Deadlines()
    sampling: Sampling = Sampling()
    """Defaults for every call to this model; a strategy may set its own over them."""
    price: Price | None = None
    context_length: int | None = Field(default=None, ge=1)
    """Context in tokens, where the server does not tell it."""
    identity: str | None = None
    """Overrides what the response store takes for the model's identity (two endpoints with the same weights share answers)."""

    licence: str = ""
    """Of what it writes, as an SPDX name or the name of its terms; a policy with `allowed_licences` looks at it."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Backend]:
        """A connection to the model; entering it starts nothing that costs money."""

    @abstractmethod
    def who(self) -> str:
        """The model's identity for the response store: its name (and weights' hash for a local file), never its URL."""

    def able(self) -> frozenset[Capability]:
        """What it can be asked for with these settings, as far as they tell."""
        return self.capabilities

    def known(self) -> bool:
        """Whether `who` can tell; if not, opening the endpoint once makes it known."""
        return True

    def most_items(self) -> int:
        """Texts or conversations that one call to `embed` or `score` takes."""
        return 64

    @property
    def in_process(self) -> bool:
        """Whether its native code runs in this process, which dies with it."""
        return False

    @property
    def gathers(self) -> bool:
        """Whether calls wait for others and are sent together, so that one alone takes as long as many."""
        return False

    @property
    def effective_price(self) -> Price | None:
        """What is really paid: `price`, less what this way to the model takes off."""
        return self.price

    @property
    def listed_price(self) -> Price | None:
        """`effective_price`, else what a table says that comes along: to be shown, not to be counted with."""
        return self.effective_price

    @property
    def reasoning_told(self) -> Reasoning | None:
        """Where its thinking will be, as far as these settings tell."""
        return None

    @property
    def stored_as(self) -> str:
        return self.identity or self.who()

    def redacted(self) -> dict[str, Any]:
        """The settings for fingerprints and manifests (they never hold a key: keys come from the environment by name)."""
        return self.model_dump(mode="json")
