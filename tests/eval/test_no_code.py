from __future__ import annotations

from collections.abc import Callable

import pytest
from datalchemy.core.record import Conversation, Message, Record
from datalchemy.eval.no_code import NoCode
from hypothesis import given
from hypothesis import strategies as st

CODE = [
    "def area(r):", "    def area(r: float) -> float:  # metres", "class Box:", "import numpy as np\nimport sympy", "from math import sqrt",
    "for i in range(10):", "while x < 3:", "print(total)", ">>> print(2 + 3)", "#include <stdio.h>", "public static void main(String[] args) {",
    "int x = 3;", "let total = 0;", "function area(r) {", "if (x > 3) {", "count += 1", "SELECT name FROM people", "console.log(x);",
    "x = solve(equation)\nprint(x)", "x = np.sqrt(49)", "if x == 3:\n    return x\nimport sympy", "$ pip install sympy\nimport sympy",
]  # fmt: skip
PROSE = [
    "For each apple in range, we add one.", "If x is less than 3:", "So x = 7.", "x = 3", "f(x) = 2x + 1", "y = f(x)", "Let x = 3; then y = 4.",
    "Return to the first equation.", "We import 3 tons from France.", "While x < 3 the sum grows.", "class size: 24 students", "return 7",
    "def. of a prime number", "$x += 1$ is not needed", "From 3 import duties we get 12.", "A while loop would do.", "else: nothing", "x: 3, y: 4",
    "Use `print(x)` to see it.", "a := b means a is defined as b in words", "Print (the book) costs 3.", "P(A) = P(B)", "12 // 5 = 2", "# Step 1", "y = sqrt(49)\nz = sin(30)", "if x > 0:\nwe add\nif x < 0:\nwe subtract", "for x in [0, 1]:",
]  # fmt: skip


def verdict(text: str, **settings: object) -> str:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text, reasoning="We add."),)))
    judged = NoCode.model_validate(settings).check(record)
    return judged.reason or judged.outcome


@pytest.mark.parametrize("code", CODE)
def test_lines_of_code_are_found(code: str) -> None:
    assert verdict(f"We compute it.\n\n{code}\n\nSo it is 7.").startswith("code_line: line 3 of the answer: ")
    assert verdict(f"We compute it.\n\n{code}\n\nSo it is 7.", max_lines=3) == "keep"


@pytest.mark.parametrize("prose", PROSE)
def test_prose_and_formulas_are_not_code(prose: str) -> None:
    assert verdict(f"We compute it.\n{prose}\nSo it is 7.") == "keep"


def test_fences() -> None:
    assert verdict("Look:\n```python\nx\n```") == "code_fence: line 2 of the answer: ```python"
    assert verdict("Look:\n~~~\nx\n~~~").startswith("code_fence: line 2")
    assert verdict("Look:\n```math\nx^2\n```") == "keep"


def test_reasoning_is_read_too(reply: Callable[..., Record]) -> None:
    record = reply("7", reasoning="Let me see.\nimport sympy\nprint(7)")
    assert NoCode().check(record).reason == "code_line: line 2 of the reasoning: import sympy"
    assert NoCode(parts=("answer",)).check(record).keep
    assert NoCode().check(reply("7", prompt="import this\nprint(7)")).keep


@given(st.lists(st.sampled_from([*CODE, *PROSE, "```", "```math", "~~~"]) | st.text(max_size=20)).map("\n".join))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert verdict(text).startswith(("keep", "code_fence: line ", "code_line: line "))


def test_a_hostile_line_takes_no_time() -> None:
    for text in ("if " * 100_000, "a " * 240 + "(", "for x in " * 50, "public " * 60 + "(", "print(" * 80):
        verdict(text + "\n" + text)
