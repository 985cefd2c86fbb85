"""Recipe files: read guarded, changed by `--set`, and errors that point at the line.

engine/plainyaml.py does the reading; here every value knows its place, and what pydantic found wrong is said in words.
"""

from __future__ import annotations

import contextlib
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from ..core.errors import RecipeError, nearest
from ..core.frozen import Frozen
from ..core.part import Part
from .plainyaml import Mark, build, kind_of, plain_scalar

Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

_STEP = re.compile(r"""(?:^|\.)(?P<name>[^.\[\]"'\s]+)|\[(?P<index>\d+)\]|\[(?P<quote>["'])(?P<key>.+?)(?P=quote)\]""")


class Document:
    """A recipe as it was written: the data, and where each value stands."""

    def __init__(self, data: dict[str, Any], source: str, root: Mark) -> None:
        self.data = data
        self.source = source
        self.root = root

    def mark(self, path: Path_) -> Mark | None:
        """The mark of exactly that value; None where the file has none."""
        found: Mark | None = self.root
        for step in path:
            found = found.inner.get(step) if found else None
        return found

    def line(self, path: Path_) -> int | None:
        """Line of a value, or of the innermost thing around it that is in the file; None when nothing of it is."""
        for end in range(len(path), 0, -1):
            if (found := self.mark(path[:end])) is not None:
                return found.line
        return self.root.line if not path else None

    def where(self, path: Path_) -> str:
        """`recipe.yaml:12 filters[0].use`, as RecipeError takes it."""
        line = self.line(path)
        return f"{self.source}:{line} {dotted(path)}".rstrip() if line else f"{self.source} {dotted(path)}".rstrip()


def dotted(path: Path_) -> str:
    """`("filters", 0, "use")` as `filters[0].use`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif "." in step:
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text


def read(text: str, source: str = "recipe.yaml") -> Document:
    """A recipe's text as plain data. Raises RecipeError naming file and line for whatever is not plain YAML."""
    data, root = build(text, source)
    if not isinstance(data, dict):
        raise RecipeError(f"a recipe is a mapping (`name: ...`), this is {kind_of(data)}", f"{source}:{root.line}")
    return Document(data, source, root)


def set_path(data: dict[str, Any], path: str, value_text: str) -> None:
    """`--set path=value`: put a value into `data`, in place. Raises RecipeError where the path leads nowhere.

    `path` is dotted, with `[0]` for list items and `["a.b"]` for names with dots; the value is read as YAML would read
    it (a scalar, `[...]`, `{...}` or quoted text). Mappings on the way are made; list items must be there.
    """
    where = f"--set {path}"
    steps = _steps(path, where)
    value = _value(value_text, where)
    here: Any = data
    for i, step in enumerate(steps):
        before = dotted(steps[:i]) or "the recipe"
        if isinstance(step, int):
            if not isinstance(here, list):
                raise RecipeError(f"{before} is {kind_of(here)}, not a list", where)
            if step >= len(here):
                raise RecipeError(f"{before} has {len(here)} items; the last is [{len(here) - 1}]", where)
            if i + 1 < len(steps) and isinstance(here[step], str):
                here[step] = {"use": here[step]}
        elif not isinstance(here, dict):
            raise RecipeError(f"{before} is {kind_of(here)}, it has no {step!r}", where)
        if i + 1 == len(steps):
            here[step] = value
        elif isinstance(here, dict) and here.get(typing.cast(str, step)) is None:
            here[step] = {}
        here = here[step]


def _steps(path: str, where: str) -> Path_:
    steps: list[str | int] = []
    at = 0
    while at < len(path) and (found := _STEP.match(path, at)):
        steps.append(int(found["index"]) if found["index"] else found["key"] or found["name"])
        at = found.end()
    if not steps or at < len(path) or isinstance(steps[0], int):
        raise RecipeError("expected a path such as target, output.dir, filters[0].target", where)
    return tuple(steps)


def _value(text: str, where: str) -> Any:
    text = text.strip()
    if not text:
        raise RecipeError("expected a value; write null to take the setting away", where)
    try:
        return build(text, "value")[0] if text[:1] in ("[", "{", '"', "'") else plain_scalar(text)
    except RecipeError as error:
        raise RecipeError(str(error).removeprefix(f"{error.where}: "), where) from error


def located(error: RecipeError, document: Document, path: Path_) -> RecipeError:
    """The same error with file and line: of the field that it names itself, else of `path`."""
    message = str(error).removeprefix(f"{error.where}: ")
    if ":" in error.where:
        return error
    with contextlib.suppress(RecipeError):
        path = _steps(error.where, "") if error.where else path
    return type(error)(message, document.where(path))


def explain(error: ValidationError, document: Document | None) -> RecipeError:
    """All that pydantic found wrong, one line each: `file:line field: expected ..., got ...; did you mean ...`.

    Without a document (a recipe built in Python) the lines begin with the field. A part that is built inside a validator
    is placed rightly where the validator sees one item: `list[Annotated[Part, BeforeValidator(...)]]`.
    """
    problems: dict[Path_, list[_Problem]] = {}
    for problem in _flat(error, document.data if document else None, ()):
        problems.setdefault(problem.path, []).append(problem)
    lines = []
    for path, found in sorted(problems.items(), key=lambda problem: (document.line(problem[0]) or 0) if document else 0):
        deeper = any(other[: len(path)] == path and other != path for other in problems)
        if deeper and all(p.kind.endswith(("_type", "too_short")) for p in found):
            continue
        lines.append((document.where(path) if document else dotted(path), _phrase(found, document.mark(path) if document else None)))
    result = RecipeError("\n".join(f"{where}: {text}" for where, text in lines))
    result.where = lines[0][0]
    return result


class _Problem(NamedTuple):
    path: Path_
    """As the user wrote it."""
    kind: str
    """pydantic's name of it."""
    text: str
    got: Any
    fields: tuple[str, ...] = ()
    """Of an unknown field: the ones that exist."""


def _flat(error: ValidationError, data: Any, base: Path_) -> Iterator[_Problem]:
    for item in error.errors(include_url=False):
        path = _written(data, item["loc"], item["type"])
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, ValidationError):
            yield from _flat(inner, _at(data, path), base + path)
            continue
        fields = _fields(error.title, data, path[:-1]) if item["type"] == "extra_forbidden" else ()
        yield _Problem(base + path, item["type"], _expected(item), item["input"], fields)


def _at(data: Any, path: Path_) -> Any:
    for step in path if data is not None else ():
        data = data[step]
    return data


def _written(data: Any, loc: tuple[str | int, ...], kind: str) -> Path_:
    """A pydantic location without the union members, validators and tags that the user never wrote."""
    if data is None:
        return loc
    path: list[str | int] = []
    for i, step in enumerate(loc):
        step = _SPELLED.get(step, step) if isinstance(data, dict) and step not in data else step
        if isinstance(data, dict) and step in data:
            data = data[typing.cast(str, step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        elif not (kind == "missing" and i + 1 == len(loc)):
            continue
        path.append(step)
    return tuple(path)


_SPELLED: Mapping[str | int, str] = {"branches": "mix"}
"""Fields of the models that recipes spell otherwise."""


def _expected(item: Any) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "literal_error":
        choices = item["ctx"]["expected"]
        known = re.findall(r"'([^']*)'", choices)
        return f"expected {choices}{_hint(item['input'], known)}"
    if kind == "string_pattern_mismatch":
        return f"expected text that matches {item['ctx']['pattern']}"
    if kind in _KINDS:
        return f"expected {_KINDS[kind]}"
    if told := re.match(r"(?:Input|String|Tuple|List|Dictionary|Value) should (?:be |have )?(?:a value )?(.+)", message):
        return f"expected {told[1].removesuffix(' after validation, not 0')}"
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), "a mapping"),
    "string_type": "text",
}


def _hint(got: Any, known: list[str]) -> str:
    import difflib  # an error may cost what a run must not

    close = difflib.get_close_matches(got, known, n=1, cutoff=0.5) if isinstance(got, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _phrase(found: list[_Problem], mark: Mark | None) -> str:
    first = found[0]
    if first.kind == "extra_forbidden":
        return f"there is no such field; {nearest(str(first.path[-1]), first.fields)}" if first.fields else "there is no such field"
    if first.kind == "missing":
        return "is required and not there"
    if not all(problem.text.startswith("expected ") for problem in found):
        return "; ".join(dict.fromkeys(problem.text for problem in found))
    wanted, _, hint = " or ".join(dict.fromkeys(p.text.removeprefix("expected ") for p in found)).partition("; ")
    quote = f'; write "{mark.text}" with quotes' if mark and mark.text and first.kind == "string_type" else ""
    return f"expected {wanted}, got {_got(first)}{'; ' + hint if hint else ''}{quote}"


def _got(problem: _Problem) -> str:
    value, name = problem.got, str(problem.path[-1] if problem.path else "")
    if isinstance(value, str) and not re.search("(^|_)(key|token|secret|password)$", name):
        return repr(value if len(value) <= 60 else value[:60] + "...")
    return kind_of(value) if isinstance(value, dict | list | str) or value is None else repr(value)


def _fields(title: str, data: Any, path: Path_) -> tuple[str, ...]:
    """Fields of the models that can stand at `path` below the model of that title; a mapping with `use:` tells its own."""
    models: set[type[BaseModel]] = {m for m in _subclasses(Frozen) if m.__name__ == title}
    for step in path:
        data = data[step] if data is not None else None
        models = {m for model in models for m in _models_at(model, step)} if isinstance(step, str) else models
        named = data.get("use") if isinstance(data, dict) else None
        models = {part for part in _subclasses(Part) if part.part_name() == named} or models
    names = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return tuple(sorted(names | ({"use"} if any(issubclass(m, Part) for m in models) else set())))


def _models_at(model: type[BaseModel], name: str) -> Iterator[type[BaseModel]]:
    field = next((f for n, f in model.model_fields.items() if name in (n, f.alias)), None)
    waiting = [field.annotation] if field else []
    while waiting:
        kind = waiting.pop()
        waiting.extend(typing.get_args(kind))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _subclasses(kind: type[M]) -> Iterator[type[M]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)
