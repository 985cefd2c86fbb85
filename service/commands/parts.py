"""`parts` and `prompts`: what may stand in a recipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ...core.part import Part


@click.command()
@click.argument("name", required=False)
@click.option("--json-schema", "as_schema", is_flag=True, help="The JSON schema, for editors: of one part, or of a whole recipe.")
def parts(name: str | None, as_schema: bool) -> None:
    """List strategies, filters and backends; with NAME, its settings, their defaults and what they mean."""
    from ..catalogue import named, part_schema, recipe_schema

    if as_schema:
        schema = recipe_schema() if name is None else {kind: part_schema(part) for kind, part in named(name).items()}
        click.echo(json.dumps(schema if name is None or len(schema) > 1 else next(iter(schema.values())), indent=2, ensure_ascii=False))
    elif name is None:
        click.echo("\n\n".join(_listed()))
    else:
        click.echo("\n\n".join(_described(kind, part) for kind, part in named(name).items()))


@click.command()
@click.argument("name", required=False)
@click.option("--language", default="en", show_default=True, help="Language of the wordings.")
def prompts(name: str | None, language: str) -> None:
    """List the wordings; with NAME, print that one. A recipe replaces any of them: `prompts: {NAME: my.j2}`."""
    from ...prompts import names, source

    if name is not None:
        click.echo(source(name, language).rstrip("\n"))
        return
    for known in names():
        click.echo(click.style(known, bold=True))
        click.echo("\n".join(f"    {line}" for line in source(known, language).rstrip("\n").splitlines()) + "\n")


def _listed() -> list[str]:
    from ..catalogue import FOLDERS, first_line, loaded
    from ..terminal import columns

    return [
        f"{click.style(kind, bold=True)}\n" + columns([(f"  {name}", first_line(part)) for name, part in loaded(kind).items()])
        for kind in FOLDERS
    ]


def _described(kind: str, part: type[Part]) -> str:
    from inspect import cleandoc

    from ..catalogue import settings
    from ..terminal import indented

    blocks = [f"{click.style(part.part_name(), bold=True)} ({kind})", cleandoc(part.__doc__ or ""), "settings:"]
    for setting in settings(part):
        default = "required" if setting.default is None else f"default {setting.default}"
        blocks.append(f"  {click.style(setting.name, bold=True)}: {setting.kind} ({default})")
        if setting.text:
            blocks.append(indented(setting.text, "      "))
    if part.prompts:
        blocks.append(f"wordings: {', '.join(part.prompts)}")
    return "\n".join(blocks)
