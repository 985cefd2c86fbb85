"""What strategies have in common whose new questions are kept only if solving them finds a known answer."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Self

from pydantic import Field, PositiveInt, model_validator

from ..core.backend import Capability, Sampling
from ..core.part import Generator
from ._solving import Solver


class Reproducing(Generator, ABC):
    """Settings, and the solver that they describe."""

    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that writes the new question and, unless `solver` is set, solves it."""
    solver: str = ""
    """The model that solves; by default the same."""
    k: int = Field(default=2, ge=1, le=32)
    """New questions of a seed."""
    solves: PositiveInt = 4
    """Solutions of a question at most, asked in waves of 1, 1, 2, 2 ..."""
    agree: PositiveInt = 1
    """How many of them must find the answer."""
    verify: str = "math_answer"
    """The recipe's filter that compares answers."""
    sampling: Sampling | None = None
    """Of writing, set over the model's own."""
    solving: Sampling | None = None
    """Of solving, set over the model's own."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.agree > self.solves:
            raise ValueError(f"`agree: {self.agree}` of `solves: {self.solves}` can never be reached: lower `agree`, or raise `solves`")
        return self

    def judges(self) -> tuple[str, ...]:
        return (self.verify,)

    def needs(self) -> dict[str, frozenset[Capability]]:
        return {name: frozenset({"chat"}) for name in (self.model, self.solver) if name}

    def _solver(self) -> Solver:
        return Solver(self.part_name(), self.solver or self.model, self.solves, self.agree, self.verify, self.solving)
