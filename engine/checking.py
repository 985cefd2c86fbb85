"""Whether a recipe holds together: everything that can be known to be wrong before a token is spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..core.errors import RecipeError, nearest
from ..core.part import Edit, Filter, Generator, Part
from ..formats.measures import NAMES, PREFIXES
from .policy import check_policy, warnings, writing

if TYPE_CHECKING:
    from .filterrecipe import FilterRecipe
    from .recipe import Recipe


def check(recipe: Recipe) -> None:
    """Raises RecipeError with the first thing that cannot work."""
    _models(recipe, _places(recipe), in_dollars=recipe.budget.dollars is not None)
    _seeds(recipe)
    _prompts(recipe, recipe.parts())
    _closing(recipe)
    _judges(recipe)
    if recipe.policy is not None:
        check_policy(recipe.policy, _last(recipe), writing(recipe.models, recipe.parts()), recipe.seeds)
    if recipe.shares is not None and recipe.output.order == "arrival":
        raise RecipeError("a target with shares takes the first of each kind in seed order: leave `output.order` out", "output.order")
    for name in recipe.accept:
        if name not in NAMES and not name.startswith(PREFIXES):
            raise RecipeError(
                f"there is no measure {name!r}; {nearest(name, (*NAMES, 'mean_pass_rate'))}, and mean_... of other labels and scores",
                f"accept.{name}",
            )


def check_filters(recipe: FilterRecipe) -> None:
    """The same for filters outside of a run. Raises RecipeError."""
    _models(recipe, ((f"filters[{i}]", part) for i, part in enumerate(recipe.filters)), in_dollars=False)
    _prompts(recipe, recipe.filters)
    if recipe.policy is not None:
        check_policy(recipe.policy, recipe.filters, writing(recipe.models, recipe.filters), None)


def warned(recipe: Recipe) -> list[str]:
    """What is not wrong, and what a person should know before the run."""
    if recipe.policy is None:
        return []
    return warnings(recipe.policy, _last(recipe), writing(recipe.models, recipe.parts()), recipe.seeds)


def _last(recipe: Recipe) -> list[Part]:
    """What the finished records pass through."""
    return [*recipe.generate[-1].filters, *recipe.filters]


def _places(recipe: Recipe) -> Iterator[tuple[str, Generator | Filter | Edit]]:
    for i, part in enumerate(recipe.seeds.filters if recipe.seeds else ()):
        yield f"seeds.filters[{i}]", part
    for s, stage in enumerate(recipe.generate):
        for b, generator in enumerate(stage.generators):
            yield f"generate[{s}]" if len(stage.branches) == 1 else f"generate[{s}].mix[{b}]", generator
        for i, part in enumerate(stage.filters):
            yield f"generate[{s}].filters[{i}]", part
    for i, part in enumerate(recipe.filters):
        yield f"filters[{i}]", part


def _models(recipe: Recipe | FilterRecipe, places: Iterable[tuple[str, Part]], *, in_dollars: bool) -> None:
    for where, part in places:
        for name, wanted in part.needs().items():
            endpoint = recipe.models.get(name)
            if endpoint is None:
                raise RecipeError(f"no model named {name!r} in `models`; {nearest(name, recipe.models)}", f"{where}.model")
            if missing := sorted(set(wanted) - endpoint.able()):
                raise RecipeError(
                    f"{part.part_name()} needs {', '.join(missing)} of the model {name!r}, which the backend {endpoint.part_name()!r} cannot give;"
                    f" it can: {', '.join(sorted(endpoint.able()))}",
                    f"{where}.model",
                )
            if in_dollars and endpoint.effective_price is None:
                raise RecipeError(
                    f"a budget in dollars needs to know what {name!r} costs: set models.{name}.price to {{input: .., output: ..}} in dollars a million tokens (0 for a model of your own)",
                    f"models.{name}.price",
                )


def _seeds(recipe: Recipe) -> None:
    first, *later = recipe.generate
    seedless = [generator.seedless for generator in first.generators]
    if recipe.seeds is None:
        if not all(seedless):
            wants = next(generator.part_name() for generator in first.generators if not generator.seedless)
            raise RecipeError(
                f"the strategy {wants!r} starts from seeds: add `seeds: {{path: problems.jsonl}}` (or `inline: [...]`)", "seeds"
            )
        if recipe.target is None and recipe.budget.model_dump(exclude_none=True) == {}:
            raise RecipeError("a recipe without seeds never ends by itself: set `target` or a `budget`", "target")
    for i, stage in enumerate(later, start=1):
        for generator in stage.generators:
            if generator.seedless and not getattr(generator, "takes_seeds", False):
                raise RecipeError(
                    f"{generator.part_name()!r} starts from nothing, so it can only stand in the first stage", f"generate[{i}]"
                )


def _prompts(recipe: Recipe | FilterRecipe, parts: Iterable[Part]) -> None:
    from ..prompts import Wordings

    if recipe.prompts:
        used = {name for part in parts for name in part.prompts}
        for name in recipe.prompts:
            if name not in used:
                raise RecipeError(f"no part of this recipe uses a wording named {name!r}; {nearest(name, used)}", f"prompts.{name}")
    Wordings(recipe.language, recipe.prompts)


def _closing(recipe: Recipe) -> None:
    inner = [part for stage in recipe.generate for part in stage.filters] + list(recipe.seeds.filters if recipe.seeds else ())
    for part in inner:
        if isinstance(part, Filter) and part.closing:
            raise RecipeError(f"{part.part_name()!r} needs the finished set: it can only stand in the recipe's last `filters`", "filters")


def _judges(recipe: Recipe) -> None:
    """Strategies judge with the filters of the last stage, those that need no order and no whole set."""
    last = [*recipe.generate[-1].filters, *recipe.filters]
    usable = {part.part_name() for part in last if isinstance(part, Filter) and not part.ordered and not part.closing}
    for where, part in _places(recipe):
        for name in part.judges() if isinstance(part, Generator) else ():
            if name not in usable:
                raise RecipeError(
                    f"{part.part_name()} judges with the filter {name!r}, which the last stage does not have; {nearest(name, usable)}",
                    where,
                )
