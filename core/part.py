"""The three kinds of part that a recipe names, and the tools they are handed.

A Generator makes records from a seed, a Filter judges records, an Edit changes one. Each is a frozen settings object:
its fields are its settings, the string beneath a field documents it, and the file it lives in is its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import ceil
from random import Random
from typing import Any, ClassVar, Literal, Protocol

from pydantic import SerializerFunctionWrapHandler, model_serializer

from .backend import Capability, Model, Sampling
from .frozen import Frozen
from .record import Record, Verdict
from .sandbox import Sandbox

Judge = Callable[[Sequence[Record]], Awaitable[Sequence[Verdict]]]
"""Batch in, batch out: one verdict a record, in the same order."""

Change = Callable[[Sequence[Record]], Awaitable[Sequence[Record]]]
"""Batch in, batch out: one record for each, in the same order."""


class Rendered(Frozen):
    """A wording filled in."""

    text: str
    name: str
    """Name of the wording (`cot.solve`)."""
    template: str
    """Hash of its template, for the lineage."""


class Workers(Protocol):
    """Worker processes for CPU-heavy or dangerous work: killable, limited in memory, off the event loop."""

    async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
        """Run `package.module:function` on a JSON value in a worker process; its JSON result.

        Raises WorkerFault(`timeout` | `died` | `raised`); the worker is replaced, other calls go on.
        """
        ...


class Tools(Protocol):
    """Everything a part may use, in one frozen bundle; of a generator it is bound to one seed record."""

    @property
    def language(self) -> str:
        """Language of the wordings (`en`, `zh`)."""
        ...

    @property
    def run(self) -> str:
        """The recipe's name: what an index that outlives the run knows the run by when it is resumed or repeated."""
        ...

    @property
    def workers(self) -> Workers: ...

    @property
    def sandbox(self) -> Sandbox:
        """Where code runs that nobody trusts; nothing is started before it is asked."""
        ...

    def model(self, name: str) -> Model:
        """The recipe's model of that name."""
        ...

    def rng(self, path: str = "") -> Random:
        """Randomness that depends on the run's seed, the part, the seed record and `path`, and on nothing else."""
        ...

    def render(self, prompt: str, **values: Any) -> Rendered:
        """A wording of prompts/ (or the recipe's replacement of it) in the recipe's language."""
        ...

    async def judge(self, name: str, records: Sequence[Record]) -> Sequence[Verdict]:
        """The recipe's own filter of that name, for strategies that judge while they generate.

        The verdicts are remembered: the same record is not judged again by that filter further down.
        """
        ...

    def has_filter(self, name: str) -> bool:
        """Whether the recipe has a filter of that name that `judge` can use here."""
        ...


class Part(Frozen, ABC):
    """Something a recipe names with `use:`."""

    version: ClassVar[str] = "1"
    """Raised when the part's behaviour changes: it enters the fingerprint of runs."""
    prompts: ClassVar[tuple[str, ...]] = ()
    """Wordings that the part uses."""

    @classmethod
    def part_name(cls) -> str:
        """`evol` for generators/evol.py; the dotted path for a third party's module."""
        module = cls.__module__
        return module.rpartition(".")[2] if module.split(".")[0] == __name__.split(".")[0] else module

    def needs(self) -> Mapping[str, frozenset[Capability]]:
        """Models by name, with what is asked of each; checked before a token is spent."""
        name = getattr(self, "model", None)
        return {name: frozenset({"chat"})} if isinstance(name, str) and name else {}

    def reads(self) -> Mapping[str, str]:
        """Hashes of the files that its verdicts depend on, by what they are to it: part of the fingerprint of runs."""
        return {}

    @model_serializer(mode="wrap")
    def _with_name(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"use": self.part_name(), **dump(self)}


class Generator(Part):
    """A strategy: `generate` is its whole behaviour, plain async Python with any number of dependent calls.

    No try/except for transport: a call that fails for good ends the candidate as `failed`. A strategy that refuses
    what it made raises `Refused(reason)`; one that yields nothing is refused with reason `nothing`.
    """

    seedless: ClassVar[bool] = False
    """Whether it starts from nothing: it then needs a target or a budget, and its seeds are empty records."""
    default_sampling: ClassVar[Sampling] = Sampling()
    """What its calls use where neither the strategy nor the model sets a parameter."""

    def judges(self) -> Sequence[str]:
        """Filters of the recipe, by name, that it cannot do without while it generates."""
        return ()

    @abstractmethod
    def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        """Yield the records that one seed gives rise to (each made by `seed.derive(...)`)."""

    def calls_per_seed(self) -> float:
        """Calls of one seed at most, for projections (`preview`)."""
        return 1.0

    def records_per_seed(self) -> int:
        """Records of one seed at most: one a call, unless the strategy reads several out of a reply."""
        return ceil(self.calls_per_seed())


class Filter(Part):
    """A gate. `open` holds what it needs (a model, an index) for as long as it judges."""

    ordered: ClassVar[bool] = False
    """Whether a verdict depends on the records before it: the engine then brings them in seed order."""
    closing: ClassVar[bool] = False
    """Whether it needs the whole accepted set at once, after the run has drained."""
    batch: ClassVar[int] = 1
    """Records it likes to judge together; 1 means: as they come."""

    enforce: bool = True
    """Whether a refusal removes the record; `false` only labels it."""
    on_abstain: Literal["keep", "refuse"] = "keep"
    """What happens to a record that the filter cannot judge (verifiers and judges default to `refuse`)."""

    @abstractmethod
    def open(self, tools: Tools) -> AbstractAsyncContextManager[Judge]:
        """An async context that gives the judge."""


class Check(Filter):
    """A filter that needs nothing but the record: `check` looks at one and says."""

    @abstractmethod
    def check(self, record: Record) -> Verdict:
        """The verdict on one record."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            return [self.check(record) for record in records]

        yield judge

    def kept(self, score: float | None = None, **evidence: Any) -> Verdict:
        return Verdict(by=self.part_name(), outcome="keep", score=score, evidence=evidence)

    def refused(self, reason: str, score: float | None = None, **evidence: Any) -> Verdict:
        return Verdict(by=self.part_name(), outcome="refuse", score=score, reason=reason, evidence=evidence)


class Edit(Part):
    """A change to a record that passes by: record in, derived record out (or the same one, unchanged).

    One that needs nothing but the record overrides `edit`; one that needs a model, an index or a batch overrides `open`.
    """

    batch: ClassVar[int] = 1
    """Records it likes to change together; 1 means: as they come."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Change]:
        """An async context that gives the change: records in, as many records out, in the same order."""

        async def change(records: Sequence[Record]) -> Sequence[Record]:
            return [self.edit(record) for record in records]

        yield change

    def edit(self, record: Record) -> Record:
        """The changed record, made by `record.derive(...)`, or `record` itself."""
        raise NotImplementedError(f"{type(self).__name__} overrides neither `edit` nor `open`")
