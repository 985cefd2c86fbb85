"""What a run looks like from outside, at one moment; what it came to at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..core.frozen import Frozen

Status = Literal["complete", "budget", "seeds_exhausted", "interrupted", "paused", "backend", "accept"]
"""`complete`: target reached, or no target and all seeds done. `accept`: complete, but an `accept` threshold is missed."""

EXIT_CODES: Mapping[Status, int] = {
    "complete": 0,
    "budget": 3,
    "seeds_exhausted": 3,
    "interrupted": 130,
    "paused": 2,
    "backend": 5,
    "accept": 4,
}


class Counts(Frozen):
    """accepted + refused + failed + pending = started, at every moment."""

    started: int = 0
    accepted: int = 0
    refused: int = 0
    failed: int = 0
    pending: int = 0


class Spent(Frozen):
    """What the run has cost so far, over all its sessions."""

    calls: int = 0
    """Calls answered by a model."""
    reused: int = 0
    """Calls answered by the response store: not paid."""
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = None
    """None where a model has no price."""
    seconds: float = 0.0


class Snapshot(Frozen):
    """Given to `watch` about twice a second."""

    name: str
    target: int | None
    counts: Counts
    """Of the last stage, with earlier stages' in `stages`."""
    kinds: Mapping[str, tuple[int, int]] = {}
    """Of a target with shares: accepted and wanted, by kind."""
    stages: Mapping[str, Counts] = {}
    """By `1 magpie`, `2 cot` ...; with `seeds` where the seeds have filters."""
    reasons: Mapping[str, int] = {}
    """Refusals and failures by `filter: reason`, over all stages."""
    spent: Spent = Spent()
    in_flight: int = 0
    """Calls at the models now."""
    waiting: int = 0
    accepted_per_minute: float = 0.0
    tokens_per_second: float = 0.0
    eta_s: float | None = None
    state: str = "running"
    """running, draining, paused: why, finishing."""


class Result(Frozen):
    """What a run came to."""

    status: Status
    message: str
    """For a person: why it ended, and what to do next where something is left."""
    accepted: int
    target: int | None
    counts: Counts
    stages: Mapping[str, Counts]
    reasons: Mapping[str, int]
    spent: Spent
    path: Path
    """OUT."""
    measures: Mapping[str, Any] = {}
    """Figures of the finished set, as `accept:` takes them."""
    files: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]

    @property
    def report(self) -> Path:
        return self.path / "report.html"
