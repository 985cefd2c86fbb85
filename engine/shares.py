"""What a data set is to be made of: the `by` and `shares` of a recipe's target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from ..core.frozen import Frozen


class Shares(Frozen):
    """What the data set is to be made of, by a label of the records."""

    by: str = Field(min_length=1)
    """The label (`topic`, as the edit `tag` writes it; any label of a strategy) or column of the seeds that says what kind a record is."""
    shares: Mapping[str, Annotated[float, Field(gt=0, le=1e12)]] = Field(min_length=1)
    """Share of each kind; taken as parts of their sum. Records of other kinds are surplus."""

    def counts(self, total: int) -> dict[str, int]:
        """Whole numbers that add up to `total` (largest remainders; equal ones in alphabetical order)."""
        parts = sum(self.shares.values())
        exact = {kind: total * share / parts for kind, share in self.shares.items()}
        counts = {kind: math.floor(wanted) for kind, wanted in exact.items()}
        by_remainder = sorted(exact, key=lambda kind: (counts[kind] - exact[kind], kind))
        for kind in by_remainder[: total - sum(counts.values())]:
            counts[kind] += 1
        return counts
