"""Preference pairs: of several answers to one prompt a better and a worse one, told apart by the recipe's own filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from statistics import pstdev
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ..core.backend import Capability, Sampling
from ..core.errors import Refused
from ..core.part import Generator, Tools
from ..core.record import Label, Message, Record
from ..core.record import Preference as PairContent
from ._pairs import Answer, Choose, Pair, Rules
from ._turns import System, asked, drawn, led_by, replied, reworded, together, waves


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, and what the pair shows of it."""

    sent: tuple[Message, ...]
    shown: tuple[Message, ...]
    origin: dict[str, str]
    """Wording of the request, for the lineage."""
    hidden: dict[str, str]
    """The system prompt, where the record does not show it."""


class Preference(Generator):
    """Lets one or several models answer the seed's prompt, has the recipe's filters judge the answers, and pairs a better with a worse one.

    The record is a preference pair. Its two answers differ in more than form and length. Labels: `margin` and `margin_z` (the gap of their
    scores, raw and in standard deviations of this prompt's scores), `length_ratio`, `chosen_model`, `rejected_model`, `tried`.
    """

    prompts: ClassVar[tuple[str, ...]] = ("cot.solve",)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.8, top_p=0.95)
    """Where neither the strategy nor the model sets them (Magpie's own temperature for pairs)."""

    model: str
    """The model that answers: for on-policy pairs the one that is to be trained."""
    others: tuple[str, ...] = ()
    """Further models that answer, for pairs across models."""
    samples: int = Field(default=5, ge=1, le=64)
    """Answers of each model at most."""
    by: str = "reward"
    """The recipe's filter that ranks the answers: its score (`reward`, `judge`, `jury`), or right and wrong (`math_answer`, `unit_tests`)."""
    verify: str = ""
    """A further filter that the chosen answer must pass, and with `right_wrong` the rejected one must not; by default `by` itself."""
    choose: Choose = "max_min"
    """`max_min`: the best and the worst by score. `max_random`: the best, and one drawn from those below it. `right_wrong`: one that the
    verifier keeps and one that it refuses, drawn in waves until a pair is there."""
    pairs: PositiveInt = 1
    """Pairs of a prompt at most; no answer stands in two."""
    margin: float | None = Field(default=None, ge=0)
    """The gap of the scores must be larger. null: any gap, and with `right_wrong` none is asked for."""
    scale: Literal["raw", "z"] = "raw"
    """Unit of `margin`: the filter's own, or standard deviations of this prompt's scores, which compare across prompts."""
    length: Literal["ignore", "prefer", "require"] = "prefer"
    """Pairs of similar length: taken first where there are any, required, or not looked at."""
    max_ratio: float = Field(default=1.5, ge=1)
    """How many times as long as the shorter answer the longer one of such a pair may be, in words."""
    alike: float | None = Field(default=0.95, gt=0, le=1)
    """Share of trigrams from which a longer answer only repeats the shorter one. Such pairs, and those that differ only in form, are
    excluded; null: they are not."""
    chosen_from: tuple[str, ...] = ()
    """Models whose answers may be chosen; none named: all."""
    rejected_from: tuple[str, ...] = ()
    """Models whose answers may be rejected; none named: all."""
    wave: tuple[PositiveInt, ...] = Field(default=(2, 2, 4), min_length=1)
    """Of `right_wrong`: answers asked at once, wave after wave; the last size repeats."""
    give_up_after: PositiveInt | Literal["half"] | None = "half"
    """Of `right_wrong`: where so many answers (`half` of all; null: never) are all right or all wrong, no more are drawn."""
    steps: bool = False
    """Whether working and a boxed answer are asked for, as `cot` does; the record shows the prompt as the seed has it."""
    system: System = None
    """System prompt; of a list, one is drawn for each seed."""
    keep_system: bool = True
    """Whether `system` stays in the record."""
    sampling: Sampling | None = None
    """Of all models, set over their own."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.samples * len(self._models) < 2:
            raise ValueError("a pair needs two answers: raise `samples`, or name `others`")
        for setting in ("chosen_from", "rejected_from"):
            if strangers := [name for name in getattr(self, setting) if name not in self._models]:
                raise ValueError(f"`{setting}`: {strangers[0]!r} answers nothing here; there are: {', '.join(self._models)}")
        if self.samples == 1 and self.chosen_from == self.rejected_from and len(self.chosen_from) == 1:
            raise ValueError("one answer of one model makes no pair: raise `samples`")
        return self

    @property
    def _models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.model, *self.others)))

    @property
    def _verifier(self) -> str:
        return self.verify or self.by

    def judges(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.by, self._verifier)))

    def needs(self) -> dict[str, frozenset[Capability]]:
        return {name: frozenset({"chat"}) for name in self._models}

    def calls_per_seed(self) -> float:
        return float(self.samples * len(self._models))

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        prompt, rules = self._prompt(seed, tools), self._rules()
        answers: list[Answer] = []
        for wave in self._waves():
            made = await together([self._answer(seed, prompt, number, tools) for number in wave])
            answers += await self._judged(_first(answers, made), tools)
            if self.choose == "right_wrong" and self._enough(answers, rules, tools):
                break
        usable = [one for one in answers if not one.flaw]
        found, reasons = rules.choice(usable, self.pairs, tools.rng("rejected"))
        if not found:
            raise self._nothing(answers, reasons)
        for number, pair in enumerate(found):
            yield self._record(seed, prompt, pair, answers, number)

    def _rules(self) -> Rules:
        return Rules(
            self.choose, self.margin, self.scale, self.length, self.max_ratio, self.alike, self.chosen_from, self.rejected_from
        )  # fmt: skip

    def _waves(self) -> list[range]:
        """Numbers of the answers: only where right and wrong are found out as they come does it pay to wait."""
        most = int(self.calls_per_seed())
        return list(waves(most, self.wave)) if self.choose == "right_wrong" else [range(most)]

    def _prompt(self, seed: Record, tools: Tools) -> Prompt:
        turns, steer, origin = asked(seed), drawn(self.system, tools), dict[str, str]()
        shown = led_by(steer, turns)
        sent = shown
        if self.steps:
            wording = tools.render("cot.solve", problem=turns[-1].text)
            sent = (*shown[:-1], reworded(turns[-1], wording.text))
            origin = {"prompt": wording.name, "template": wording.template}
        hidden = bool(steer) and not self.keep_system
        return Prompt(sent, shown[1:] if hidden else shown, origin, {"system": steer} if hidden else {})

    async def _answer(self, seed: Record, prompt: Prompt, number: int, tools: Tools) -> Answer:
        """Sample after sample of all models in turn."""
        sample, at = divmod(number, len(self._models))
        name = self._models[at]
        path = "answer" if at == 0 else f"answer.{name}"
        reply = await tools.model(name).chat(prompt.sent, path=path, sample=sample, sampling=self.sampling)
        said = replied(reply)
        flaw = "cut" if reply.finish_reason == "length" else "" if said.text else "empty_answer"
        labels: dict[str, Label] = {"finish_reason": reply.finish_reason}
        record = seed.derive(self.part_name(), (*prompt.shown, said), replies=[reply], labels=labels, sample=sample)
        return Answer(number, name, sample, reply, said, record, flaw=flaw)

    async def _judged(self, made: Sequence[Answer], tools: Tools) -> list[Answer]:
        """The same ones with what the filters say; they do not see those that cannot stand in a pair."""
        whole = [one for one in made if not one.flaw]
        if not whole:
            return list(made)
        records = [one.record for one in whole]
        ranked = await tools.judge(self.by, records)
        proved = ranked if self._verifier == self.by else await tools.judge(self._verifier, records)
        told: dict[int, Answer] = {}
        for one, rank, proof in zip(whole, ranked, proved, strict=True):
            right = None if proof.outcome == "abstain" else proof.outcome == "keep"
            bare = None if rank.outcome == "abstain" else float(rank.outcome == "keep")
            told[one.number] = replace(one, score=bare if rank.score is None else rank.score, right=right)
        return [told.get(one.number, one) for one in made]

    def _enough(self, answers: Sequence[Answer], rules: Rules, tools: Tools) -> bool:
        """Whether all pairs are there, or no more are to be hoped for."""
        usable = [one for one in answers if not one.flaw]
        if len(rules.choice(usable, self.pairs, tools.rng("rejected"), balanced=self.length != "ignore")[0]) >= self.pairs:
            return True
        limit = int(self.calls_per_seed()) // 2 if self.give_up_after == "half" else self.give_up_after
        return limit is not None and len(answers) >= limit and len({one.right for one in usable} - {None}) < 2

    def _nothing(self, answers: Sequence[Answer], reasons: Counter[str]) -> Refused:
        """Why there is no pair: what hinders most of those that could be one, else what the answers lack."""
        if reasons:
            told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            return Refused(reasons.most_common(1)[0][0], f"none of {reasons.total()} pairs can be taken: {told}")
        usable = [one for one in answers if not one.flaw]
        flaws = Counter(one.flaw for one in answers if one.flaw)
        told = ", ".join(f"{flaw} {count}" for flaw, count in flaws.most_common())
        told = f"{len(usable)} of {len(answers)} answers can stand in a pair" + (f" ({told})" if told else "")
        if len(usable) < 2 and flaws:
            return Refused(flaws.most_common(1)[0][0], told)
        if all(one.right is None if self.choose == "right_wrong" else one.score is None for one in usable):
            return Refused("unscored", f"no filter can tell them apart; {told}")
        if all(one.right is not True if self.choose == "right_wrong" else one.right is False for one in usable):
            return Refused("no_good_answer", f"{self._verifier} keeps none of them; {told}")
        return Refused("no_bad_answer", f"none is worse than a good one; {told}")

    def _record(self, seed: Record, prompt: Prompt, pair: Pair, answers: Sequence[Answer], number: int) -> Record:
        chosen, rejected = pair.chosen, pair.rejected
        both = chosen.said.reasoning is not None and rejected.said.reasoning is not None
        sides = [one.said if both else one.said.model_copy(update={"reasoning": None}) for one in (chosen, rejected)]
        replies = [one.reply for one in answers if one is not chosen]
        details: dict[str, Any] = {"choose": self.choose, "ranked_by": self.by, "pair": number, **prompt.hidden}
        for side, one in (("chosen", chosen), ("rejected", rejected)):
            details[side] = {"model": one.model, "sample": one.sample, "score": one.score}
        return seed.derive(
            self.part_name(),
            PairContent(prompt=prompt.shown, chosen=(sides[0],), rejected=(sides[1],)),
            replies=[*replies, chosen.reply],
            labels={**self._labels(pair, answers), "finish_reason": chosen.reply.finish_reason, "tried": len(answers)},
            **prompt.origin,
            **details,
        )

    def _labels(self, pair: Pair, answers: Sequence[Answer]) -> dict[str, Label]:
        labels: dict[str, Label] = {
            "length_ratio": round(pair.ratio, 4), "chosen_model": pair.chosen.model, "rejected_model": pair.rejected.model,
        }  # fmt: skip
        if pair.gap is not None:
            spread = pstdev([one.score for one in answers if one.score is not None])
            labels |= {"margin": round(pair.gap, 6), "margin_z": round(pair.gap / spread, 4) if spread else 0.0}
        return labels


def _first(before: Sequence[Answer], made: Sequence[Answer]) -> list[Answer]:
    """Those that repeat an earlier one, but for its white space, are marked: they are neither judged nor paired again."""
    seen = {" ".join(one.said.text.split()) for one in before}
    told = []
    for one in made:
        text = " ".join(one.said.text.split())
        told.append(replace(one, flaw="repeated") if not one.flaw and text in seen else one)
        seen.add(text)
    return told
