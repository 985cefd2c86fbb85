"""What the verbs that take a recipe have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ...engine.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])


def recipe_options(command: F) -> F:
    """RECIPE, --model, --target, --out, --set."""
    for decorate in reversed(
        (
            click.argument("recipe"),
            click.option(
                "--model",
                "models",
                multiple=True,
                metavar="M",
                help="ember | gguf:FILE | vllm:MODEL | vllm-server:MODEL | openai:NAME | litellm:PROVIDER/NAME | http://HOST/v1#NAME, in place of the recipe's models; NAME=M replaces one of several.",
            ),
            click.option("--target", type=click.IntRange(min=1), metavar="N", help="Accepted records wanted."),
            click.option("--out", type=click.Path(file_okay=False), metavar="DIR", help="Where the dataset goes."),
            click.option(
                "--set",
                "sets",
                multiple=True,
                metavar="PATH=VALUE",
                help="Change one field: filters[0].target=de, budget.tokens=2_000_000.",
            ),
        )
    ):
        command = decorate(command)
    return command


def load(recipe: str, models: tuple[str, ...], target: int | None, out: str | None, sets: tuple[str, ...]) -> Recipe:
    """The recipe with the command line's changes. Raises RecipeError; UsageError for a `--set` without `=`."""
    from ...engine.recipe import Recipe

    return Recipe.load(recipe, sets=[pair(one) for one in sets], model=models or None, target=target, out=out)


def pair(text: str, option: str = "--set", example: str = "target=50") -> tuple[str, str]:
    """`PATH=VALUE`, taken apart. Raises UsageError."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        form = "NAME=COLUMN" if option == "--field" else "PATH=VALUE"
        raise click.UsageError(f"{option} {text}: expected {form}, such as {option} {example}")
    return path, value
