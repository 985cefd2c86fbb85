"""no_code: prose with a piece of code in it, and prose with formulas."""

from __future__ import annotations

import random
from collections.abc import Iterator

from gauge import Line, above, plain, rate

from ._answered import judged, questions
from ._records import worked

CODE = (
    "def area(r):\n    return 3 * r",
    "for i in range(10):\n    print(i)",
    "import math\nprint(math.pi)",
    "```\nx\n```",
    "~~~python\nx = 1\n~~~",
    "#include <stdio.h>\nint main() { return 0; }",
    "let total = 0;\ntotal += 3;",
    "SELECT name FROM people WHERE age > 3",
    "while x < 3:\n    x += 1",
    "class Box:\n    pass",
    "public static void main(String[] args) {",
    "$ pip install sympy",
)
FORMULAS = (
    "x = 3 + 4",
    "f(x) = 2x + 1",
    "If x > 3, we stop.",
    "$\\frac{a}{b} = 2$",
    "return to step 2",
    "Let y = f(x).",
    "```math\nx^2\n```",
    "import duty: 7 %",
    "P(A) = 1/2",
)


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "no_code"}, worked()))


def accuracy() -> Iterator[Line]:
    rng = random.Random(9)
    texts = questions(400)
    cases = [(f"{text}\n{rng.choice(CODE)}\n{text}", True) for text in texts] + [
        (f"{text}\n{rng.choice(FORMULAS)}\n{text}", False) for text in texts
    ]
    score = judged({"use": "no_code"}, cases)
    yield above("800 texts, half of them with code, precision", score.precision, 0.98, "")
    yield above("the same, recall", score.recall, 0.95, "")
