"""One run from the command line: its event loop, its progress, and what signals do to it."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from .progress import progress

if TYPE_CHECKING:
    from ..engine.recipe import Recipe
    from ..engine.snapshot import Result

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """Runs a recipe. The first SIGINT or SIGTERM drains, the second aborts (click.exceptions.Exit: 130)."""

    def __init__(
        self, recipe: Recipe, *, resume: Literal["auto", "require", "never"], retry_failed: bool, quiet: bool, words: Sequence[str]
    ) -> None:
        self.recipe = recipe
        self.resume = resume
        self.retry_failed = retry_failed
        self.words = words
        self.progress = progress(quiet=quiet)

    def run(self) -> Result:
        from ..engine.run import fast_loop

        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            return runner.run(self._drive())

    async def _drive(self) -> Result:
        from ..engine.run import arun

        stop = asyncio.Event()
        running = asyncio.ensure_future(
            arun(self.recipe, resume=self.resume, retry_failed=self.retry_failed, watch=self.progress.watch, stop=stop)
        )
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled, number, stop, running)
        try:
            return await running
        except asyncio.CancelledError:
            self.progress.note(f"Stopped. What was paid for is kept; go on with:\n  {command_again(self.words)}")
            raise click.exceptions.Exit(130) from None
        finally:
            self.progress.close()
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _signalled(self, number: signal.Signals, stop: asyncio.Event, running: asyncio.Future[Result]) -> None:
        if stop.is_set():
            running.cancel()
            return
        stop.set()
        again = "Ctrl-C again" if number == signal.SIGINT else "a second SIGTERM"
        self.progress.note(
            f"Finishing what is in flight ({again} stops at once). Nothing is lost; go on later with:\n  {command_again(self.words)}"
        )


def command_again(words: Sequence[str], **changes: str) -> str:
    """The command line that goes on with this run: the same words without `--resume never`, with options changed or added."""
    kept = list(words)
    dropped = {"--resume", "--retry-failed", *(f"--{name}" for name in changes)}
    for i in range(len(kept) - 1, -1, -1):
        name, equals, _ = kept[i].partition("=")
        if name in dropped and kept[i].startswith("--"):
            del kept[i : i + (1 if equals or name == "--retry-failed" else 2)]
    return shlex.join(["datalchemy", *kept, *(word for name, value in changes.items() for word in (f"--{name}", value))])
