"""`judge`: filters on records that somebody else made."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._options import pair

if TYPE_CHECKING:
    from ...core.record import Record
    from ...engine.filtering import Judgement
    from ...engine.filterrecipe import FilterRecipe
    from ...formats.seeds import BadSeed


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--filters", "filters", required=True, metavar="RECIPE", help="A recipe, or names of filters: math_answer,language")
@click.option("--model", "models", multiple=True, metavar="M", help="In place of the recipe's models, as for `run`.")
@click.option("--field", "fields", multiple=True, metavar="NAME=COLUMN", help="Which column is what: prompt=question.")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change one field: filters[0].target=de.")
@click.option("--json", "as_json", is_flag=True, help="Every filter's verdict and the record's own id in each line, and no summary.")
def judge(file: str, filters: str, models: tuple[str, ...], fields: tuple[str, ...], sets: tuple[str, ...], as_json: bool) -> None:
    """Judge records with a recipe's filters, outside of a run: one JSON line each on stdout, a summary on stderr.

    FILE has rows with messages, or prompt, response and answer, or prompt, chosen and rejected (JSON lines, Parquet, CSV, a folder, or `-` for JSON lines
    on stdin). RECIPE is a file, a shipped recipe, or names of filters separated by commas. The exit code is 0 whatever the verdicts.
    """
    from ...engine.filterrecipe import FilterRecipe
    from ...engine.loops import to_completion
    from ..terminal import clean

    columns = dict(pair(one, "--field", "prompt=question") for one in fields)
    recipe = FilterRecipe.load(filters, sets=[pair(one) for one in sets], model=models, fields=columns)
    told = to_completion(_judged(file, recipe, whole=as_json))
    if not as_json:
        click.echo(clean(told.summary()), err=True)
    if told.unanswered:
        click.echo(clean(told.note()), err=True)


@dataclass
class _Told:
    """What there is to say at the end."""

    kept: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By filter and reason."""
    labelled: Counter[str] = field(default_factory=Counter)
    """The same, of records that are kept all the same: by `enforce: false`, or because abstentions are."""
    bad_row: str = ""
    """The first row that is no record: mostly what is wrong with all of them."""
    unanswered: int = 0
    """Records in which nobody answers."""

    def count(self, judgement: Judgement) -> None:
        if judgement.keep:
            self.kept += 1
            self.labelled.update(f"{one.by}: {one.reason.partition(':')[0]}" for one in judgement.verdicts if one.outcome != "keep")
            return
        word = judgement.reason.partition(":")[0]
        self.refused[f"{judgement.filter}: {word}" if judgement.filter else word] += 1
        if not judgement.filter and not self.bad_row:
            self.bad_row = judgement.reason

    def summary(self) -> str:
        refused = self.refused.total()
        lines = [f"{self.kept + refused:,} records: {self.kept:,} kept, {refused:,} refused"]
        lines += [f"  {number:>8,}  {reason}" for reason, number in self.refused.most_common(20)]
        lines += [f"  the first {self.bad_row}"] if self.bad_row else []
        lines += [f"  {number:>8,}  {reason} (kept all the same)" for reason, number in self.labelled.most_common(20)]
        return "\n".join(lines)

    def note(self) -> str:
        return (
            f"note: in {self.unanswered:,} of the records there is a question and no answer; most filters judge such a record by its question. "
            "If a column holds the answer, name it: --field response=COLUMN"
        )


async def _judged(file: str, recipe: FilterRecipe, *, whole: bool) -> _Told:
    """Prints a line a record, in order."""
    import orjson

    from ...engine.filtering import open_filters

    told = _Told()
    async with open_filters(recipe) as opened, aclosing(opened.judged(_rows(file, recipe, told))) as judgements:
        async for judgement in judgements:
            line = judgement.line()
            if whole:
                line["record"] = judgement.record
                line["verdicts"] = [verdict.model_dump(mode="json") for verdict in judgement.verdicts]
            sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
            told.count(judgement)
    sys.stdout.buffer.flush()
    return told


def _rows(file: str, recipe: FilterRecipe, told: _Told) -> Iterator[Record | Judgement]:
    """The records of a file, counted where nobody answers. Raises RecipeError, which names the file."""
    from ...core.errors import RecipeError
    from ...core.record import Conversation
    from ...engine.filtering import bad_row
    from ...formats.seeds import BadSeed

    try:
        for row in _read(file, recipe):
            if isinstance(row, BadSeed):
                yield bad_row(f"row {row.row}", row.reason)
                continue
            told.unanswered += isinstance(row.content, Conversation) and row.response is None
            yield row
    except RecipeError as error:
        advice = "; here: --field prompt=COLUMN" if error.where == "seeds.fields" else ""
        raise RecipeError(str(error).removeprefix(f"{error.where}: ") + advice) from error


def _read(file: str, recipe: FilterRecipe) -> Iterator[Record | BadSeed]:
    from ...formats.seeds import SeedSource, lines

    source = SeedSource(path=file, fields=dict(recipe.fields))
    return source.judged(Path(), rows=lines(sys.stdin.buffer)) if file == "-" else source.judged(Path())
