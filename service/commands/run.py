"""`run`: a recipe becomes a dataset."""

from __future__ import annotations

from typing import Literal

import click

from ._options import load, recipe_options


@click.command()
@recipe_options
@click.option(
    "--resume",
    type=click.Choice(["auto", "require", "never"]),
    default="auto",
    show_default=True,
    help="auto goes on where OUT holds the same run; require refuses anything else; never starts afresh.",
)
@click.option("--retry-failed", is_flag=True, help="Try the failed records of an earlier session again.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object on stdout; all else on stderr.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def run(
    ctx: click.Context,
    recipe: str,
    models: tuple[str, ...],
    target: int | None,
    out: str | None,
    sets: tuple[str, ...],
    resume: Literal["auto", "require", "never"],
    retry_failed: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the dataset that RECIPE (a file or a shipped recipe's name) describes.

    Ctrl-C once finishes what is in flight, keeps everything and tells how to go on; twice stops at once.
    """
    loaded = load(recipe, models, target, out, sets)
    from ..session import Session

    session = Session(loaded, resume=resume, retry_failed=retry_failed, quiet=quiet, words=ctx.obj or [])
    result = session.run()
    from ..summary import as_json_line, exit_code, summary

    if as_json:
        click.echo(as_json_line(result))
    if not (as_json and quiet):
        click.echo(summary(loaded, result, ctx.obj or []), err=as_json)
    ctx.exit(exit_code(result))
