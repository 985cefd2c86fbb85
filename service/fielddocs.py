"""The string beneath a field, read from the source.

pydantic can do this too (`use_attribute_docstrings`), but it does it for every model at every start, which costs a run
50 ms before its first request; only `parts` and the documentation need the texts.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..core.frozen import Frozen


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Field name -> its documentation, of the model's own fields and the inherited ones."""
    docs: dict[str, str] = {}
    for part in reversed(model.__mro__):
        if issubclass(part, Frozen):
            docs |= _module_docs(part.__module__).get(part.__qualname__, {})
    return docs


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema with a description at each field that has one, in the definitions too."""
    known = {model.__name__: model for model in _subclasses(Frozen)}
    for part in [schema, *schema.get("$defs", {}).values()]:
        model = known.get(part.get("title", ""))
        for name, text in field_docs(model).items() if model else ():
            if name in part.get("properties", {}):
                part["properties"][name] = {"description": text, **part["properties"][name]}
    return schema


@cache
def _module_docs(module: str) -> dict[str, dict[str, str]]:
    """Of every class of a module."""
    path = getattr(sys.modules[module], "__file__", None)
    if not path:
        return {}
    classes = [node for node in ast.parse(Path(path).read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_documented(node)) for node in classes}


def _documented(node: ast.ClassDef) -> list[tuple[str, str]]:
    found = []
    for field, text in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)):
            continue
        if isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            found.append((field.target.id, " ".join(text.value.value.split())))
    return found


def _subclasses(kind: type[BaseModel]) -> list[type[BaseModel]]:
    return [model for child in kind.__subclasses__() for model in (child, *_subclasses(child))]
