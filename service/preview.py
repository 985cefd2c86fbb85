"""A few records of a recipe, made for real and shown, and what the whole run would take at that rate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from .progress import top
from .session import Session
from .story import outcome
from .terminal import clean, columns, duration, money

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.ledger import Settled
    from ..engine.recipe import Recipe
    from ..engine.snapshot import Result

CANDIDATES_EACH = 10
"""Candidates a stage that one wanted record may take: a recipe that accepts nothing must not use up its seeds here."""
SHOWN_CHARS = 3000
PER_SEEDS = 1000
"""Without a target, the projection is for so many seeds."""


class Projection(NamedTuple):
    """What a run would take."""

    basis: str
    """`200 accepted records`."""
    calls: float
    tokens: float | None
    dollars: float | None
    seconds: float | None


def show(recipe: Recipe, count: int, words: Sequence[str]) -> None:
    """Makes `count` accepted records at most and prints them (refused ones, where fewer are accepted) with the projection.

    `words` is the command line. Raises what a run raises.
    """
    from ..core.errors import BackendFatal
    from ..engine.ledger import LedgerReader

    with tempfile.TemporaryDirectory(prefix="datalchemy-preview-") as folder:
        trial = _trial(recipe, count, Path(folder) / "out")
        session = Session(trial, resume="never", retry_failed=False, quiet=False, words=words)
        result = session.run()
        if result.status == "backend":
            raise BackendFatal(result.message)
        if result.status == "interrupted":
            raise click.Abort
        with LedgerReader(trial.out / ".run" / "ledger.db") as ledger:
            rows = sorted(ledger.rows(stage=len(recipe.generate) - 1), key=lambda row: row.status)
    _print(rows[:count])
    click.echo(_closing(recipe, result))


def _trial(recipe: Recipe, count: int, out: Path) -> Recipe:
    """The same recipe, small, elsewhere, without thresholds on the finished set."""
    most = count * CANDIDATES_EACH * len(recipe.generate)
    budget = recipe.budget.model_copy(update={"candidates": min(recipe.budget.candidates or most, most)})
    output = recipe.output.model_copy(update={"dir": out})
    return recipe.model_copy(update={"target": count, "shares": None, "budget": budget, "output": output, "accept": {}})


def project(recipe: Recipe, result: Result) -> Projection | None:
    """Calls, tokens, money and time of the whole run, in proportion; None where nothing was accepted.

    Answers that were reused count as calls (the projection is of a run that starts from nothing); where all of them
    were, tokens, money and time were not measured.
    """
    spent = result.spent
    calls = spent.calls + spent.reused
    roots = next(iter(result.stages.values())).started if result.stages else result.counts.started
    if not result.counts.accepted or not roots:
        return None
    scale = recipe.target / result.counts.accepted if recipe.target else PER_SEEDS / roots
    basis = f"{recipe.target:,} accepted records" if recipe.target else f"{PER_SEEDS:,} seeds"
    if not spent.calls:
        return Projection(basis, calls * scale, None, None, None)
    whole = scale * calls / spent.calls
    tokens = (spent.prompt_tokens + spent.completion_tokens) * whole
    return Projection(basis, calls * scale, tokens, None if spent.dollars is None else spent.dollars * whole, spent.seconds * whole)


def _closing(recipe: Recipe, result: Result) -> str:
    counts = result.counts
    lines = [f"{counts.accepted} accepted, {counts.refused} refused, {counts.failed} failed"]
    if reasons := top(result.reasons, 5):
        lines.append(f"most often: {reasons}")
    if result.status not in ("complete", "budget") and result.message:
        lines.append(result.message)
    projection = project(recipe, result)
    if projection is None:
        lines.append("nothing was accepted, so there is nothing to project from")
    else:
        lines.append(f"\nin proportion, {projection.basis} take about")
        lines.append(columns(_projected(projection)))
    return clean("\n".join(lines))


def _projected(projection: Projection) -> list[tuple[str, ...]]:
    if projection.tokens is None or projection.seconds is None:
        rest = "not measured: all answers came from the response store"
        return [("  calls", f"{projection.calls:,.0f}"), ("  tokens, money, time", rest)]
    return [
        ("  calls", f"{projection.calls:,.0f}"),
        ("  tokens", f"{projection.tokens:,.0f}"),
        ("  money", money(projection.dollars)),
        ("  time", f"{duration(projection.seconds)} at most: at the rate of this preview, start-up included"),
    ]


def _print(rows: Sequence[Settled]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for number, row in enumerate(rows, 1):
        _print_one(console, row, f"{number} of {len(rows)}")


def _print_one(console: Console, row: Settled, place: str) -> None:
    from rich.rule import Rule
    from rich.text import Text

    from ..core.record import Record

    record = Record.load(row.body)
    labels = "  ".join(f"{name} {value}" for name, value in record.labels.items())
    console.print(Rule(Text(clean(f"{place}  {row.id}  {row.status}"), style="green" if row.status == "accepted" else "yellow")))
    console.print(Text(clean(labels if row.status == "accepted" else outcome(row)), "dim"), "", sep="\n")
    for message in record.messages:
        if message.reasoning:
            console.print(Text(f"{message.role}, thinking", "bold"), Text(_cut(message.reasoning), "dim"), "", sep="\n")
        console.print(Text(message.role, "bold"), Text(_cut(message.text)), "", sep="\n")
    if not record.messages:
        console.print(Text(_cut(record.prompt)), "", sep="\n")
    if record.answer is not None:
        console.print(Text("reference answer", "bold"), Text(_cut(record.answer)), "", sep="\n")


def _cut(text: str) -> str:
    shown = clean(text)
    more = len(shown) - SHOWN_CHARS
    return shown if more <= 0 else f"{shown[:SHOWN_CHARS]} ... ({more:,} more characters)"
