"""Cold-start chain of thought: several rollouts a problem, the right ones kept (rejection sampling, DeepSeek-R1, arXiv 2501.12948)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from ..core.backend import Reply, Sampling
from ..core.errors import RecipeError, Refused
from ..core.part import Generator, Rendered, Tools
from ..core.record import Label, Message, Record
from ._turns import System, asked, drawn, led_by, replied, reworded, together, waves


@dataclass(frozen=True, slots=True)
class Rollout:
    """One sample of one problem, and what is known of it."""

    sample: int
    record: Record
    size: int
    """Characters of thinking and answer."""
    flaw: str = ""
    """Why it is not right: a filter's reason, or a finding of our own (`cut`, `no_answer` ...)."""
    by: str = ""
    """The recipe's filter that refused it; empty: none did."""
    unknown: bool = False
    """The filters cannot tell (no reference answer, say)."""

    @property
    def right(self) -> bool:
        return not self.flaw and not self.unknown


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what the record shows of it."""

    sent: tuple[Message, ...]
    shown: tuple[Message, ...]
    wording: Rendered
    hidden: dict[str, str]
    """The system prompt, where the record does not show it: for the lineage."""


class Cot(Generator):
    """Draws rollouts in waves, judges each wave with the recipe's own filters, and stops when enough is known.

    A rollout is right when it is whole (not cut, with an answer) and the verifier keeps it, and `think_format` too where
    the recipe has it. Without a verifier whole ones count as right. Labels of each record: `finish_reason`, and with a
    verifier `pass_rate` = `right` / `tried`. Which rollouts are drawn depends on earlier verdicts only, never on timing.
    """

    prompts: ClassVar[tuple[str, ...]] = ("cot.solve",)
    default_sampling: ClassVar[Sampling] = Sampling(temperature=0.6, top_p=0.95)
    """Where neither the strategy nor the model sets them (DeepSeek-R1's own settings)."""

    model: str
    """The model that reasons."""
    sampling: Sampling | None = None
    """Set over the model's own."""
    system: System = None
    """System prompt; of a list, one is drawn for each problem. DeepSeek-R1 is meant to run without one."""
    keep_system: bool = True
    """Whether `system` stays in the record."""
    keep_wording: bool = False
    """Whether the record shows the question as it was asked (with the request for steps), or as the seed has it."""
    rollouts: PositiveInt = 8
    """Answers a problem at most."""
    wave: tuple[PositiveInt, ...] = Field(default=(2, 2, 4), min_length=1)
    """Rollouts asked at once, wave after wave; the last size repeats. `[1]` spends the fewest calls, and takes longest."""
    keep: PositiveInt | Literal["all"] = 1
    """How many of the right ones become records."""
    by: str = "first"
    """Which of the right ones: `first` drawn or `shortest` (thinking and answer, in characters)."""
    verify: str | None = None
    """The recipe's filter that tells right from wrong; by default `math_answer` where the recipe has it."""
    thinking: Literal["auto", "required"] = "auto"
    """`required`: an answer without reasoning is not right, and a text without tags is thinking that was cut."""
    stop: Literal["early", "never"] = "early"
    """`early`: when `keep` right ones are there, or on giving up. `never`: all rollouts are drawn, `pass_rate` is exact."""
    give_up_after: PositiveInt | Literal["half"] | None = "half"
    """Without a right answer in so many rollouts the problem is given up (`half` of `rollouts`; null: never)."""
    yield_wrong: Literal["none", "one", "all"] = "one"
    """Wrong rollouts handed on to the filters, so that their reason and text are kept: `one` where nothing is right
    (the first with the commonest reason), `all`: every one, always."""

    @field_validator("by")
    @classmethod
    def _known_choice(cls, by: str) -> str:
        if by not in ("first", "shortest"):
            raise RecipeError(f"`by: {by}`: choosing by a scorer comes with the reward filters; there are: first, shortest", where="cot.by")
        return by

    def judges(self) -> tuple[str, ...]:
        return (self.verify,) if self.verify else ()

    async def generate(self, seed: Record, tools: Tools) -> AsyncIterator[Record]:
        judges = self._judges(tools)
        question = self._question(seed, tools)
        rollouts: list[Rollout] = []
        for wave in waves(self.rollouts, self.wave):
            made = await together([self._rollout(seed, question, tools, sample) for sample in wave])
            rollouts += await self._judged(made, judges, tools)
            if self.stop == "early" and self._enough(rollouts):
                break
        chosen = self._chosen(rollouts)
        if not chosen:
            flaw, refused = _commonest(rollouts).flaw, any(rollout.by for rollout in rollouts)
            raise Refused("no_correct_answer" if refused else flaw, f"none of {len(rollouts)} rollouts is right; most often: {flaw}")
        labels = self._labels(rollouts, verified=self._verifier in judges)
        for rollout in chosen:
            yield rollout.record.model_copy(update={"labels": {**rollout.record.labels, **labels}})

    def calls_per_seed(self) -> float:
        return float(self.rollouts)

    @property
    def _verifier(self) -> str:
        return self.verify or "math_answer"

    def _judges(self, tools: Tools) -> tuple[str, ...]:
        """The recipe's filters that decide what is right, the verifier last. Raises RecipeError where `verify` is not one."""
        if self.verify is not None and not tools.has_filter(self.verify):
            raise RecipeError(f"no filter {self.verify!r} in this recipe: add `- use: {self.verify}` to its filters", where="cot.verify")
        return tuple(name for name in dict.fromkeys(("think_format", self._verifier)) if tools.has_filter(name))

    def _question(self, seed: Record, tools: Tools) -> Question:
        turns = asked(seed)
        wording = tools.render("cot.solve", problem=turns[-1].text)
        steer = drawn(self.system, tools)
        sent = led_by(steer, (*turns[:-1], reworded(turns[-1], wording.text)))
        shown = sent if self.keep_wording else (*sent[:-1], turns[-1])
        if steer and not self.keep_system:
            return Question(sent, shown[1:], wording, {"system": steer})
        return Question(sent, shown, wording, {})

    async def _rollout(self, seed: Record, question: Question, tools: Tools, sample: int) -> Rollout:
        reply = await tools.model(self.model).chat(question.sent, path="solve", sample=sample, sampling=self.sampling)
        said = replied(reply, opened=self.thinking == "required")
        record = seed.derive(
            self.part_name(),
            (*question.shown, said),
            replies=[reply],
            prompt=question.wording.name,
            template=question.wording.template,
            labels={"finish_reason": reply.finish_reason},
            sample=sample,
            **question.hidden,
        )
        return Rollout(sample, record, size=len(said.text) + len(said.reasoning or ""), flaw=self._flaw(reply, said))

    def _flaw(self, reply: Reply, said: Message) -> str:
        """What makes a rollout useless whatever the filters say."""
        if reply.finish_reason == "length":
            return "cut"
        if not said.text:
            return "no_answer"
        return "no_thinking" if self.thinking == "required" and not said.reasoning else ""

    async def _judged(self, made: Sequence[Rollout], judges: Sequence[str], tools: Tools) -> list[Rollout]:
        """The wave with what the filters say of it; each filter sees only what the ones before it let pass."""
        rollouts = {rollout.sample: rollout for rollout in made}
        for name in judges:
            passed = [rollout for rollout in rollouts.values() if not rollout.by]
            if not passed:
                break
            verdicts = await tools.judge(name, [rollout.record for rollout in passed])
            for rollout, verdict in zip(passed, verdicts, strict=True):
                if verdict.outcome == "refuse":
                    rollouts[rollout.sample] = replace(rollout, flaw=verdict.reason or name, by=name, unknown=False)
                else:
                    rollouts[rollout.sample] = replace(rollout, unknown=verdict.outcome == "abstain" and not rollout.flaw)
        return list(rollouts.values())

    def _enough(self, rollouts: Sequence[Rollout]) -> bool:
        """Whether more rollouts would not change what is kept, or are not worth their cost."""
        right = sum(rollout.right for rollout in rollouts)
        if right:
            return self.keep != "all" and right >= self.keep
        if all(rollout.unknown for rollout in rollouts):
            return True
        limit = self.rollouts // 2 if self.give_up_after == "half" else self.give_up_after
        return limit is not None and len(rollouts) >= limit

    def _chosen(self, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """What becomes a record, in sample order: right ones (or, where no filter can tell, whole ones), and wrong ones as asked."""
        good = [rollout for rollout in rollouts if rollout.right] or [rollout for rollout in rollouts if rollout.unknown]
        if self.by == "shortest":
            good.sort(key=lambda rollout: rollout.size)
        chosen = good if self.keep == "all" else good[: self.keep]
        wrong = [rollout for rollout in rollouts if rollout.by]
        if self.yield_wrong == "all":
            chosen = [*chosen, *wrong]
        elif self.yield_wrong == "one" and wrong and not chosen:
            chosen = [_commonest(wrong)]
        return sorted(chosen, key=lambda rollout: rollout.sample)

    def _labels(self, rollouts: Sequence[Rollout], *, verified: bool) -> dict[str, Label]:
        """Of the problem: how many rollouts could be judged, and how many of them are right."""
        judged = [rollout for rollout in rollouts if not rollout.unknown]
        if not verified or not judged:
            return {}
        right = sum(rollout.right for rollout in judged)
        return {"pass_rate": right / len(judged), "right": right, "tried": len(judged)}


def _commonest(rollouts: Sequence[Rollout]) -> Rollout:
    """The first one with the flaw that most of them have."""
    flaw = Counter(rollout.flaw for rollout in rollouts).most_common(1)[0][0]
    return next(rollout for rollout in rollouts if rollout.flaw == flaw)
