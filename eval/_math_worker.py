"""Runs in a worker process: are two LaTeX expressions equal? (math-verify 0.9, sympy)

Most of the time is ANTLR's: the grammar is parsed in pure Python. So each text is first read in its SLL mode, which either gives the tree
that the full LL mode would give or ends in a syntax error, and only then in LL mode (two-stage parsing, as ANTLR's documentation of
`PredictionMode` has it).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from antlr4.atn.PredictionMode import PredictionMode
from latex2sympy2_extended import latex2sympy2
from math_verify import LatexExtractionConfig, parse, verify
from math_verify.parser import NormalizationConfig


class TwoStages(latex2sympy2._Latex2Sympy):  # type: ignore[misc]
    """The parser beneath math-verify, quick where it can be."""

    _mode = PredictionMode.SLL

    def parse(self, latex_str: str) -> Any:
        try:
            return super().parse(latex_str)
        except Exception:
            self._mode, self.variances = PredictionMode.LL, dict[Any, Any]()
            return super().parse(latex_str)

    def create_parser(self, latex_str: str) -> Any:
        parser = super().create_parser(latex_str)
        parser._interp.predictionMode = self._mode
        return parser


latex2sympy2._Latex2Sympy = TwoStages


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
