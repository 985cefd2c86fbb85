"""`recipes` and `init`: the recipes that ship, and one of your own."""

from __future__ import annotations

import re
from pathlib import Path

import click

START = "cold-start-cot"


@click.command()
def recipes() -> None:
    """List the recipes that ship: `datalchemy run NAME` runs one as it stands."""
    from ...engine.recipe import Recipe
    from ..terminal import columns

    click.echo(columns([(name, _described(name)) for name in Recipe.shipped()]))


@click.command()
@click.argument("name")
@click.option("--from", "source", default=START, show_default=True, help="A shipped recipe, or a file.")
def init(name: str, source: str) -> None:
    """Write NAME.yaml, a commented recipe to edit; seeds that lie beside its model are copied along."""
    from ...core.errors import RecipeError

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise RecipeError(f"the name {name!r} is none: letters, digits, `.`, `_` and `-`, beginning with a letter or digit")
    name = name.removesuffix(".yaml")
    target = Path(f"{name}.yaml")
    if target.exists():
        raise RecipeError(f"{target} is there already; choose another name or remove it")
    origin = _file(source)
    text = _renamed(origin.read_text("utf-8"), name)
    written = [target, *_seeds_along(text, origin.parent)]
    target.write_text(text, "utf-8")
    click.echo(f"wrote {', '.join(map(str, written))}\nnext: datalchemy validate {target}, then datalchemy preview {target}")


def _file(source: str) -> Path:
    """The file of a recipe; loading it checks that it is one. Raises RecipeError."""
    from importlib.resources import files

    from ...core.plug import ROOT
    from ...engine.recipe import Recipe

    Recipe.load(source)
    path = Path(source)
    return path if path.is_file() else Path(str(files(f"{ROOT}.recipes"))) / f"{source}.yaml"


def _described(name: str) -> str:
    """`task:` of a shipped recipe, else its first comment."""
    from ...engine.reading import read

    text = _file(name).read_text("utf-8")
    task = read(text, name).data.get("task")
    comment = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")
    return str(task or comment).strip()


def _renamed(text: str, name: str) -> str:
    """The recipe's text under another name, writing to a folder of its own."""
    text = re.sub(r"(?m)^name:[^#\n]*?(?=\s*(#|$))", f"name: {name}", text, count=1)
    return re.sub(r"(?m)(\bdir:\s*)out/[\w.-]+", rf"\g<1>out/{name}", text, count=1)


def _seeds_along(text: str, folder: Path) -> list[Path]:
    """Copies a relative seeds file, so that the new recipe runs as it stands; what is there already is left alone."""
    from ...engine.reading import read

    seeds = read(text).data.get("seeds")
    path = Path(str(seeds.get("path", ""))) if isinstance(seeds, dict) else Path()
    if path.is_absolute() or ".." in path.parts or not (folder / path).is_file() or path.exists():
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((folder / path).read_bytes())
    return [path]
