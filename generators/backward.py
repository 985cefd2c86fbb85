"""Backward questions: the answer is given, one number of the question is asked for (MetaMath, arXiv 2309.12284; FOBAR, 2308.07758)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import ClassVar, Literal

from ..core.backend import Reply
from ..core.errors import Refused
from ..core.part import Rendered, Tools
from ..core.record import Record
from ._forms import FORMS, Form, filled
from ._forms import Field as Part
from ._numbers import Place, free_symbol, maskable, masked, says, stands, values
from ._reproducing import Reproducing
from ._solving import Made, all_refused, each, gold_of, material, question_of

FORM = Form((Part("statement"),))


class Backward(Reproducing):
    """Masks numbers of the seed's question and asks for them, the answer being given; kept only if solving finds the number.

    The masked number is the new gold answer. One on which the answer does not depend is not found again, and refused. Labels:
    `finish_reason`, `pass_rate` = `right` / `tried`.
    """

    prompts: ClassVar[tuple[str, ...]] = ("backward.masked", "backward.asked", "backward.statement", "cot.solve", *FORMS)

    form: Literal["masked", "statement"] = "masked"
    """`masked` (FOBAR) puts the question of the answer behind the problem, by program; `statement` (self-verification) has
    the model turn problem and answer into statements, a call more. `k` numbers are masked, one at a time, drawn from those that can be."""

    def calls_per_seed(self) -> float:
        return float(self.k * (self.solves + (self.form == "statement")))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        question, gold = question_of(seed), gold_of(seed)
        places = maskable(question)
        symbol = free_symbol(question + " " + gold)
        if not places or symbol is None:
            raise Refused("nothing_to_mask", "no number of the question stands alone and once" if not places else "every letter is in use")
        chosen = sorted(tools.rng("masks").sample(places, min(self.k, len(places))))
        records, refused = await each([partial(self._asked, seed, question, gold, place, symbol, tools) for place in chosen])
        for record in records:
            yield record
        if refused:
            raise all_refused(refused, len(chosen))

    async def _asked(self, seed: Record, question: str, gold: str, place: Place, symbol: str, tools: Tools) -> Record:
        at = f"mask{place.start}"
        hidden = masked(question, place, symbol)
        if says(gold, place.value):
            raise Refused("answer_gives_number", f"the answer {gold!r} says the masked number itself")
        replies: tuple[Reply, ...] = ()
        wording: Rendered
        if self.form == "masked":
            wording = tools.render("backward.masked", problem=hidden, answer=gold, symbol=symbol)
            text = wording.text
        else:
            text, wording, reply = await self._restated(hidden, gold, place, symbol, at, tools)
            replies = (reply,)
        detail = (("operator", self.form), ("masked", question[place.start : place.end]), ("symbol", symbol), ("known", gold))
        made = Made(text, place.value, f"{at}.solve", wording, replies, detail=detail)
        return await self._solver().reproduced(seed, made, tools)

    async def _restated(self, hidden: str, gold: str, place: Place, symbol: str, at: str, tools: Tools) -> tuple[str, Rendered, Reply]:
        got = await filled(
            tools,
            self.model,
            FORM,
            "backward.statement",
            path=f"{at}.state",
            sampling=self.sampling,
            question=material(hidden),
            answer=gold,
            symbol=symbol,
        )
        statement = str(got.values["statement"])
        if not stands(symbol, statement):
            raise Refused("symbol_lost", f"{symbol} is not in the statement")
        if not says(statement, gold):
            raise Refused("answer_lost", f"the statement does not say the answer {gold!r}")
        if place.value in values(statement):
            raise Refused("number_given", f"the statement says the masked number {place.value}")
        if "?" in statement or "？" in statement:
            raise Refused("still_asks", "the statement holds a question")
        asking = tools.render("backward.asked", statement=statement, symbol=symbol)
        return asking.text, got.wording, got.reply
