"""People around a person, and the people around those (persona-to-persona of Persona Hub, arXiv 2406.20094)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import ClassVar

from pydantic import Field, PositiveInt

from ..core.backend import Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import PlainText, Record
from ..personas.listed import Listed
from ._forms import FORMS, Filled, Form, filled
from ._forms import Field as Blank
from ._overlap import grams, jaccard
from ._persona_checks import flaw_of, kept_private
from ._personas import Personas, persona_of, unmarked
from ._turns import together

FORM = Form((Blank("personas", "texts"),))


@dataclass(slots=True)
class Found:
    """The personas of one seed so far, and what was left out."""

    known: list[frozenset[tuple[str, ...]]]
    """Their words, the seed's first."""
    dropped: Counter[str] = field(default_factory=Counter)

    def takes(self, persona: str, alike: float) -> bool:
        """Whether the persona is well formed and new; it is then known."""
        words = grams(persona, 1)
        if flaw := flaw_of(persona):
            self.dropped[flaw] += 1
        elif any(jaccard(words, other) >= alike for other in self.known):
            self.dropped["near_duplicate"] += 1
        else:
            self.known.append(words)
            return True
        return False


class PersonaFromPersona(Generator):
    """Asks for people closely connected with a person, then with those, round after round. Each record is a persona, as plain text.

    Those that carry a name or contact data, or that share most of their words with one that is there, are left out and counted.
    """

    seedless: ClassVar[bool] = True
    prompts: ClassVar[tuple[str, ...]] = ("persona_from_persona.related", *FORMS)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.7, top_p=0.95)
    """Where neither the strategy nor the model sets them."""

    model: str
    """The model that is asked."""
    personas: Personas = None
    """Where the first personas come from in a recipe without seeds (composed ones by default); with seeds, the seeds are they."""
    rounds: PositiveInt = 2
    """How far it goes from the seed: the connected, those connected with them, and so on."""
    per_call: int = Field(default=3, ge=1, le=10)
    """Personas asked for at once, each connected in another way."""
    follow: int = Field(default=1, ge=1, le=16)
    """Of each round's new personas, how many are asked about in the next one."""
    alike: float = Field(default=0.8, gt=0, le=1)
    """Share of common words (Chinese: characters) of two personas from which the later one is a near-duplicate."""
    sampling: Sampling | None = None
    """Set over the model's own."""

    @property
    def takes_seeds(self) -> bool:
        """Whether it can stand behind another stage: not where its own `personas` would be left unused."""
        return self.personas is None

    def reads(self) -> Mapping[str, str]:
        return self.personas.reads() if isinstance(self.personas, Listed) else {}

    def calls_per_seed(self) -> float:
        """At most."""
        return 1.0 + (self.rounds - 1) * min(self.follow, self.per_call)

    def records_per_seed(self) -> int:
        return int(self.calls_per_seed()) * self.per_call

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        start = persona_of(seed, self.personas, tools).text
        found, frontier = Found([grams(start, 1)]), [start]
        for depth in range(1, self.rounds + 1):
            asked = await together([self._related(persona, f"round{depth}.related{n}", tools) for n, persona in enumerate(frontier)])
            records: list[Record] = []
            for parent, one in zip(frontier, asked, strict=True):
                if isinstance(one, str):
                    found.dropped[one] += 1
                    continue
                texts = [text for text in one.values["personas"][: self.per_call] if found.takes(text, self.alike)]
                records += [self._record(seed, text, parent, depth, one) for text in texts]
            kept = await kept_private(records, tools)
            found.dropped["private"] += kept.count(False)
            frontier = []
            for record in (record for record, fine in zip(records, kept, strict=True) if fine):
                frontier.append(_text(record))
                yield record
            frontier = frontier[: min(self.follow, self.per_call)]
            if not frontier:
                break
        if found.dropped.total():
            told = ", ".join(f"{reason} {count}" for reason, count in found.dropped.most_common() if count)
            raise Refused(found.dropped.most_common(1)[0][0], f"left out: {told}")

    async def _related(self, persona: str, path: str, tools: Tools) -> Filled | str:
        """The filled form of one person, or the reason why there is none: the others of the round go on."""
        try:
            return await filled(
                tools, self.model, FORM, "persona_from_persona.related", path=path, sampling=self.sampling, persona=unmarked(persona), count=self.per_call
            )  # fmt: skip
        except Refused as refused:
            return refused.reason

    def _record(self, seed: Record, persona: str, parent: str, depth: int, asked: Filled) -> Record:
        return seed.derive(
            self.part_name(),
            PlainText(text=persona),
            replies=[asked.reply],
            prompt=asked.wording.name,
            template=asked.wording.template,
            labels={"finish_reason": asked.reply.finish_reason},
            operator="persona_to_persona",
            depth=depth,
            related_to=parent,
            parent_hash=blake2b(parent.encode(errors="replace"), digest_size=8).hexdigest(),
        )


def _text(record: Record) -> str:
    assert isinstance(record.content, PlainText)
    return record.content.text
