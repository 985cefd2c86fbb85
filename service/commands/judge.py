"""`judge`: filters on records that somebody else made."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._options import pair

if TYPE_CHECKING:
    from ...core.record import Record
    from ...engine.filtering import Judgement
    from ...engine.filterrecipe import FilterRecipe


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--filters", "filters", required=True, metavar="RECIPE", help="A recipe, or names of filters: math_answer,language")
@click.option("--model", "models", multiple=True, metavar="M", help="In place of the recipe's models, as for `run`.")
@click.option("--field", "fields", multiple=True, metavar="NAME=COLUMN", help="Which column is what: prompt=question.")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change one field: filters[0].target=de.")
@click.option("--json", "as_json", is_flag=True, help="Every filter's verdict in each line, and no summary.")
def judge(file: str, filters: str, models: tuple[str, ...], fields: tuple[str, ...], sets: tuple[str, ...], as_json: bool) -> None:
    """Judge records with a recipe's filters, outside of a run: one JSON line each on stdout, a summary on stderr.

    FILE has rows with messages, or prompt, response and answer (JSON lines, Parquet, CSV, a folder, or `-` for JSON lines
    on stdin). RECIPE is a file, a shipped recipe, or names of filters separated by commas. The exit code is 0 whatever the verdicts.
    """
    from ...engine.filterrecipe import FilterRecipe
    from ...engine.loops import to_completion
    from ..terminal import clean

    recipe = FilterRecipe.load(filters, sets=[pair(one) for one in sets], model=models, fields=dict(pair(one) for one in fields))
    told = to_completion(_judged(file, recipe, whole=as_json))
    if not as_json:
        click.echo(clean(_summary(told)), err=True)


async def _judged(file: str, recipe: FilterRecipe, *, whole: bool) -> Counter[str]:
    """Prints a line a record, in order; how many were kept, and refused for which reason."""
    import orjson

    from ...engine.filtering import open_filters

    told: Counter[str] = Counter()
    async with open_filters(recipe) as opened, aclosing(opened.judged(_rows(file, recipe))) as judgements:
        async for judgement in judgements:
            line = judgement.line()
            if whole:
                line["verdicts"] = [verdict.model_dump(mode="json") for verdict in judgement.verdicts]
            sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
            word = judgement.reason.partition(":")[0]
            told["kept" if judgement.keep else f"{judgement.filter}: {word}" if judgement.filter else word] += 1
    sys.stdout.buffer.flush()
    return told


def _rows(file: str, recipe: FilterRecipe) -> Iterator[Record | Judgement]:
    from ...engine.filtering import bad_row
    from ...formats.seeds import BadSeed, SeedSource, lines

    if file == "-":
        source = SeedSource(path="-", fields=dict(recipe.fields)).judged(Path(), rows=lines(sys.stdin.buffer))
    else:
        source = SeedSource(path=file, fields=dict(recipe.fields)).judged(Path())
    for row in source:
        yield bad_row(f"row {row.row}", row.reason) if isinstance(row, BadSeed) else row


def _summary(told: Counter[str]) -> str:
    kept = told.pop("kept", 0)
    total = kept + sum(told.values())
    lines = [f"{total:,} records: {kept:,} kept, {total - kept:,} refused"]
    lines += [f"  {number:>8,}  {reason}" for reason, number in told.most_common(20)]
    return "\n".join(lines)
