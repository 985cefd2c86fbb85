"""A look at the first answers: a setting that is off shows there, before the run has cost much."""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import RunPaused
from ..core.part import Generator
from ..core.record import Record
from .recipe import Recipe


class EarlyLook:
    """Counts cut answers and answers without reasoning among the first judged ones, and pauses the run once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.left = recipe.checks.sample
        self.seen = self.cut = self.unreasoned = self.goldless = 0
        self.pause: Callable[[RunPaused], None] = lambda _: None

    def see(self, record: Record | None, refused: str = "") -> None:
        """A judged record of the last stage, or the reason for which a strategy itself refused what it made."""
        if not self.left:
            return
        self.left -= 1
        self.seen += 1
        self.cut += refused == "cut" or (record is not None and record.labels.get("finish_reason") == "length")
        reasons = [v.reason for v in record.verdicts if v.outcome == "refuse"] if record is not None else [refused]
        self.goldless += record is not None and any(v.reason.startswith("no_gold") for v in record.verdicts)
        self.unreasoned += any(reason.startswith("no_thinking") for reason in reasons)
        if not self.left and (message := self._off()):
            self.pause(RunPaused(f"{message} The run is paused; what was paid for is kept."))

    def _off(self) -> str:
        checks, model = self.recipe.checks, self._model()
        if self.cut > checks.cut * self.seen:
            limit = self.recipe.models[model].sampling.max_tokens if model in self.recipe.models else None
            now = "not set" if limit is None else limit
            return (
                f"{self.cut} of the first {self.seen} answers were cut: raise models.{model}.sampling.max_tokens (now {now}; `auto` fills the context),"
                f" or set checks.cut to 1 to go on all the same."
            )
        if self.unreasoned > checks.no_reasoning * self.seen:
            return (
                f"{self.unreasoned} of the first {self.seen} answers hold no reasoning, and think_format refuses them: is models.{model} a reasoning model,"
                f" and does its server keep the thinking (vLLM: --reasoning-parser)? Remove think_format, or set checks.no_reasoning to 1, to go on all the same."
            )
        if self.goldless > checks.no_gold * self.seen:
            return (
                f"{self.goldless} of the first {self.seen} records have no reference answer to compare with: name its column in seeds.fields"
                f" (`answer: COLUMN`), leave math_answer out, or set checks.no_gold to 1 to go on all the same."
            )
        return ""

    def _model(self) -> str:
        generators: list[Generator] = self.recipe.generate[-1].generators
        return next(iter(generators[0].needs()), "")
