"""The base of every value in the house."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: no field can be changed, no unknown field is taken; a string beneath a field documents it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
