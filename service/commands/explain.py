"""`explain`: the whole story of one record."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("record_id", metavar="ID")
@click.option("--responses/--no-responses", default=True, help="Show the stored responses it was made of.")
def explain(out: Path, record_id: str, responses: bool) -> None:
    """Tell the story of record ID (or the beginning of one) of the run in OUT.

    How it ended and why, each step with model, sampling, seed and wording, every verdict, the messages and the raw responses.
    """
    from ..story import tell

    click.echo(tell(out, record_id, responses=responses))
