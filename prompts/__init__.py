"""Every wording of the house, one Jinja file a call, and what fills them in.

`cot.solve.j2` is the English wording named `cot.solve`, `cot.solve.zh.j2` the Chinese one. A recipe may replace any
wording by a text of its own: that text is untrusted and passes the guard of `_guard.py` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..core.errors import RecipeError, nearest
from ..core.part import Rendered

LANGUAGES = ("en", "zh")
"""What wordings ship in."""

_FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The wordings that ship, without their language."""
    stems = (path.name.removesuffix(".j2") for path in _FOLDER.glob("*.j2"))
    return tuple(sorted(stem for stem in stems if stem.rpartition(".")[2] not in LANGUAGES))


def source(name: str, language: str = "en") -> str:
    """The template text of a shipped wording. Raises RecipeError for an unknown name or language."""
    if name not in names():
        raise RecipeError(f"no wording named {name!r}; {nearest(name, names())}")
    if language not in LANGUAGES:
        raise RecipeError(f"no wordings in the language {language!r}; {nearest(language, LANGUAGES)}")
    suffix = "" if language == "en" else f".{language}"
    return (_FOLDER / f"{name}{suffix}.j2").read_text("utf-8")


class Wordings:
    """The wordings of one run: shipped ones in its language, and the recipe's replacements.

    `overrides` maps the name of a wording to template text. All of them are checked and compiled here, so that a bad
    one raises RecipeError before a token is spent; shipped ones are compiled when first used.
    """

    def __init__(self, language: str = "en", overrides: Mapping[str, str] | None = None) -> None:
        if language not in LANGUAGES:
            raise RecipeError(f"no wordings in the language {language!r}; {nearest(language, LANGUAGES)}")
        self.language = language
        self._overrides = dict(overrides or {})
        self._compiled: dict[str, tuple[Callable[..., str], str]] = {}
        for name, text in self._overrides.items():
            self._compiled[name] = (self._guarded(name, text), _hash(text))

    def render(self, name: str, **values: Any) -> Rendered:
        """The wording filled in. Raises RecipeError for an unknown wording or variable.

        A replaced wording that grows beyond the guard's limit raises Refused(`prompt_too_long`): the sample is at fault.
        """
        if name not in self._compiled:
            self._compiled[name] = (self._shipped(name), self.hashes([name])[name])
        fill, template = self._compiled[name]
        return Rendered(text=fill(**values), name=name, template=template)

    def hashes(self, wanted: Iterable[str]) -> dict[str, str]:
        """Hash of each wording's template as this run uses it; compiles nothing."""
        return {name: _hash(self._overrides[name] if name in self._overrides else source(name, self.language)) for name in wanted}

    def _guarded(self, name: str, text: str) -> Callable[..., str]:
        from ._guard import compiled, variables

        return compiled(name, text, variables(source(name, self.language)))

    def _shipped(self, name: str) -> Callable[..., str]:
        from jinja2 import Environment, StrictUndefined, UndefinedError

        template = Environment(undefined=StrictUndefined, autoescape=False).from_string(source(name, self.language))  # noqa: S701 (prompts are no HTML)

        def fill(**values: Any) -> str:
            try:
                return template.render(values)
            except UndefinedError as error:
                raise RecipeError(f"a value is missing: {error.message}", where=f"prompts.{name}") from error

        return fill


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()
