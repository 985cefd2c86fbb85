"""The guard before wordings that come with a recipe: what a template may say, and how much it may do.

Jinja's sandbox keeps a template from Python's insides but not from eating memory and time, so only a small language is
let through: text, variables of the shipped wording, conditions, one level of loops over lists, a few filters.
Checked before compiling: the kinds of node, names, filters, size. Checked while rendering: plain JSON values, output size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..core.errors import RecipeError, Refused

MAX_SOURCE = 64_000
"""Characters of template text."""
MAX_NODES, MAX_DEPTH = 600, 10
MAX_ITEMS = 256
"""Items that a loop may go through."""
MAX_CHARS = 512 * 1024
"""Of all values together, and of the output."""
FILTERS = frozenset({"capitalize", "default", "first", "last", "length", "lower", "title", "trim", "upper"})
"""None of them makes a text longer than a small factor, whatever its arguments."""
TESTS = frozenset({"defined", "undefined", "none", "string", "number", "boolean", "mapping", "true", "false"})
LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
_TEXT = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem)
_LOGIC = (nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Filter, nodes.Test)
ALLOWED = frozenset({*_TEXT, *_LOGIC, nodes.Keyword})
OPERATORS = frozenset({"eq", "ne", "lt", "lteq", "gt", "gteq"})


class _Sandbox(ImmutableSandboxedEnvironment):
    """A dot reaches into plain data only: the keys of a mapping, the counters of a loop."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict) and argument in obj:
            return obj[argument]
        if isinstance(obj, list | tuple) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=argument)


def variables(source: str) -> frozenset[str]:
    """The variables that a template reads."""
    return frozenset(meta.find_undeclared_variables(_environment().parse(source)))


def compiled(name: str, source: str, allowed: frozenset[str]) -> Callable[..., str]:
    """The filler of a user's template. Raises RecipeError with the rule that it breaks, and the line.

    The filler raises RecipeError where the template fails on a value, Refused(`prompt_too_long`) beyond MAX_CHARS.
    """
    environment = _environment()
    try:
        tree = _checked(name, source, allowed, environment)
        template = environment.from_string(tree)
    except (TemplateError, ValueError, RecursionError, MemoryError, SyntaxError, OverflowError) as error:
        raise _refusal(name, getattr(error, "lineno", None) or 1, "syntax", str(error) or type(error).__name__) from error

    def fill(**values: Any) -> str:
        if _size(name, values) > MAX_CHARS:
            raise Refused("prompt_too_long", f"the values for the wording {name} hold more than {MAX_CHARS} characters")
        pieces, length = [], 0
        try:
            for piece in template.generate(values):
                pieces.append(piece)
                length += len(piece)
                if length > MAX_CHARS:
                    raise Refused("prompt_too_long", f"the wording {name} grows beyond {MAX_CHARS} characters")
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise RecipeError(f"the template fails: {error}", where=f"prompts.{name}") from error
        return "".join(pieces)

    return fill


def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, optimized=False, cache_size=0)
    environment.globals.clear()
    environment.filters = {**{name: environment.filters[name] for name in FILTERS}, "_items": _items}
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


def _items(value: Any) -> list[Any] | tuple[Any, ...]:
    """What a loop goes through: stands around the subject of every loop."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"a loop goes through a list, not {type(value).__name__}")
    if len(value) > MAX_ITEMS:
        raise ValueError(f"a loop goes through {MAX_ITEMS} items at most, not {len(value)}")
    return value


def _checked(name: str, source: str, allowed: frozenset[str], environment: _Sandbox) -> nodes.Template:
    if not source.strip():
        raise _refusal(name, 1, "empty", "the wording has no text")
    if len(source) > MAX_SOURCE:
        raise _refusal(name, 1, "size", f"{len(source)} characters, {MAX_SOURCE} at most")
    tree = environment.parse(source)
    for count, (node, line, depth, bound) in enumerate(_walk(tree, 1, 1, frozenset()), start=1):
        if count > MAX_NODES:
            raise _refusal(name, line, "nodes", f"more than {MAX_NODES} expressions and statements")
        if depth > MAX_DEPTH:
            raise _refusal(name, line, "depth", f"nested deeper than {MAX_DEPTH} levels")
        broken = _broken(node, allowed, bound)
        if broken:
            raise _refusal(name, line, *broken)
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "_items", [], [], None, None, lineno=loop.lineno)
    tree.set_environment(environment)
    return tree


def _walk(node: nodes.Node, line: int, depth: int, bound: frozenset[str]) -> Iterator[tuple[nodes.Node, int, int, frozenset[str]]]:
    """Each node with its line, its depth and the names that the loop around it binds."""
    line = getattr(node, "lineno", None) or line
    yield node, line, depth, bound
    inner = bound | {node.target.name, "loop"} if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name) else bound
    for child in node.iter_child_nodes():
        yield from _walk(child, line, depth + 1, inner)


def _broken(node: nodes.Node, allowed: frozenset[str], bound: frozenset[str]) -> tuple[str, str] | None:
    """The rule that a node breaks, and how."""
    match node:
        case nodes.For() if node.recursive or not isinstance(node.target, nodes.Name):
            return "loop", "only plain loops with one variable"
        case nodes.For() if bound:
            return "nested loop", "a loop inside a loop"
        case nodes.Name() if node.name.startswith("_") or not (node.name in allowed | bound or node.ctx == "store"):
            return "variable", f"{node.name!r} is not among the variables of this wording: {', '.join(sorted(allowed)) or 'none'}"
        case nodes.Getattr() if node.attr.startswith("_"):
            return "attribute", f"{node.attr!r} starts with an underscore"
        case nodes.Getitem() if not isinstance(node.arg, nodes.Const):
            return "index", "only fixed keys and positions"
        case nodes.Filter() if node.name not in FILTERS or node.node is None or node.dyn_args or node.dyn_kwargs:
            return "filter", f"{node.name!r} is not among the filters: {', '.join(sorted(FILTERS))}"
        case nodes.Test() if node.name not in TESTS:
            return "test", f"{node.name!r} is not among the tests: {', '.join(sorted(TESTS))}"
        case nodes.Operand() if node.op not in OPERATORS:
            return "operator", f"{node.op!r} is not allowed"
        case _ if type(node) not in ALLOWED:
            return type(node).__name__.lower(), "this part of Jinja is not allowed in a recipe's wording"
    return None


def _size(name: str, value: Any) -> int:
    """Characters of a JSON value, its keys and items counted in. Raises RecipeError for anything that is not plain JSON."""
    kind = type(value)
    if kind is str:
        return len(value)
    if value is None or kind in (bool, int, float):
        return 1
    if kind in (list, tuple):
        return 1 + sum(_size(name, item) for item in value)
    if kind is dict and all(type(key) is str for key in value):
        return 1 + sum(len(key) + _size(name, item) for key, item in value.items())
    raise RecipeError(f"a wording takes plain JSON values, not {kind.__name__}", where=f"prompts.{name}")


def _refusal(name: str, line: int, rule: str, detail: str) -> RecipeError:
    return RecipeError(f"the template is refused ({rule}): {detail}", where=f"prompts.{name} line {line}")
