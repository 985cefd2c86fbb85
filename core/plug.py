"""A name in a recipe becomes a class: `evol` is the one part that generators/evol.py defines.

Third parties write `use: their_pkg.module`: admitted where the operator's allow-list (environment variable
DATALCHEMY_PLUGINS, module prefixes separated by commas) or an entry point of the group `datalchemy.parts` names it.
"""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from .errors import RecipeError, nearest
from .part import Part

P = TypeVar("P", bound=Part)

ROOT = __name__.rpartition(".core")[0]


@cache
def names(folder: str) -> tuple[str, ...]:
    """The parts that a folder of the package holds (`generators`, `eval`)."""
    package = import_module(f"{ROOT}.{folder}")
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg and not m.name.startswith("_")))


def find(folder: str, kinds: tuple[type[P], ...], name: str) -> type[P]:
    """The part class of that name. Raises RecipeError, naming what there is."""
    what = " or ".join(kind.__name__.lower() for kind in kinds)
    if not isinstance(name, str) or not name:
        raise RecipeError(f"`use` must name a {what}; there are: {', '.join(names(folder))}")
    if "." in name:
        return _only_part(admitted(name), kinds, what)
    if name not in names(folder):
        raise RecipeError(f"no {what} named {name!r}; {nearest(name, names(folder))}")
    return _only_part(f"{ROOT}.{folder}.{name}", kinds, what)


def build(folder: str, kinds: tuple[type[P], ...], raw: Any, context: Any = None) -> P:
    """A part from a recipe's mapping (`{"use": name, **settings}`), a bare name, or a part itself.

    `context` is what the part's validators see: `{"base": folder}`, where relative paths of its settings start.
    """
    if isinstance(raw, kinds):
        return raw
    if isinstance(raw, str):
        raw = {"use": raw}
    if not isinstance(raw, dict):
        raise RecipeError(f"expected a mapping with `use:`, got {type(raw).__name__}")
    settings = dict(raw)
    return find(folder, kinds, settings.pop("use", "")).model_validate(settings, context=context)


def admitted(name: str) -> str:
    """The name of a third party's module, where the operator admits it. Raises RecipeError."""
    allowed = [prefix for prefix in os.environ.get("DATALCHEMY_PLUGINS", "").split(",") if prefix]
    if any(name == prefix or name.startswith(prefix + ".") for prefix in allowed):
        return name
    from importlib.metadata import entry_points

    if any(point.value.split(":")[0] == name for point in entry_points(group="datalchemy.parts")):
        return name
    raise RecipeError(
        f"the module {name!r} is not admitted: set DATALCHEMY_PLUGINS={name.split('.')[0]} or register it as an entry point of the group datalchemy.parts"
    )


def _only_part(module: str, kinds: tuple[type[P], ...], what: str) -> type[P]:
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise RecipeError(f"the module {module!r} cannot be imported: {error}") from error
    found = [c for c in vars(loaded).values() if isinstance(c, type) and issubclass(c, kinds) and c.__module__ == loaded.__name__]
    if len(found) != 1:
        raise RecipeError(f"{module} must define exactly one {what}; it defines {len(found)}")
    return found[0]
