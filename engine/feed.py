"""Root seeds in order, each with its ordinal and an origin that tells equal ones apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from ..core.record import Conversation, Record
from ..formats.seeds import BadSeed
from .occurrences import Occurrences
from .recipe import Recipe


class Fed(NamedTuple):
    """One root seed."""

    ordinal: int
    seed: Record | BadSeed
    done: bool
    """Whether the ledger already holds what came of it."""


def feed(recipe: Recipe, done: Iterator[int]) -> Iterator[Fed]:
    """All root seeds from the first on; `done` gives the ordinals that are settled, ascending."""
    seen = Occurrences()
    next_done = next(done, None)
    try:
        for ordinal, seed in enumerate(_seeds(recipe)):
            settled = ordinal == next_done
            if settled:
                next_done = next(done, None)
            if isinstance(seed, Record):
                seed = seed.stamped(f"seed#{seen.before(seed.id)}" if recipe.seeds else f"seed#{ordinal}")
            yield Fed(ordinal, seed, settled)
    finally:
        seen.close()


def _seeds(recipe: Recipe) -> Iterator[Record | BadSeed]:
    if recipe.seeds is not None:
        yield from recipe.seeds.records(recipe.base, recipe.seed)
        return
    empty = Record(content=Conversation())
    for _ in count():
        yield empty
