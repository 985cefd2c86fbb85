"""`doctor`: whether this machine has what runs need."""

from __future__ import annotations

import click

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON list.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check this machine, each line ok, warn or fail with what to do. Exit code 1 where a line fails."""
    import json

    from ..checkup import checks
    from ..terminal import clean

    found = []
    for check in checks():
        found.append(check)
        if not as_json:
            advice = f"\n      {check.advice}" if check.advice and check.status != "ok" else ""
            click.echo(f"{click.style(f'{check.status:4}', COLOURS[check.status])}  {check.what:10}  {clean(check.detail)}{advice}")
    if as_json:
        click.echo(json.dumps([check._asdict() for check in found]))
    ctx.exit(1 if any(check.status == "fail" for check in found) else 0)
