"""The recipe's `measures:` block: what is measured on the finished set, beside what every report has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..core.errors import RecipeError
from ..core.frozen import Frozen


class Combinations(Frozen):
    """Which combinations of labels the set has; those that are missing become the next seeds (OUT/missing.jsonl)."""

    axes: Mapping[str, tuple[str, ...]] = Field(min_length=1)
    """Labels with the values they may have: `{topic: [math, code], difficulty: [easy, hard]}`."""
    t: int = Field(default=2, ge=1)
    """How many axes are combined at a time."""
    forbidden: tuple[Mapping[str, str], ...] = ()
    """Combinations that cannot be."""
    seed_prompt: str = "Write about: {combination}."
    """The prompt of a seed in missing.jsonl; `{combination}` stands for `topic: math, difficulty: hard`."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.t > len(self.axes):
            raise RecipeError(f"t is {self.t}, and there are only {len(self.axes)} axes", "measures.combinations.t")
        for one in self.forbidden:
            if unknown := sorted(set(one) - set(self.axes)):
                raise RecipeError(f"`forbidden` names axes that are none: {', '.join(unknown)}", "measures.combinations.forbidden")
        return self


class Anchor(Frozen):
    """A set whose features the data set should have too."""

    path: str
    """A file or folder that seeds are read from."""
    fields: Mapping[str, str] = {}
    extractor: Literal["ngrams", "clusters"] | Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] = "ngrams"
    """`ngrams` (hashed word pairs), `clusters` (of the static encoder's vectors), or `module:function` that operators admit (DATALCHEMY_PLUGINS):
    texts in, one set of feature numbers each (a sparse autoencoder, say)."""
    clusters: int = Field(default=256, ge=1)
    least: int = Field(default=2, ge=1)
    """Anchor texts that must have a feature for it to count."""


class Measuring(Frozen):
    """What is measured on the finished set."""

    sample: int = Field(default=2000, ge=2)
    """Records that diversity is measured on (a seeded choice): these measures depend on the size of the set, so it is fixed."""
    part: Literal["prompt", "response"] = "response"
    """What is measured of a record."""
    embed: bool = False
    """Whether texts are embedded by the static encoder: spread, near-duplicates."""
    shares: Mapping[str, Mapping[str, float]] = {}
    """Wanted shares by label, shown beside those that were got: `{topic: {math: 0.7, code: 0.3}}`."""
    combinations: Combinations | None = None
    anchor: Anchor | None = None
