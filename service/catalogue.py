"""The parts that ship, described: for `parts`, for editors, for the documentation."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from ..core.endpoint import Endpoint
from ..core.errors import RecipeError, nearest
from ..core.part import Edit, Filter, Generator, Part
from ..core.plug import find, names
from .fielddocs import describe, field_docs

FOLDERS: Mapping[str, tuple[str, tuple[type[Part], ...]]] = {
    "strategies": ("generators", (Generator,)),
    "filters": ("eval", (Filter, Edit)),
    "models": ("backends", (Endpoint,)),
}
"""What a person calls it -> where it lives, and as what."""


class Setting(NamedTuple):
    """One field of a part or of a recipe."""

    name: str
    kind: str
    """`int`, `text`, `1 or 2` ..."""
    default: str | None
    """As YAML would have it; None where the field is required."""
    text: str


def loaded(kind: str) -> dict[str, type[Part]]:
    """The part classes of one kind (a key of FOLDERS), by name."""
    folder, kinds = FOLDERS[kind]
    return {name: find(folder, kinds, name) for name in names(folder)}


def named(name: str) -> dict[str, type[Part]]:
    """The part of that name, by kind. Raises RecipeError, naming what there is."""
    kinds = {kind: folder for kind, (folder, _) in FOLDERS.items() if name in names(folder)}
    if not kinds:
        known = sorted(known for folder, _ in FOLDERS.values() for known in names(folder))
        raise RecipeError(f"no part named {name!r}; {nearest(name, known)}")
    return {kind: find(folder, FOLDERS[kind][1], name) for kind, folder in kinds.items()}


def first_line(part: type[Part]) -> str:
    """The first line of a part's documentation."""
    return cleandoc(part.__doc__ or "").partition("\n")[0]


def settings(model: type[BaseModel]) -> list[Setting]:
    """The fields of a part or of a recipe's block, required ones first."""
    docs = field_docs(model)
    found = [
        Setting(field.alias or name, kind(field.annotation), _default(field), docs.get(name, ""))
        for name, field in model.model_fields.items()
        if not field.exclude
    ]
    return sorted(found, key=lambda setting: setting.default is not None)


def kind(annotation: Any) -> str:
    """A type in words a recipe's author uses."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind(inside[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(one) for one in inside if one is not type(None)))
    if origin is Literal:
        return " or ".join(str(one).lower() if isinstance(one, bool) else str(one) for one in inside)
    if origin in (tuple, list):
        return f"list of {kind(inside[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping to {kind(inside[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__.lower()
    return _WORDS.get(getattr(annotation, "__name__", ""), str(getattr(annotation, "__name__", annotation)))


_WORDS: Mapping[str, str] = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "Any": "anything",
}


def _default(field: Any) -> str | None:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return None
    if isinstance(value, BaseModel):
        return "{}" if not (told := value.model_dump(mode="json", exclude_none=True, exclude_defaults=True)) else json.dumps(told)
    if value is None:
        return "none"
    return json.dumps(value, default=str, ensure_ascii=False)


class _Written(GenerateJsonSchema):
    """Fields that only Python can give have no schema: they are left out."""

    def callable_schema(self, schema: Any) -> dict[str, Any]:
        return {}


def part_schema(part: type[Part]) -> dict[str, Any]:
    """JSON schema of one part's settings, `use` among them."""
    schema = describe(part.model_json_schema(mode="validation", schema_generator=_Written))
    python_only = {name for name, field in part.model_fields.items() if field.exclude}
    written = {name: field for name, field in schema.get("properties", {}).items() if name not in python_only}
    return {**schema, "properties": {"use": {"const": part.part_name()}, **written}, "required": ["use", *schema.get("required", ())]}


def recipe_schema() -> dict[str, Any]:
    """JSON schema of a whole recipe as a person writes it: every part that ships with its settings under its name."""
    from ..engine.recipe import Recipe

    definitions: dict[str, Any] = {}
    uses = {kind: [_entry(part, definitions) for part in loaded(kind).values()] for kind in FOLDERS}
    schema = describe(Recipe.model_json_schema(mode="validation"))
    definitions.update(schema.pop("$defs", {}))
    fields = schema["properties"]
    fields.pop("base", None)
    filters = {"type": "array", "items": {"anyOf": [*uses["filters"], {"enum": list(loaded("filters"))}]}}
    fields["models"] = {**_told(fields["models"]), "type": "object", "additionalProperties": {"anyOf": uses["models"]}}
    fields["filters"] = {**_told(fields["filters"]), **filters}
    fields["generate"] = {**_told(fields["generate"]), "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/stage"}}
    definitions["Seeds"]["properties"]["filters"] = filters
    definitions["stage"] = {"anyOf": [*_stages(uses["strategies"], definitions, filters), {"enum": list(loaded("strategies"))}]}
    needed = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps({**schema, "$defs": definitions})))
    kept = {name: definition for name, definition in definitions.items() if name in needed}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Datalchemy recipe", "$defs": kept}


def _entry(part: type[Part], definitions: dict[str, Any]) -> dict[str, Any]:
    """Adds a part's schema with `use: name` to the definitions; a reference to it."""
    schema = part_schema(part)
    definitions.update(schema.pop("$defs", {}))
    key = f"{part.__module__.split('.')[-2]}.{part.part_name()}"
    definitions[key] = schema
    return {"$ref": f"#/$defs/{key}"}


def _stages(strategies: list[dict[str, Any]], definitions: dict[str, Any], filters: dict[str, Any]) -> list[dict[str, Any]]:
    """A stage: a strategy with `filters` beside its settings, or `mix` of strategies with their `share`."""
    plain: list[dict[str, Any]] = []
    shared: list[dict[str, Any]] = []
    for reference in strategies:
        name = reference["$ref"].rpartition("/")[2]
        strategy = definitions[name]
        for suffix, extra, into in (("stage", {"filters": filters}, plain), ("share", {"share": {"type": "number"}}, shared)):
            definitions[f"{name}.{suffix}"] = {**strategy, "properties": {**strategy["properties"], **extra}}
            into.append({"$ref": f"#/$defs/{name}.{suffix}"})
    mix = {"type": "array", "items": {"anyOf": shared}}
    return [*plain, {"type": "object", "properties": {"mix": mix, "filters": filters}, "required": ["mix"], "additionalProperties": False}]


def _told(field: dict[str, Any]) -> dict[str, Any]:
    return {key: field[key] for key in ("description", "default", "title") if key in field}
