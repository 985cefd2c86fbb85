"""`store`: what was ever paid for, on this machine."""

from __future__ import annotations

import json
import sys
from typing import BinaryIO

import click


@click.group()
def store() -> None:
    """The response store: figures, cleaning up, taking it elsewhere."""


@store.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def stats(as_json: bool) -> None:
    """Responses, tokens and bytes, in all and by model."""
    from ...engine.store import ResponseStore
    from ..terminal import clean, columns, size

    found = ResponseStore().open().stats()
    if as_json:
        click.echo(json.dumps(found))
        return
    rows: list[tuple[str, ...]] = [("model", "responses", "tokens in", "tokens out", "size")]
    for model in found["models"]:
        counts = [f"{model[name]:,}" for name in ("responses", "prompt_tokens", "completion_tokens")]
        rows.append((model["model"], *counts, size(model["bytes"])))
    click.echo(f"{found['path']}: {found['responses']:,} responses, {size(found['file_bytes'])} on disk")
    click.echo(clean(columns(rows)) if len(rows) > 1 else "nothing is stored yet")
    for ledger in found["unfinished_runs"]:
        click.echo(f"unfinished run (what it uses is never pruned): {clean(ledger)}")


@store.command()
@click.option("--unused-days", type=click.FloatRange(min=0), required=True, help="Delete what no run has used for so long.")
@click.option("--model", help="Only responses of this model (as `store stats` names it).")
def prune(unused_days: float, model: str | None) -> None:
    """Delete responses that no run has used for a while; never those of an unfinished run."""
    from ...engine.store import ResponseStore

    deleted = ResponseStore().open().prune(unused_days=unused_days, model=model)
    click.echo(f"{deleted:,} responses deleted")


@store.command()
@click.option("--to", "target", type=click.File("wb", lazy=True), help="The file to write; stdout where absent.")
def export(target: BinaryIO | None) -> None:
    """Every response as a JSON line: key, model, created, reply."""
    from ...engine.store import ResponseStore

    sink = target or sys.stdout.buffer
    for line in ResponseStore().open().export():
        sink.write(line)
