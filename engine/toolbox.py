"""The tools that parts are handed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from ..core.backend import Model, Reply, Sampling
from ..core.errors import RecipeError
from ..core.part import Rendered, Workers
from ..core.record import Record, Verdict
from ..core.sandbox import Sandbox
from ..prompts import Wordings
from .asking import Asker, BoundModel, find_asker
from .gates import Gate
from .keys import Identity

NO_DEFAULTS = Sampling()


def _nobody(root: int | None) -> AbstractContextManager[None]:
    """No process' death is blamed on a seed here."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Shared:
    """What all parts of a run share."""

    run_seed: int
    language: str
    wordings: Wordings
    workers: Workers
    sandbox: Sandbox
    askers: Mapping[str, Asker]
    gates: Mapping[str, Gate] = field(default_factory=dict)
    """Filters that a strategy may judge with: those of the last stage that are neither ordered nor closing."""
    run: str = ""
    """The recipe's name."""
    away: Callable[[int | None], AbstractContextManager[None]] = _nobody
    """Holds while a model's answer is awaited for a root seed (None: the one that is worked on)."""


Memo = dict[tuple[int, str], tuple[Record, Verdict]]
"""Verdicts given while generating, by identity of the content and filter; the record is kept so that the identity stays its own."""


class Toolbox:
    """The Tools of one part, bound to one seed record (of a filter: to none)."""

    __slots__ = ("_defaults", "_identity", "_memo", "_root", "_shared", "seen")

    def __init__(
        self,
        shared: Shared,
        part: str,
        record_id: str = "",
        memo: Memo | None = None,
        defaults: Sampling = NO_DEFAULTS,
        root: int | None = None,
    ) -> None:
        self._defaults = defaults
        self._shared = shared
        self._identity = Identity(shared.run_seed, part, record_id)
        self._memo = memo if memo is not None else {}
        self._root = root
        self.seen: deque[Reply] = deque(maxlen=3)
        """The last replies handed out, for the note of a candidate that comes to nothing."""

    @property
    def language(self) -> str:
        return self._shared.language

    @property
    def run(self) -> str:
        return self._shared.run

    @property
    def workers(self) -> Workers:
        return self._shared.workers

    @property
    def sandbox(self) -> Sandbox:
        return self._shared.sandbox

    def model(self, name: str) -> Model:
        away = partial(self._shared.away, self._root)
        return BoundModel(find_asker(self._shared.askers, name), self._identity, self.seen, self._defaults, away)

    def rng(self, path: str = "") -> Random:
        return self._identity.rng(path)

    def render(self, prompt: str, **values: Any) -> Rendered:
        return self._shared.wordings.render(prompt, **values)

    def has_filter(self, name: str) -> bool:
        return name in self._shared.gates

    async def judge(self, name: str, records: Sequence[Record]) -> Sequence[Verdict]:
        if name not in self._shared.gates:
            raise RecipeError(f"the recipe has no filter {name!r} to judge with; there are: {', '.join(self._shared.gates) or 'none'}")
        verdicts = await self._shared.gates[name].verdicts(records)
        for record, verdict in zip(records, verdicts, strict=True):
            self._memo[id(record.content), name] = (record, verdict)
        return verdicts
