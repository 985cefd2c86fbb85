"""Several endpoints of one model: calls are shared out by weight, and go on where one of them fails."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, ClassVar, get_args

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationInfo, WithJsonSchema, model_serializer, model_validator

from ..core.backend import Backend, Capability, Reasoning
from ..core.endpoint import Endpoint, Price
from ..core.errors import RecipeError
from ..core.frozen import Frozen
from ..core.plug import build

_WHOLE = ("attempts", "patience_s", "sampling", "price", "identity", "licence")
"""What is said once, of the model."""


def _made(raw: Any, info: ValidationInfo) -> Any:
    return build("backends", (Endpoint,), raw, info.context)


class Member(Frozen):
    """One endpoint, written as any model is (`use: http` ...), with its `weight` beside."""

    endpoint: Annotated[SerializeAsAny[Endpoint], BeforeValidator(_made)]
    """Where it is."""
    weight: float = Field(default=1.0, gt=0)
    """Its share of the calls in flight, beside those of the others."""

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping) or "endpoint" in raw:
            return raw
        settings = {name: value for name, value in raw.items() if name != "weight"}
        return {"endpoint": settings, **({"weight": raw["weight"]} if "weight" in raw else {})}

    @model_validator(mode="after")
    def _fits(self) -> Member:
        if isinstance(self.endpoint, Pool):
            raise ValueError("a pool cannot hold a pool: write its endpoints here")
        fields = type(self.endpoint).model_fields
        if said := [name for name in _WHOLE if getattr(self.endpoint, name) != fields[name].default]:
            raise ValueError(f"write {', '.join(said)} beside `endpoints`: they hold for the whole model, not for one endpoint")
        if not self.endpoint.known():
            raise ValueError("write the model's `name`: an endpoint of several must not depend on which of them can be asked for it")
        return self

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {**self.endpoint.model_dump(mode="json"), "weight": self.weight}

    @property
    def title(self) -> str:
        return str(getattr(self.endpoint, "url", "") or f"{self.endpoint.part_name()} {self.endpoint.who()}")


_Written = WithJsonSchema(
    {
        "type": "object",
        "properties": {"use": {"type": "string"}, "weight": {"type": "number", "exclusiveMinimum": 0, "default": 1}},
        "required": ["use"],
    }
)


class Pool(Endpoint):
    """A model that can be asked at more than one place."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(get_args(Capability))

    endpoints: tuple[Annotated[Member, _Written], ...] = Field(min_length=1)
    """Where it can be asked, each written as a model of its own, with its `weight`; `max_in_flight`, `rpm`, `tpm` and
    `deadlines` of each are kept to there."""
    max_in_flight: int = Field(default=64, ge=1)
    """Calls at the same time at most; left out: what the endpoints take together."""

    @model_validator(mode="after")
    def _one_model(self) -> Pool:
        if "max_in_flight" not in self.model_fields_set:  # frozen only for those who get to see it
            object.__setattr__(self, "max_in_flight", sum(member.endpoint.max_in_flight for member in self.endpoints))
        if self.identity is None and len(names := {member.endpoint.who(): 0 for member in self.endpoints}) > 1:
            raise ValueError(
                f"these endpoints name different models ({', '.join(names)}): answers are stored under one name, "
                "so write what they are as `identity` if they are the same"
            )
        return self

    def able(self) -> frozenset[Capability]:
        return frozenset.intersection(*(member.endpoint.able() for member in self.endpoints))

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises what opening one of the endpoints raises; one that does not answer yet is no error."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Backend]:
        from ._balance import Balance
        from ._lane import Lane

        async with AsyncExitStack() as stack:
            lanes = []
            for member in self.endpoints:
                backend, one = await stack.enter_async_context(member.endpoint.open()), member.endpoint
                lanes.append(
                    Lane(
                        member.title, backend, clock=time.monotonic, weight=member.weight,
                        max_in_flight=one.max_in_flight, rpm=one.rpm, tpm=one.tpm,
                    )
                )  # fmt: skip
            can = frozenset.intersection(*(lane.backend.capabilities for lane in lanes))
            yield await stack.enter_async_context(Balance(lanes, can, patience_s=self.patience_s))

    def who(self) -> str:
        """The name that all endpoints have. Raises RecipeError where they differ and no `identity` says what they are."""
        names = {member.endpoint.who(): 0 for member in self.endpoints}
        if len(names) > 1:
            raise RecipeError(f"the endpoints of this model have different names ({', '.join(names)}): write its `identity`")
        return next(iter(names))

    @property
    def reasoning_told(self) -> Reasoning | None:
        """What all endpoints agree on."""
        told = {member.endpoint.reasoning_told for member in self.endpoints}
        return told.pop() if len(told) == 1 else None

    @property
    def in_process(self) -> bool:
        return any(member.endpoint.in_process for member in self.endpoints)

    @property
    def gathers(self) -> bool:
        return any(member.endpoint.gathers for member in self.endpoints)

    @property
    def effective_price(self) -> Price | None:
        """What the dearest endpoint takes: one with `mode: batch` is cheaper, but nobody knows beforehand which will answer."""
        if self.price is None:
            return None
        paid = [member.endpoint.model_copy(update={"price": self.price}).effective_price or self.price for member in self.endpoints]
        return max(paid, key=lambda price: (price.output, price.input))

    def most_items(self) -> int:
        return min(member.endpoint.most_items() for member in self.endpoints)
