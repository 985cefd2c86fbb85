"""Two-stage parsing gives what the full parser gives; only its time is another."""

from __future__ import annotations

from typing import Any

import pytest
from datalchemy.eval._math_worker import TwoStages, equal
from latex2sympy2_extended import latex2sympy2
from sympy import srepr

FULL = TwoStages.__mro__[1]
TEXTS = [
    r"7\sqrt{3}", r"\frac{5\pi}{3}", "(n+2)(n-6)", "n^2-4n+12", r"\frac{1}{2}x+\frac{3}{4}", r"[1,2) \cup (3, \infty)", r"\{1, 2, 3\}",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "2+3i", "1 < x < 2", "x = 5", r"\sin(x)^2+\cos(x)^2", r"\log_2 8", "(1, 2)",
    r"\binom{5}{2}", r"\int_0^1 x dx", r"|x-1|", "5!", r"\sqrt[3]{27}", "a_1+a_2", r"x \in \mathbb{R}", "1,000", "12.5", r"2^{10}", r"\infty",
    r"x\le 3", r"-\frac{-1}{-2}", "x^2+y^2=1", r"\lfloor 2.5 \rfloor", "3:4", r"\text{A}", "1+", r"\frac{1}{", "))", "", r"\begin{", "x==2",
]  # fmt: skip


def told(parser: Any, text: str) -> str:
    try:
        return str(srepr(parser.parse(text)))
    except Exception:
        return "error"


def test_two_stages_give_the_same_expressions_and_the_same_errors() -> None:
    full = {text: told(FULL(), text) for text in TEXTS}
    assert {text: told(TwoStages(), text) for text in TEXTS} == full
    assert sum(one == "error" for one in full.values()) < len(TEXTS) / 3


def test_the_first_stage_is_enough_for_most(monkeypatch: pytest.MonkeyPatch) -> None:
    class First(TwoStages):
        def parse(self, latex_str: str) -> Any:
            return FULL.parse(self, latex_str)

    right = [text for text in TEXTS if told(FULL(), text) != "error"]
    assert sum(told(First(), text) != "error" for text in right) > 0.8 * len(right)


def test_the_library_parses_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert latex2sympy2._Latex2Sympy is TwoStages
    seen: list[str] = []
    monkeypatch.setattr(TwoStages, "create_parser", lambda self, text: seen.append(text) or FULL.create_parser(self, text))
    assert equal({"gold": r"13\sqrt{5}", "got": r"\sqrt{845}"}) == "equal"
    assert equal({"gold": r"13\sqrt{5}", "got": r"\sqrt{846}"}) == "differs"
    assert seen
