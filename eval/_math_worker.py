"""Runs in a worker process: are two LaTeX expressions equal? (math-verify 0.9, sympy)"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from math_verify import LatexExtractionConfig, parse, verify
from math_verify.parser import NormalizationConfig


def equal(pair: dict[str, str]) -> Literal["equal", "differs", "gold_unreadable"]:
    r"""Compare `{"gold", "got"}`, each the LaTeX of one answer, without delimiters.

    The gold comes first: the comparison is not symmetric (an interval and an inequality). Only the LaTeX extractor is used, as
    the other one evaluates text as Python. No time limits of its own (they need SIGALRM, which is the worker's).
    """
    gold, got = (_parsed(pair[side]) for side in ("gold", "got"))
    if not gold:
        return "gold_unreadable"
    return "equal" if got and verify(gold, got, timeout_seconds=None) else "differs"


@lru_cache(maxsize=2048)
def _parsed(latex: str) -> list[object]:
    """Parsing is most of the work, and many answers have the same reference."""
    rules = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all")
    config = LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False, normalization_config=rules)
    found = parse(f"$\\boxed{{{latex}}}$", [config], fallback_mode="no_fallback", parsing_timeout=None)
    return list(found)
