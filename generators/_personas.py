"""Where a strategy takes its personas from: the seed, a list, or composed ones by number."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from ..core.errors import RecipeError, Refused
from ..core.part import Rendered, Tools
from ..core.record import Record
from ..personas.composed import Composed, Persona
from ..personas.listed import Listed
from ..personas.panel import PANEL
from ._turns import asked


def _source(raw: Any) -> str:
    """Which of the two is meant, so that a mistake is told of that one only."""
    return "Listed" if isinstance(raw, Listed) or (isinstance(raw, dict) and not raw.keys().isdisjoint(Listed.model_fields)) else "Composed"


Personas = Annotated[Annotated[Composed, Tag("Composed")] | Annotated[Listed, Tag("Listed")], Discriminator(_source)] | None
"""Of a setting: composed ones or a list; None leaves it to the strategy."""
LONGEST = 4000
"""Characters of a persona at most."""
_MARKS = re.compile(r"<\s{0,3}/?\s{0,3}(?:person|text|examples)\s{0,3}>", re.IGNORECASE)
_ORDINAL = re.compile(r"seed#(\d+)")


def persona_of(seed: Record, personas: Personas, tools: Tools) -> Persona:
    """The persona that a seed stands for: its text, or (of an empty seed) the one of its number.

    Raises RecipeError where both the seeds and the setting give one, Refused(`no_prompt`, `long_persona`) where neither does.
    """
    if not seed.messages and seed.content.kind != "text":
        return (personas or Composed()).persona(_number(seed), tools.language)
    if personas is not None:
        raise RecipeError("the seeds are the personas here: leave `personas` out, or `seeds`", where="generate.personas")
    text = asked(seed)[-1].text.strip()
    if len(text) > LONGEST:
        raise Refused("long_persona", f"{len(text)} characters are no persona: `persona_from_text` makes one of a text")
    return Persona(text=text)


def several(personas: Personas, k: int, tools: Tools) -> list[Persona]:
    """`k` different ones for this seed, in an order of its own; points of view of ours where none are given."""
    rng = tools.rng("personas")
    if personas is None:
        views = rng.sample(PANEL, k)
        return [Persona(text=view.zh if tools.language == "zh" else view.en, axes={"view": view.key}) for view in views]
    count = len(personas) if isinstance(personas, Listed) else 1 << 24
    return [personas.persona(number, tools.language) for number in rng.sample(range(count), k)]


def described(persona: str, tools: Tools) -> Rendered:
    """The persona as material in a wording."""
    return tools.render("persona.person", persona=unmarked(persona))


def unmarked(text: str) -> str:
    """Material without the tags that set it apart, which nothing within it may open or close."""
    return _MARKS.sub("", text)


def _number(seed: Record) -> int:
    """Which of the empty seeds this is, counted from 0."""
    found = _ORDINAL.fullmatch(seed.origin)
    return int(found[1]) if found else int(seed.id, 16) >> 34
