"""The parent's side of publishing: the writer of OUT is a process of its own, warm before it is needed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from .. import __version__
from ..core.errors import StorageError
from ..core.frozen import Frozen
from ..core.plug import ROOT
from .fingerprint import fingerprint
from .outdir import OutDir
from .recipe import Recipe
from .snapshot import Status

if TYPE_CHECKING:
    from .run import Session

LARGE = 2000
"""Targets from which on the writer, which takes 90 MB, is only started when nine tenths are there."""


def _measures(recipe: Recipe) -> dict[str, Any]:
    """The `measures:` block, with the shares that the target itself asks for."""
    wanted = recipe.measures.model_dump(mode="json", exclude_none=True)
    if recipe.shares is not None:
        wanted["shares"] = {recipe.shares.by: dict(recipe.shares.shares), **wanted["shares"]}
    return wanted


class Published(Frozen):
    """What was written."""

    accepted: int = 0
    measures: dict[str, Any] = {}
    files: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    """`accept` thresholds that the set misses, in words."""


class Publisher:
    """Starts the writer (pyarrow takes 90 MB, which the main process does not have), hands it the job, reads its answer."""

    def __init__(self, recipe: Recipe, out: OutDir) -> None:
        self.recipe = recipe
        self.out = out
        self._process: subprocess.Popen[bytes] | None = None

    async def warm(self, accepted: Callable[[], int]) -> None:
        """Start the writer beside the run, when its first calls are out, so that publishing does not wait for its imports."""
        await asyncio.sleep(0.01)
        target = self.recipe.target or 0
        while target > LARGE and accepted() < 0.9 * target:  # noqa: ASYNC110 (a counter has no event)
            await asyncio.sleep(0.5)
        self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        """The writer's process. Popen spawns it in a few milliseconds; the event loop's own way takes fifty."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{ROOT}.engine.publish"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
            )  # a group of its own: Ctrl-C and SIGTERM to the run's group drain the run, and it still needs its writer
        return self._process

    async def discard(self) -> None:
        """End the writer if it is still there."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.communicate)

    async def publish(self, session: Session, status: Status, message: str) -> Published:
        """Write OUT. Raises StorageError with the writer's own words when it cannot."""
        job = self._job(session, status, message)
        process, self._process = self._start(), None
        try:
            answer, _ = await asyncio.to_thread(process.communicate, orjson.dumps(job) + b"\n")
        except asyncio.CancelledError:
            process.kill()
            raise
        try:
            result = orjson.loads(answer.splitlines()[-1])
        except (IndexError, orjson.JSONDecodeError) as error:
            raise StorageError(
                f"the writer of {self.out.path} died (exit {process.returncode}); nothing is lost: run the same command again to publish"
            ) from error
        if "error" in result:
            raise StorageError(f"{self.out.path} cannot be written: {result['error']}; run the same command again to publish")
        measures = result["measures"]
        return Published(accepted=result["accepted"], measures=measures, files=tuple(result["files"]), misses=tuple(self._misses(measures)))

    def _job(self, session: Session, status: Status, message: str) -> dict[str, Any]:
        recipe, sandbox = self.recipe, session.pump.flow.shared.sandbox.used
        return {
            "ledger": str(self.out.ledger),
            "out": str(self.out.path),
            "target": recipe.target,
            "by": recipe.shares.by if recipe.shares else "",
            "quotas": recipe.shares.counts(recipe.target) if recipe.shares and recipe.target else {},
            "order": recipe.output.order,
            "measures": _measures(recipe),
            "base": str(recipe.base),
            "stages": [stage.name for stage in recipe.generate],
            "last_stage": session.plan.last,
            "formats": list(recipe.output.formats),
            "reasoning": recipe.output.reasoning,
            "recipe": recipe.model_dump(mode="json"),
            "fingerprint": fingerprint(recipe),
            "seed": recipe.seed,
            "versions": {"datalchemy": __version__, "python": sys.version.split()[0], **({"sandbox": sandbox} if sandbox else {})},
            "status": status,
            "message": message,
            "totals": {
                name: {**asker.totals(), **({} if asker.endpoint.effective_price else {"dollars": None})}
                for name, asker in session.askers.items()
            },
            "seconds": session.purse.seconds,
            "pending": sum(counts.pending for counts in session.pump.flow.tally.stages().values()),
            "name": recipe.name,
            "task": recipe.task,
            "purpose": recipe.purpose.model_dump(mode="json"),
            "policy": recipe.policy and recipe.policy.model_dump(mode="json"),
        }

    def _misses(self, measures: dict[str, Any]) -> list[str]:
        misses = []
        for name, bounds in self.recipe.accept.items():
            value = measures.get(name)
            if value is None:
                misses.append(f"accept.{name}: the finished set has no such measure; there are: {', '.join(sorted(measures))}")
            elif bounds.min is not None and value < bounds.min:
                misses.append(f"accept.{name}: {value:.4g} is below {bounds.min}")
            elif bounds.max is not None and value > bounds.max:
                misses.append(f"accept.{name}: {value:.4g} is above {bounds.max}")
        return misses
