"""Branch, solve, merge (arXiv 2310.15123): a task is divided, its parts are worked on apart, and put together again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ..core.backend import Sampling
from ..core.errors import nearest
from ..core.part import Generator, Tools
from ..core.record import Record
from ..formats.constraints import IDS
from ._branching import Caller
from ._composition import GROUPS, Composition
from ._decomposition import Decomposition
from ._forms import FORMS

UNFIT = ("keywords:existence", "detectable_format:json_format", "detectable_format:constrained_response")
"""Constraints that the words are already, or that no text of several parts can keep."""
FIT = tuple(name for name in IDS if name.split(":")[0] not in ("combination", "language") and name not in UNFIT)


class Bsm(Generator):
    """Divides a task, has the parts worked on apart, and merges what comes of them.

    `constrained`: a text that has to hold many words. They are divided into groups, each group gets a part of the text, the merged text is
    checked word by word and by the recipe's `instructions`, and mended. `problem`: a question is divided, its parts are solved, and an answer
    is written from the findings. Divisions are checked before anything is solved: complete, and without overlap.
    """

    prompts: ClassVar[tuple[str, ...]] = (
        "bsm.request", "bsm.groups", "bsm.part", "bsm.merge", "bsm.lost", "bsm.repair", "bsm.split", "bsm.sequence", "bsm.solve", "bsm.answer", *FORMS,
    )  # fmt: skip
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0)
    """Where neither the strategy nor the model sets it (the paper's greedy decoding)."""

    model: str
    """The model that divides, works and merges."""
    task: Literal["constrained", "problem"] = "constrained"
    """What is divided: the words that a text has to hold, or a question."""
    concepts: str = "concepts"
    """Of `constrained`: the seed's column with the words, a list or a text with commas."""
    groups: int = Field(default=2, ge=2, le=len(GROUPS))
    """Of `constrained`: into how many groups the words are put."""
    forms: Literal["any", "exact"] = "any"
    """Of `constrained`: whether a word counts in any form (`ran` for `run`, by the rules of English), or only as it is written."""
    constraints: NonNegativeInt = Field(default=0, le=5)
    """Of `constrained`: further constraints, drawn for each seed that has none of its own, which the recipe's `instructions` checks."""
    kinds: tuple[str, ...] = ()
    """Types of constraints that may be drawn; none named: all that suit a text of several parts."""
    repairs: NonNegativeInt = 2
    """Of `constrained`: how often a text that misses something is mended at most."""
    parts: int = Field(default=5, ge=2, le=12)
    """Of `problem`: parts at most."""
    chain: bool = False
    """Of `problem`: whether parts are solved one after the other, each with the findings before it, instead of all at once."""
    cover: bool = True
    """Of `problem`: whether each number of the question must stand in one of the parts."""
    keep_parts: bool = False
    """Of `problem`: whether parts and findings stand in the record as what was thought before the answer."""
    tries: PositiveInt = 3
    """How often a division is asked for until one is complete and without overlap."""
    sampling: Sampling | None = None
    """Set over the model's own."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in self.kinds:
            if name not in IDS:
                raise ValueError(f"`kinds`: unknown instruction {name!r}; {nearest(name, IDS)}")
        if self.constraints and self.task == "problem":
            raise ValueError("`constraints` are for `task: constrained`; the answer to a problem is checked by a verifier")
        return self

    def judges(self) -> tuple[str, ...]:
        return ("instructions",) if self.task == "constrained" and (self.constraints or self.forms == "exact") else ()

    def calls_per_seed(self) -> float:
        return float(self.tries + (self.groups + 1 + self.repairs if self.task == "constrained" else self.parts + 1))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        by, caller = self.part_name(), Caller(self.model, self.sampling, self.tries)
        if self.task == "problem":
            yield await Decomposition(by, caller, self.parts, self.chain, self.cover, self.keep_parts).solved(seed, tools)
            return
        exact = self.forms == "exact"
        text = Composition(by, caller, self.concepts, self.groups, exact, self.constraints, self.kinds or FIT, self.repairs)
        yield await text.written(seed, tools)
