"""The people who would read, write or like a text (text-to-persona of Persona Hub, arXiv 2406.20094)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import ClassVar, Literal

from pydantic import Field

from ..core.backend import Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import PlainText, Record
from ._forms import FORMS, Form, filled
from ._forms import Field as Blank
from ._persona_checks import flaw_of, kept_private
from ._personas import unmarked
from ._turns import asked, together

FORM = Form((Blank("persona"),))
Relation = Literal["read", "write", "like", "question"]
WORDS: dict[Relation, tuple[str, str]] = {
    "read": ("would look for a text like this one and read it", "会主动找来读这样的文字"),
    "write": ("could have written a text like this one", "有可能写出这样的文字"),
    "like": ("would be pleased by a text like this one and pass it on", "会喜欢并转发这样的文字"),
    "question": ("would disagree with a text like this one, and knows why", "会不同意这样的文字并说得出理由"),
}


class PersonaFromText(Generator):
    """Describes the kind of person who stands in a given relation to the seed's text. The record is the persona, as plain text.

    One that carries a name or contact data is refused, by rule and by the recipe's `privacy` where there is one.
    """

    prompts: ClassVar[tuple[str, ...]] = ("persona_from_text.person", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that is asked."""
    relations: tuple[Relation, ...] = Field(default=("read",), min_length=1)
    """How the person stands to the text: `read`, `write`, `like`, `question`. A persona for each."""
    max_chars: int = Field(default=2000, ge=100)
    """Characters of the text that are shown, from its start."""
    sampling: Sampling | None = None
    """Set over the model's own."""

    def calls_per_seed(self) -> float:
        return float(len(set(self.relations)))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        text = asked(seed)[-1].text
        relations = tuple(dict.fromkeys(self.relations))
        made = await together([self._persona(relation, seed, text, tools) for relation in relations])
        dropped: list[str] = []
        for one in made:
            if isinstance(one, Record):
                yield one
            else:
                dropped.append(one)
        if dropped:
            raise Refused(dropped[0].partition(":")[0], f"{len(dropped)} of {len(made)} personas; the first: {dropped[0]}")

    async def _persona(self, relation: Relation, seed: Record, text: str, tools: Tools) -> Record | str:
        """The persona of one relation, or why there is none: the others go on."""
        wanted = WORDS[relation][tools.language == "zh"]
        try:
            told = await filled(
                tools, self.model, FORM, "persona_from_text.person", path=relation, sampling=self.sampling, text=unmarked(text[: self.max_chars]), relation=wanted
            )  # fmt: skip
        except Refused as refused:
            return str(refused)
        persona = told.values["persona"]
        if flaw := flaw_of(persona):
            return f"{flaw}: {persona[:200]}"
        record = seed.derive(
            self.part_name(),
            PlainText(text=persona),
            replies=[told.reply],
            prompt=told.wording.name,
            template=told.wording.template,
            labels={"finish_reason": told.reply.finish_reason},
            operator="text_to_persona",
            relation=relation,
            text_hash=blake2b(text.encode(errors="replace"), digest_size=8).hexdigest(),
        )
        (kept,) = await kept_private([record], tools)
        return record if kept else "private: the recipe's `privacy` found personal data in the persona"
