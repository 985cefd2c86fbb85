r"""Other spellings of mathematics as LaTeX: Unicode signs (`√2`, `½`, `≤`) and what programs write (`sqrt(2)`, `2**3`, `<=`)."""

from __future__ import annotations

import re

_SIGNS = str.maketrans({
    "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "⋅": "\\cdot ", "÷": "/", "∕": "/", "⁄": "/", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ",
    "∞": "\\infty ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∅": "\\emptyset ", "π": "\\pi ", "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ",
    "²": "^2", "³": "^3", "½": "\\frac{1}{2}", "⅓": "\\frac{1}{3}", "⅔": "\\frac{2}{3}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}",
    "≈": "\\approx ", "∶": ":", "：": ":", "，": ",", "（": "(", "）": ")", "％": "%", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "′": "'",
})  # fmt: skip
_ROOT = re.compile(r"√\s*(?:\(([^()]{1,60})\)|(\d{1,20}(?:\.\d{1,20})?|[A-Za-z]))")
_CALL = re.compile(r"(?<![\\A-Za-z])sqrt\s*\(([^()]{1,100})\)")
_PI = re.compile(r"(?<![\\A-Za-z])pi(?![A-Za-z])")
_INFINITY = re.compile(r"(?<![\\A-Za-z])(?:infinity|infty|inf|oo)(?![A-Za-z])")
_PROGRAM = re.compile(r"sqrt|pi|inf|oo|\*\*|<=|>=|!=")


def latex(text: str) -> str:
    """The same in LaTeX; a text that has none of these spellings comes back as it is."""
    if not text.isascii():
        text = _ROOT.sub(lambda root: f"\\sqrt{{{root[1] or root[2]}}}", text).translate(_SIGNS)
    if _PROGRAM.search(text):
        text = _INFINITY.sub(r"\\infty ", _PI.sub(r"\\pi ", _CALL.sub(r"\\sqrt{\1}", text)))
        text = text.replace("**", "^").replace("<=", "\\le ").replace(">=", "\\ge ").replace("!=", "\\ne ")
    return text.replace("\\log_e", "\\ln") if "\\log_e" in text else text
