"""The six dimensions of quality, each by what the filters of a run said (there is no authority on them: the meanings are ours).

relevant    on the task that was set: judges and scores of relevance, tags
aligned     does what the instruction asks, as people want it: instruction checks, reward models, judges, refusals
consistent  agrees with its reference, with itself and with its siblings: verifiers, unit tests, conflicts, juries
formatted   has the form that was asked for: thinking, schema, tags, tool calls, length, language, clean text
unique      says what no other record says: duplicates of all kinds
compliant   may be used: privacy, safety, contamination, licences
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FILTERS: Mapping[str, tuple[str, ...]] = {
    "relevant": ("judge", "labels", "ifd", "pattern"),
    "aligned": ("instructions", "reward", "reward_rank", "process_reward", "pairwise", "listwise", "bsm_judge", "jury", "refusals", "best_of", "select"),
    "consistent": ("math_answer", "unit_tests", "logic", "conflict"),
    "formatted": (
        "think_format", "answer_tags", "json_schema", "tool_calls", "length", "language", "repetition", "no_code", "readability", "gibberish",
    ),
    "unique": ("exact", "near_duplicates", "best_of_duplicates", "semantic_duplicates"),
    "compliant": ("privacy", "guard", "profanity", "contamination"),
}  # fmt: skip
"""Which filters speak of which dimension (a second one of a kind, `exact#2`, like the first)."""


class Dimension(NamedTuple):
    """What is known of one dimension."""

    name: str
    filters: list[str]
    """That measured it; none: nothing is known."""
    judged: int
    """Verdicts on candidates, abstentions left out."""
    kept: int

    @property
    def share(self) -> float | None:
        """Of the verdicts, those that found nothing to object to."""
        return self.kept / self.judged if self.judged else None


def dimensions(verdicts: Mapping[tuple[str, str], int]) -> list[Dimension]:
    """From counts of verdicts by (filter, keep | refuse | abstain)."""
    out = []
    for name, filters in FILTERS.items():
        mine = {(by, outcome): n for (by, outcome), n in verdicts.items() if by.partition("#")[0] in filters}
        kept = sum(n for (_, outcome), n in mine.items() if outcome == "keep")
        refused = sum(n for (_, outcome), n in mine.items() if outcome == "refuse")
        out.append(Dimension(name, sorted({by for by, _ in mine}), kept + refused, kept))
    return out
