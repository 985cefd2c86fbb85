"""A run as it goes: a live display on a terminal, a line every two seconds off one, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from .terminal import clean, duration, money, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive

    from ..engine.snapshot import Snapshot

LINE_EVERY_S = 2.0
SAME_EVERY_S = 30.0
"""For a line that says what the last one said (a run that waits for its server)."""
TOP = 3
BAR = 36


class Progress(Protocol):
    """Watches a run; `note` says something beside it."""

    def watch(self, snapshot: Snapshot) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


def progress(*, quiet: bool, stream: TextIO | None = None) -> Progress:
    """The display that fits where stderr goes."""
    stream = stream or sys.stderr
    if quiet:
        return Silent(stream)
    return Live(stream) if stream.isatty() else Lines(stream)


class Silent:
    """Only notes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def watch(self, snapshot: Snapshot) -> None:
        """Shows nothing."""

    def note(self, text: str) -> None:
        print(clean(text), file=self.stream, flush=True)

    def close(self) -> None:
        """Nothing is open."""


class Lines(Silent):
    """One line about every two seconds, and one at each change of state."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self.clock = clock
        self.last = float("-inf")
        self.state = "running"
        self.line = ""

    def watch(self, snapshot: Snapshot) -> None:
        now, line = self.clock(), " | ".join(facts(snapshot))
        every = SAME_EVERY_S if line == self.line else LINE_EVERY_S
        if now - self.last >= every or snapshot.state != self.state:
            self.last, self.state, self.line = now, snapshot.state, line
            self.note(line)


class Live:
    """A bar, figures, reasons; redrawn in place. rich is imported with the first snapshot, when requests are already out."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.display: RichLive | None = None

    def watch(self, snapshot: Snapshot) -> None:
        if self.display is None:
            from rich.console import Console
            from rich.live import Live as RichLive

            self.display = RichLive(console=Console(file=self.stream), auto_refresh=False)
            self.display.start()
        self.display.update(drawn(snapshot), refresh=True)

    def note(self, text: str) -> None:
        if self.display is None:
            print(clean(text), file=self.stream, flush=True)
        else:
            self.display.console.print(clean(text), markup=False, highlight=False)

    def close(self) -> None:
        if self.display is not None:
            self.display.stop()
            self.display = None


def facts(snapshot: Snapshot) -> list[str]:
    """The figures of a moment, most important first."""
    spent, counts = snapshot.spent, snapshot.counts
    wanted = (
        sum(min(pair) for pair in snapshot.kinds.values()) if snapshot.kinds else min(counts.accepted, snapshot.target or counts.accepted)
    )
    done = f"{wanted:,}/{snapshot.target:,} accepted" if snapshot.target else f"{wanted:,} accepted"
    found = [
        done,
        f"{snapshot.in_flight} in flight",
        f"{snapshot.accepted_per_minute:,.0f} accepted/min",
        f"{snapshot.tokens_per_second:,.0f} tokens/s",
    ]
    if snapshot.kinds:
        found.append(", ".join(f"{one_line(kind, 20)} {have:,}/{wanted:,}" for kind, (have, wanted) in list(snapshot.kinds.items())[:8]))
    if surplus := counts.accepted - wanted:
        found.append(f"{surplus:,} surplus")
    if spent.dollars is not None:
        found.append(money(spent.dollars))
    if spent.reused:
        found.append(f"{spent.reused:,} reused")
    if refused := top(snapshot.reasons):
        found.append(f"refused {refused}")
    if snapshot.eta_s is not None and snapshot.state == "running":
        found.append(f"{duration(snapshot.eta_s)} left")
    if snapshot.state != "running":
        found.append(one_line(snapshot.state))
    return found


def top(reasons: Mapping[str, int], count: int = TOP) -> str:
    """`math_answer: wrong_answer 21, exact: duplicate 7`: the most frequent reasons."""
    ranked = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    return ", ".join(f"{one_line(reason, 60)} {number:,}" for reason, number in ranked[:count])


def drawn(snapshot: Snapshot) -> RenderableType:
    """The live display of a moment."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    accepted, *rest = facts(snapshot)
    head = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = [Text(one_line(snapshot.name, 40), "bold")]
    if snapshot.target:
        cells.append(ProgressBar(snapshot.target, snapshot.counts.accepted, width=BAR, complete_style="cyan", finished_style="green"))
    head.add_row(*cells, Text(accepted))
    lines: list[RenderableType] = [head]
    refused = next((fact for fact in rest if fact.startswith("refused ")), "")
    lines.append(Text(" · ".join(fact for fact in rest if fact != refused), "dim"))
    if refused:
        lines.append(Text(refused, "dim"))
    for name, counts in snapshot.stages.items() if len(snapshot.stages) > 1 else ():
        lines.append(
            Text(f"  {one_line(name, 30)}: {counts.accepted:,} accepted, {counts.refused:,} refused, {counts.failed:,} failed", "dim")
        )
    return Group(*lines)
