"""`validate` and `preview`: what a recipe would do, before it costs anything or much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._options import load, recipe_options

if TYPE_CHECKING:
    from ...core.record import Record
    from ...engine.recipe import Recipe


@click.command()
@recipe_options
def validate(recipe: str, models: tuple[str, ...], target: int | None, out: str | None, sets: tuple[str, ...]) -> None:
    """Check RECIPE without spending anything: names, settings, prompts, capabilities, budget, and that the seeds can be read."""
    loaded = load(recipe, models, target, out, sets)
    seed = _first_seed(loaded)
    from ..terminal import clean, columns

    click.echo(clean(columns([("ok", loaded.name), *_outline(loaded, seed)])))


@click.command()
@recipe_options
@click.option("-n", "--count", type=click.IntRange(1, 100), default=10, show_default=True, help="Records to show.")
@click.pass_context
def preview(
    ctx: click.Context, recipe: str, models: tuple[str, ...], target: int | None, out: str | None, sets: tuple[str, ...], count: int
) -> None:
    """Make a few records of RECIPE, show them, and project what the whole run takes.

    What is paid for here is in the response store: the run does not pay for it again.
    """
    loaded = load(recipe, models, target, out, sets)
    from ..preview import show

    show(loaded, count, ctx.obj or [])


def _first_seed(recipe: Recipe) -> Record | None:
    """The first seed. Raises RecipeError where the source cannot be read or its first row is no seed."""
    if recipe.seeds is None:
        return None
    from ...core.errors import RecipeError
    from ...core.record import Record

    first = next(recipe.seeds.records(recipe.base, recipe.seed), None)
    if not isinstance(first, Record):
        raise RecipeError(f"the first row is no seed: {first.reason if first else 'there is none'}", "seeds")
    return first


def _outline(recipe: Recipe, seed: Record | None) -> list[tuple[str, ...]]:
    from ...engine.checking import warned
    from ..terminal import one_line

    rows: list[tuple[str, ...]] = [("", one_line(recipe.task, 100))] if recipe.task else []
    rows += [
        (f"model {name}", f"{endpoint.part_name()}: {endpoint.stored_as if endpoint.known() else 'the one its server has'}")
        for name, endpoint in recipe.models.items()
    ]
    if recipe.seeds is not None and seed is not None:
        rows.append(("seeds", f"{recipe.seeds.path or 'inline'}; the first: {one_line(seed.prompt, 80)}"))
        rows.append(
            ("", f"its reference answer: {one_line(seed.answer, 80) if seed.answer else 'none (name its column in seeds.fields: answer)'}")
        )
    for number, stage in enumerate(recipe.generate, 1):
        filters = f"; filters: {', '.join(part.part_name() for part in stage.filters)}" if stage.filters else ""
        rows.append((f"stage {number}", f"{stage.name}{filters}"))
    rows.append(("filters", ", ".join(part.part_name() for part in recipe.filters) or "none"))
    rows.append(("target", f"{recipe.target:,} accepted records" if recipe.target else "everything that the seeds give"))
    budget = recipe.budget.model_dump(exclude_none=True)
    rows.append(("budget", ", ".join(f"{value:,} {name}" for name, value in budget.items()) or "none"))
    rows.append(("out", str(recipe.out)))
    rows += [("warning", text) for text in warned(recipe)]
    return rows
