"""A recipe that only judges: filters, the models they ask, and which column is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from ..core.errors import RecipeError, nearest
from ..core.frozen import Frozen
from ..core.plug import names
from .modelnames import NAMED_MODEL, replace_models
from .plainyaml import Mark
from .policy import Policy
from .reading import Document, explain, located, read, set_path
from .recipe import AnyEndpoint, AnyFilter, Recipe, Reuse, text_of, with_encoder

TAKEN = ("name", "seed", "language", "models", "filters", "prompts", "fields", "reuse", "policy")
"""What is taken of a recipe that also generates."""
NEEDS_FILE = """\
`datalchemy parts NAME` lists a filter's settings. They and models stand in a recipe's file, named in place of the filters:
  models: {judge: {use: http, url: "http://127.0.0.1:8000/v1", name: my-model}}
  filters: [{use: judge, model: judge}, math_answer]"""


class FilterRecipe(Frozen):
    """Filters to use outside of a run. Any recipe can be read as one: its filters and models count, the rest does not."""

    name: str = "filters"
    seed: int = 0
    language: str = "en"
    """Of the wordings that judges use."""
    models: Mapping[str, AnyEndpoint] = {}
    """Models that filters ask, by names of your own, each with `use:`."""
    filters: tuple[AnyFilter, ...] = Field(min_length=1)
    """Judge the records, in this order; who is refused by one is not shown to the next."""
    fields: Mapping[str, str] = {}
    """Our names to the columns of your rows: prompt, response, reasoning, messages, answer, tests, system, tools; others rename."""
    prompts: Mapping[str, str] = {}
    """Wordings replaced: name -> file (.j2) or text."""
    reuse: Reuse = Reuse()
    policy: Policy | None = None
    """What happens to personal data, and which licences models may have; the filters are checked against it."""
    base: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _holds_together(self) -> FilterRecipe:
        from .checking import check_filters

        object.__setattr__(self, "models", with_encoder(self.models, self.filters))
        check_filters(self)
        return self

    @classmethod
    def of(
        cls,
        filters: str | Path | Sequence[Any] | FilterRecipe,
        *,
        models: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> FilterRecipe:
        """From whatever `judge` takes. Raises RecipeError."""
        if isinstance(filters, FilterRecipe):
            return filters
        if isinstance(filters, (str, Path)):
            return cls.load(filters, models=models, fields=fields)
        return cls.build({"filters": list(filters), "models": dict(models or {}), "fields": dict(fields or {})})

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        sets: Sequence[tuple[str, str]] = (),
        model: Sequence[str] = (),
        models: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> FilterRecipe:
        """Read a recipe file, a shipped recipe, or names of filters separated by commas. Raises RecipeError."""
        document, base, named = cls._document(name)
        data = document.data
        if named:
            data["models"] = _named_models(model)
        for path, value in sets:
            set_path(data, path, value)
        for one in model:
            replace_models(data, one)
        if models:
            data["models"] = {**(data.get("models") or {}), **models}
        if fields:
            data["fields"] = {**(data.get("fields") or {}), **fields}
        try:
            return cls.build(data, base=base, document=document)
        except RecipeError as error:
            if named and not sets:
                error.args = (f"{error}\n{NEEDS_FILE}",)
            raise

    @classmethod
    def build(cls, data: Mapping[str, Any], *, base: Path = Path(), document: Document | None = None) -> FilterRecipe:
        """From a mapping; of a whole recipe, its filters (those of its last stage first). Raises RecipeError."""
        taken = {key: value for key, value in data.items() if key in TAKEN or "generate" not in data}
        if "generate" in data:
            last = data["generate"][-1] if isinstance(data["generate"], list) and data["generate"] else data["generate"]
            inner = last.get("filters") if isinstance(last, dict) else None
            taken["filters"] = [*(inner or ()), *(data.get("filters") or ())]
            if not taken["filters"]:
                raise RecipeError("this recipe has no filters to judge with", "filters")
        try:
            return cls.model_validate({**taken, "base": base}, context={"base": base})
        except ValidationError as error:
            raise explain(error, document) from error
        except RecipeError as error:
            raise located(error, document, ()) if document is not None else error from error

    @classmethod
    def _document(cls, name: str | Path) -> tuple[Document, Path, bool]:
        """The recipe, its folder, and whether it was made of names of filters. Raises RecipeError."""
        known, wanted = names("eval"), _split(name)
        if not Path(name).is_file() and wanted and all(one in known for one in wanted):
            return Document({"filters": wanted}, str(name), Mark(1)), Path(), True
        try:
            path = Recipe.find(name)
        except RecipeError as error:
            raise _no_such(wanted, known, error) from error
        return read(text_of(path, "recipe"), str(name)), path.parent, False


def _split(name: str | Path) -> list[str]:
    return [one.strip() for one in str(name).split(",") if one.strip()]


def _named_models(words: Sequence[str]) -> dict[str, Any]:
    """A place for each model that is given with a name, where no recipe describes it: `judge=http://HOST/v1#NAME`."""
    return {found[1]: {} for word in words if (found := NAMED_MODEL.match(word))}


def _no_such(wanted: Sequence[str], known: Sequence[str], error: RecipeError) -> RecipeError:
    """What to say of a text that is no recipe, and neither a filter nor a list of filters."""
    if not wanted:
        return RecipeError("no filters named: give a recipe's file, or filters such as math_answer,language")
    missed = next(one for one in wanted if one not in known)
    if len(wanted) > 1:
        return RecipeError(f"no filter {missed!r}; {nearest(missed.lower(), known)}")
    if Path(missed).suffix or Path(missed).name != missed:
        return error
    return RecipeError(
        f"{missed!r} is no filter, no file and no shipped recipe ({', '.join(Recipe.shipped())}); {nearest(missed.lower(), known)}"
    )
