"""A recipe made ready to run: a line of operations, cut where records have to stand in line."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import accumulate

from ..core.part import Edit, Filter, Generator
from .gates import Editor, Gate, open_editor, open_gate
from .keys import Identity
from .recipe import Recipe, Stage
from .tally import SEEDS
from .toolbox import Shared, Toolbox
from .turnstile import Turnstile


@dataclass(frozen=True, slots=True)
class Generate:
    """Start a stage: each record that arrives is a seed of it."""

    stage: int
    generators: Sequence[Generator]
    names: Sequence[str]
    shares: Sequence[float]

    def pick(self, run_seed: int, record_id: str) -> int:
        """Which of the strategies takes this seed: drawn by share, from what the seed is."""
        if len(self.generators) == 1:
            return 0
        bounds = list(accumulate(self.shares))
        draw = Identity(run_seed, f"mix{self.stage}", record_id).rng("branch").random() * bounds[-1]
        return min(bisect(bounds, draw), len(bounds) - 1)


Operation = Generate | Gate | Editor


@dataclass(slots=True)
class Segment:
    """Operations that records go through each on their own, and the ordered filter at the end, if there is one."""

    operations: list[Operation] = field(default_factory=list)
    ordered: Turnstile | None = None


@dataclass(slots=True)
class Plan:
    """All segments, the closing filters, and the names of the stages."""

    segments: list[Segment]
    closing: list[Gate]
    names: dict[int, str]
    last: int

    @property
    def turnstiles(self) -> list[Turnstile]:
        return [segment.ordered for segment in self.segments if segment.ordered]

    @property
    def ordered(self) -> bool:
        return any(segment.ordered for segment in self.segments)

    @property
    def most(self) -> int:
        """Candidates that one root gives at most."""
        total, seeds = int(SEEDS in self.names), 1
        for segment in self.segments:
            for operation in segment.operations:
                if isinstance(operation, Generate):
                    seeds *= max(1, *(generator.records_per_seed() for generator in operation.generators))
                    total += seeds
        return total


def stage_names(recipe: Recipe) -> dict[int, str]:
    """`seeds` (where they have filters), `1 magpie`, `2 cot` ..."""
    names = {i: f"{i + 1} {stage.name}" for i, stage in enumerate(recipe.generate)}
    return {SEEDS: "seeds", **names} if recipe.seeds and recipe.seeds.filters else names


async def open_plan(recipe: Recipe, shared: Shared, gates: dict[str, Gate], stack: AsyncExitStack) -> Plan:
    """Open every filter and lay out the operations; `gates` (which `shared` holds) gets those a strategy may judge with."""
    segments = [Segment()]
    closing: list[Gate] = []
    seen: Counter[str] = Counter()
    last = len(recipe.generate) - 1

    async def lay(parts: Sequence[Filter | Edit], stage: int, *, for_strategies: bool) -> None:
        for number, part in enumerate(parts):
            name = part.part_name()
            tools = Toolbox(shared, f"{name}@{stage}.{number}")
            if isinstance(part, Edit):
                segments[-1].operations.append(await open_editor(part, tools, stack))
                continue
            seen[name] += 1
            gate = await open_gate(part, tools, stack, name if seen[name] == 1 else f"{name}#{seen[name]}")
            if part.closing:
                closing.append(gate)
            elif part.ordered:
                segments[-1].ordered = Turnstile(gate)
                segments.append(Segment())
            else:
                segments[-1].operations.append(gate)
                if for_strategies:
                    gates.setdefault(gate.name, gate)

    await lay(recipe.seeds.filters if recipe.seeds else (), SEEDS, for_strategies=False)
    for index, stage in enumerate(recipe.generate):
        segments[-1].operations.append(_generate(index, stage))
        await lay(stage.filters, index, for_strategies=index == last)
    await lay(recipe.filters, last, for_strategies=True)
    return Plan(segments, closing, stage_names(recipe), last)


def _generate(index: int, stage: Stage) -> Generate:
    generators = stage.generators
    return Generate(index, generators, [g.part_name() for g in generators], [branch.share for branch in stage.branches])
