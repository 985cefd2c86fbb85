"""Refuse what a judge model scores too low."""

from __future__ import annotations

from ..core.part import Tools
from ..core.record import Record, Verdict
from ._judge_scores import ScoreJudging
from ._parts import shown


class Judge(ScoreJudging):
    """A model reads the task and the answer and scores each criterion of a rubric, its reason first.

    The answer stands between marks that its author cannot know, as data; thinking and names of models are not shown. Empty
    answers and phrases that only promise one are refused unasked. A reply that cannot be read is an abstention. The score is the
    weighted mean on the scale. Unless it was calibrated on labelled records the judge only labels.
    """

    model: str
    """The model that judges; best of another family than the one that wrote."""

    async def judged(self, record: Record, tools: Tools) -> Verdict:
        seen = self.shown(record)
        if isinstance(seen, Verdict):
            return seen
        opinion = await self.opinion(seen, tools, self.model)
        if opinion is None:
            return self.verdict("abstain", f"unreadable_verdict: no scores in {self.tries} replies of the judge")
        evidence = {"scores": dict(opinion.scores), "why": opinion.reason, "judge": opinion.by}
        if opinion.score >= self.min_score:
            return self.verdict("keep", "", opinion.score, **evidence)
        why = f"{opinion.score:g} of {self.scale[1]}, at least {self.min_score:g}: {shown(opinion.reason) or 'no reason given'}"
        return self.verdict("refuse", f"low_score: {why}", opinion.score, **evidence)
