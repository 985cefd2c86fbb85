from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from datalchemy.core.errors import WorkerFault
from datalchemy.core.record import Conversation, Message, Record, Verdict
from datalchemy.core.workers import WorkerPool
from datalchemy.eval._answers import agree, algebra, objection, read, same_number
from datalchemy.eval._boxes import boxes, marked
from datalchemy.eval.math_answer import MathAnswer
from hypothesis import given
from hypothesis import strategies as st

Judge = Callable[..., Any]
Reply = Callable[..., Record]


def outcome(verdict: Verdict) -> str:
    """`keep string`, `refuse wrong_answer`, `abstain no_gold`."""
    return f"{verdict.outcome} {verdict.reason.partition(':')[0] or verdict.evidence['by']}"


class Unused:
    """Workers of a test that must be decided in process."""

    async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
        raise AssertionError(f"{argument} was not decided in process")


class InProcess:
    workers, language = Unused(), "en"


class Differs:
    async def call(self, function: str, argument: Any, *, timeout_s: float) -> str:
        return "differs"


class Anything:
    """Tools whose verifier finds everything different."""

    workers, language = Differs(), "en"


async def at_once(record: Record, **settings: Any) -> str:
    async with MathAnswer(**settings).open(InProcess()) as judge:  # type: ignore[arg-type]
        (verdict,) = await judge([record])
    assert verdict.score == {"keep": 1.0, "refuse": 0.0, "abstain": None}[verdict.outcome]
    return outcome(verdict)


FAST = [
    ("7", "7", "keep string"),
    ("8", "7", "refuse wrong_answer"),
    ("007", "7", "keep number"),
    ("7.0", "7", "keep number"),
    ("1,234", "1234", "keep number"),
    ("1{,}234", "1,234", "keep string"),
    ("1\\,234", "1234", "keep string"),
    ("\\$1,234.50", "1234.5", "keep number"),
    ("$12", "12", "keep string"),
    ("-\\frac{3}{4}", "-0.75", "keep number"),
    ("\\dfrac12", "1/2", "keep number"),
    ("2\\frac{1}{2}", "5/2", "keep number"),
    ("2 1/2", "2.5", "keep number"),
    ("6\\times 10^{3}", "6000", "keep number"),
    ("0.333333", "1/3", "keep number"),
    ("0.33", "1/3", "refuse wrong_answer"),
    ("1e-7", "2e-7", "refuse wrong_answer"),
    ("1000000.5", "1000000", "refuse wrong_answer"),
    ("7\\text{ apples}", "7", "keep number"),
    ("7 apples", "7", "keep number"),
    ("7 cm", "7", "keep number"),
    ("7 \\text{cm}^2", "7", "keep number"),
    ("7 m", "7", "keep number"),
    ("7 hours", "7 hour", "keep number"),
    ("7 hr", "7 hours", "keep number"),
    ("7 kilometres", "7 \\text{ km}", "keep number"),
    ("7 boxes", "7 box", "keep number"),
    ("7 red apples", "7 apples", "keep number"),
    ("7 mm", "7 \\text{m}", "refuse wrong_answer"),
    ("7 cents", "\\$7", "refuse wrong_answer"),
    ("7 years", "7 months", "refuse wrong_answer"),
    ("7 more", "7", "refuse wrong_answer"),
    ("not 7", "7", "refuse wrong_answer"),
    ("7 of the 9 boxes", "7", "refuse wrong_answer"),
    ("7 million", "7000000", "keep number"),
    ("7 million", "7", "refuse wrong_answer"),
    ("7 dozen eggs", "84", "keep number"),
    ("90^\\circ", "90", "keep number"),
    ("x=7", "7", "keep string"),
    ("\\theta = 7", "7", "keep string"),
    ("a_1=7", "7", "keep string"),
    ("\\text{Total} = 7", "7", "keep string"),
    ("y=2x+3", "2x+3", "keep string"),
    ("\\text{unknown}", "unknown", "keep string"),
    ("Unknown.", "\\text{unknown}", "keep string"),
    ("No", "no", "keep string"),
    ("Monday", "Tuesday", "refuse wrong_answer"),
    ("(B)", "B", "keep string"),
    ("\\text{(B)}", "B", "keep string"),
    ("7 or 8", "7 or 8", "keep string"),
    ("\\pm 7", "\\pm 7", "keep string"),
    # what math-verify alone accepts for 7 (rl.md 2.1)
    ("8=7", "7", "refuse free_equation"),
    ("3+4=7", "7", "refuse free_equation"),
    ("x=3+4=7", "7", "refuse free_equation"),
    ("7\\%", "7", "refuse wrong_answer"),
    ("7%", "7\\%", "keep string"),
    ("7 percent", "7\\%", "keep number"),
    ("7", "7\\%", "refuse wrong_answer"),
    ("\\{7\\}", "7", "refuse wrong_answer"),
    ("\\int_0^7 1dx", "7", "refuse unevaluated"),
    ("6+1", "7", "refuse unevaluated"),
    ("7 or maybe 8", "7", "refuse several_answers"),
    # and what it rejects too
    ("7 or 8", "7", "refuse several_answers"),
    ("7 and 8", "7", "refuse several_answers"),
    ("\\pm 7", "7", "refuse several_answers"),
    ("±7", "7", "refuse several_answers"),
    ("7=8", "7", "refuse free_equation"),
    # shares
    ("7\\%", "0.07", "keep number"),
    ("0.07", "7\\%", "keep number"),
    ("0.7", "7\\%", "refuse wrong_answer"),
    ("7\\%", "0.07 m", "refuse wrong_answer"),
    # sides of an equation with a lone symbol
    ("7=x", "7", "keep string"),
    ("=7", "7", "keep string"),
    ("\\approx 7", "7", "keep string"),
    ("4x+3=y", "y=4x+3", "keep string"),
    ("x=1 \\text{ or } x=2", "1 \\text{ or } 2", "keep string"),
    ("x=7 or x=8", "7", "refuse several_answers"),
    ("x=1, y=2", "1, 2", "refuse free_equation"),
    ("(x, y) = (1, 2)", "(1,2)", "keep string"),
    ("(y, x) = (1, 2)", "(1,2)", "refuse free_equation"),
    # units
    ("7 square meters", "7 \\text{ m}^2", "keep number"),
    ("7 sq. ft", "7\\ ft^2", "keep number"),
    ("7 cubic centimetres", "7 \\text{cm}^3", "keep number"),
    ("7 cm", "7 \\text{cm}^2", "refuse wrong_answer"),
    ("7 cm^3", "7 \\text{cm}^2", "refuse wrong_answer"),
    ("7 m/s", "7 \\text{ meters per second}", "keep number"),
    # ratios, dates, times of day
    ("3 : 4", "3:4", "keep string"),
    ("3 \\text{ to } 4", "3:4", "keep number"),
    ("6:8", "3:4", "keep number"),
    ("4:3", "3:4", "refuse wrong_answer"),
    ("3:4:1", "3:4", "refuse wrong_answer"),
    ("5 March 2024", "March 5, 2024", "keep number"),
    ("2024-03-05", "Mar. 5th, 2024", "keep number"),
    ("2024-05-03", "March 5, 2024", "refuse wrong_answer"),
    ("March 6, 2024", "March 5, 2024", "refuse wrong_answer"),
    ("February 30, 2024", "March 1, 2024", "refuse wrong_answer"),
    ("15:30", "3:30 PM", "keep number"),
    ("3:30 p.m.", "3:30\\text{ PM}", "keep number"),
    ("3 pm", "3:00 PM", "keep number"),
    ("12:05 am", "00:05", "keep number"),
    ("3:30 AM", "3:30 PM", "refuse wrong_answer"),
    ("3:30", "3:30 PM", "refuse wrong_answer"),
    ("5:10", "10:20", "refuse wrong_answer"),
    # words and other spellings
    ("seven", "7", "keep number"),
    ("\\text{Twenty-one apples}", "21", "keep number"),
    ("seventeen", "7", "refuse wrong_answer"),
    ("seven or eight", "7", "refuse several_answers"),
    ("ten thousand", "10000", "keep number"),
    ("½", "0.5", "keep number"),
    ("2½", "2.5", "keep number"),
    ("７", "7", "keep number"),
    ("−7", "-7", "keep string"),
    ("14/2+1-1", "7", "refuse unevaluated"),
    ("1 1/2", "11/2", "refuse wrong_answer"),
    ("11/2", "1 1/2", "refuse wrong_answer"),
    ("1 1/2", "3/2", "keep number"),
    ("1\\quad 2", "12", "refuse wrong_answer"),
    ("1$2", "12", "refuse wrong_answer"),
    ("7 8", "56", "refuse wrong_answer"),
    ("7 8", "7 8", "keep string"),
    ("12 345 678", "12345678", "keep string"),
    ("2 000", "2,000", "keep number"),
    ("\\frac 1 2", "\\frac12", "keep string"),
    ("2 \\frac 1 2", "5/2", "keep number"),
    ("(1, 2)", "\\{1, 2\\}", "refuse wrong_answer"),
    ("7\\times 1", "7", "refuse unevaluated"),
    ("6×10³", "6000", "keep number"),
]


@pytest.mark.parametrize(("got", "gold", "expected"), FAST)
async def test_decided_in_process(reply: Reply, got: str, gold: str, expected: str) -> None:
    assert await at_once(reply(f"So we get \\boxed{{{got}}}.", answer=gold)) == expected


SLOW = [
    ("sqrt(2)/2", "\\frac{\\sqrt{2}}{2}", "keep math_verify"),
    ("√2/2", "\\frac{\\sqrt{2}}{2}", "keep math_verify"),
    ("2**3*pi", "8\\pi", "keep math_verify"),
    ("(-∞, 1) ∪ (4, ∞)", "(-\\infty,1)\\cup(4,\\infty)", "keep string"),
    ("(-inf, 1] \\cup (4, inf)", "(-\\infty,1)\\cup(4,\\infty)", "refuse wrong_answer"),
    ("x=-5 \\text{ or } x=5", "\\{-5, 5\\}", "keep math_verify"),
    ("x_1=2, x_2=3", "2, 3", "keep string"),
    ("x \\le 3", "(-\\infty, 3]", "refuse wrong_answer"),
    ("\\{3, 1, 2\\}", "\\{1, 2, 3\\}", "keep math_verify"),
    ("\\begin{bmatrix}1\\\\2\\end{bmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "keep math_verify"),
    ("x", "7", "refuse wrong_answer"),
    ("3x", "3", "refuse wrong_answer"),
    ("7 cm", "7 m", "refuse wrong_answer"),
    ("1 000 000", "10^6", "keep math_verify"),
    ("1, 2", "\\{1, 2\\}", "keep math_verify"),
    ("\\pi\ud800", "\\pi", "refuse wrong_answer"),
    ("x^2+2x+1", "(x+1)^2", "keep math_verify"),
    ("x^2+2x+2", "(x+1)^2", "refuse wrong_answer"),
    ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}", "keep math_verify"),
    ("3\\sqrt{2}\\text{ cm}", "\\sqrt{18}", "keep math_verify"),
    ("2xy+1", "1+2yx", "keep math_verify"),
    ("2^{10}", "1024", "keep math_verify"),
    ("2, 1", "1, 2", "keep math_verify"),
    ("1 \\text{ and } 2", "1, 2", "keep math_verify"),
    ("7, 8", "7", "refuse wrong_answer"),
    ("(1, 2)", "(2, 1)", "refuse wrong_answer"),
    ("[1, 2)", "(1, 2)", "refuse wrong_answer"),
    ("(-\\infty, 3]", "x \\le 3", "keep math_verify"),
    ("y^2+x^2=4", "x^2+y^2=4", "keep math_verify"),
    ("\\begin{pmatrix}1\\\\3\\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "refuse wrong_answer"),
]


async def test_decided_by_algebra(judge: Judge, reply: Reply) -> None:
    verdicts = await judge(MathAnswer(timeout_s=30), [reply(f"\\boxed{{{got}}}", answer=gold) for got, gold, _ in SLOW])
    assert [outcome(verdict) for verdict in verdicts] == [expected for _, _, expected in SLOW]


async def test_a_bomb_costs_its_time_and_nothing_else(reply: Reply) -> None:
    bombs = ["9^{9^{9^9}}", "(10^{10})!", "(" * 140 + "x" + ")" * 140]
    async with WorkerPool(processes=1) as pool:
        tools = type("Tools", (), {"workers": pool, "language": "en"})()
        async with MathAnswer(timeout_s=1).open(tools) as judge:
            warm = reply("\\boxed{\\sqrt{4}}", answer="2")
            assert [outcome(v) for v in await judge([warm])] == ["keep math_verify"]
            verdicts = await judge([reply(f"\\boxed{{{bomb}}}", answer="7") for bomb in bombs] + [warm])
    assert [outcome(v) for v in verdicts[:2]] == ["abstain verifier_timeout"] * 2
    assert verdicts[2].outcome in ("refuse", "abstain")
    assert outcome(verdicts[3]) == "keep math_verify"
    assert MathAnswer().on_abstain == "refuse"


@pytest.mark.parametrize(("reason", "word"), [("timeout", "verifier_timeout"), ("died", "verifier_died"), ("raised", "verifier_failed")])
async def test_a_verifier_that_fails_is_an_abstention(reply: Reply, reason: str, word: str) -> None:
    class Broken:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            await asyncio.sleep(0)
            raise WorkerFault(reason, "so it went")

    tools = type("Tools", (), {"workers": Broken(), "language": "en"})()
    async with MathAnswer().open(tools) as judge:
        wrong, right = await judge([reply("\\boxed{x}", answer="y"), reply("\\boxed{y}", answer="y")])
    assert (outcome(wrong), outcome(right)) == (f"abstain {word}", "keep string")


@pytest.mark.parametrize(
    ("text", "auto", "boxed"),
    [
        ("\\boxed{7}", "keep string", "keep string"),
        ("\\fbox{7}", "keep string", "keep string"),
        ("It is $\\boxed{ 7 }$, \\boxed{7.0} indeed.", "keep number", "keep number"),
        ("First \\boxed{8}, then \\boxed{7}", "refuse several_answers", "refuse several_answers"),
        ("\\boxed{\\boxed{7}}", "keep string", "keep string"),
        ("\\boxed{7", "refuse no_answer", "refuse no_answer"),
        ("\\boxed{}", "refuse no_answer", "refuse no_answer"),
        ("\\boxed{8} was cut \\boxed{7", "refuse wrong_answer", "refuse wrong_answer"),
        ("#### 7", "keep string", "refuse no_answer"),
        ("The answer is 8. No:\n#### 7\n", "keep string", "refuse no_answer"),
        ("<answer> 7 </answer>", "keep string", "refuse no_answer"),
        ("**Answer:** 7", "keep string", "refuse no_answer"),
        ("The final answer is: $7$.", "keep string", "refuse no_answer"),
        ("Answer: 7 apples.", "keep number", "refuse no_answer"),
        ("The answer is 7. We are done now.", "keep string", "refuse no_answer"),
        ("The answer is 7 or maybe 8", "refuse several_answers", "refuse no_answer"),
        ("7", "keep string", "refuse no_answer"),
        ("There are seven.", "refuse no_answer", "refuse no_answer"),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "keep string", "refuse no_answer"),
        ("<think>8</think><answer>The answer is 7</answer>", "keep string", "refuse no_answer"),
        ("<answer>8</answer> <answer>7</answer>", "keep string", "refuse no_answer"),
        ("所以答案是 7。", "keep string", "refuse no_answer"),
        ("答案：**7**", "keep string", "refuse no_answer"),
        ("The answer is 8.\nAnswer: 7", "keep string", "refuse no_answer"),
        ("The answer is", "refuse no_answer", "refuse no_answer"),
        ("The answer is 7." + " And so on." * 40, "refuse no_answer", "refuse no_answer"),
        ("\\boxed{" + "7" * 301 + "}", "refuse answer_too_long", "refuse answer_too_long"),
        ("", "refuse no_answer", "refuse no_answer"),
    ],
)
async def test_where_the_answer_is_found(reply: Reply, text: str, auto: str, boxed: str) -> None:
    record = reply(text, answer="7")
    assert await at_once(record) == auto
    assert await at_once(record, extract="boxed") == boxed


async def test_only_the_final_section_is_read(reply: Reply) -> None:
    assert await at_once(reply("So \\boxed{8}.", reasoning="Maybe \\boxed{7}.", answer="7")) == "refuse wrong_answer"
    assert await at_once(reply("<think>Maybe \\boxed{8}.</think>So \\boxed{7}.", answer="7")) == "keep string"
    assert await at_once(reply("Maybe \\boxed{8}.</think>So \\boxed{7}.", answer="7")) == "keep string"
    assert await at_once(reply("<think>Surely \\boxed{7}.", answer="7")) == "refuse no_answer"
    assert await at_once(reply("So it is.", reasoning="\\boxed{7}", answer="7")) == "refuse no_answer"


@pytest.mark.parametrize(
    "gold", ["7", " 7.0\n", "#### 7", "He has 3 + 4 = 7 eggs.\n#### 7", "Thus $x = \\boxed{7}$.", "The answer is 7.", "$7$", "\\(7\\)"]
)
async def test_gold_answers_are_read_as_they_are(reply: Reply, gold: str) -> None:
    assert (await at_once(reply("\\boxed{7}", answer=gold))).startswith("keep")
    assert await at_once(reply("\\boxed{8}", answer=gold)) == "refuse wrong_answer"


@pytest.mark.parametrize("gold", [None, "", "  ", "A long solution without an end. " * 20])
async def test_no_gold_is_an_abstention(reply: Reply, gold: str | None) -> None:
    assert await at_once(reply("\\boxed{7}", answer=gold)) == "abstain no_gold"


@pytest.mark.parametrize(
    ("gold", "got", "expected"),
    [
        ('["7", "8"]', "8", "keep string"),
        ('["1/2", "\\\\frac{1}{3}"]', "0.5", "keep number"),
        ('["7", "8"]', "9", "refuse wrong_answer"),
        ('["red", "blue"]', "Blue", "keep string"),
        ('["7", "8"]', "7 or 8", "refuse several_answers"),
        ('["\\\\boxed{7}", "#### 8"]', "8", "keep string"),
        ("[7, 8]", "7", "refuse wrong_answer"),
        ("[]", "7", "refuse wrong_answer"),
    ],
)
async def test_any_of_several_references_will_do(reply: Reply, gold: str, got: str, expected: str) -> None:
    async with MathAnswer().open(Anything()) as judge:  # type: ignore[arg-type]
        (verdict,) = await judge([reply(f"\\boxed{{{got}}}", answer=gold)])
    assert outcome(verdict) == expected
    if got == "9":
        assert verdict.reason == "wrong_answer: got 9, expected 7 or 8"


async def test_a_hostile_answer_is_compared_with_one_reference_only(reply: Reply) -> None:
    calls = []

    class Slow:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            calls.append(argument)
            raise WorkerFault("timeout", "no answer")

    async with MathAnswer().open(type("Tools", (), {"workers": Slow(), "language": "en"})()) as judge:
        (verdict,) = await judge([reply("\\boxed{9^{9^9}}", answer='["x", "y", "z"]')])
    assert (outcome(verdict), len(calls)) == ("abstain verifier_timeout", 1)


async def test_reason_and_evidence_tell_both_answers(judge: Judge, reply: Reply) -> None:
    (verdict,) = await judge(MathAnswer(), [reply("\\boxed{7}", answer="#### 8")])
    assert verdict.reason == "wrong_answer: got 7, expected 8"
    assert verdict.evidence == {"got": "7", "expected": "8", "by": "number"}


def test_math_verify_is_never_imported_in_the_main_process() -> None:
    import subprocess
    import sys

    code = "import sys, datalchemy.eval.math_answer, datalchemy.eval.language; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    ).stdout.split()
    assert not {"math_verify", "sympy", "py3langid", "numpy"} & set(loaded)
    assert "datalchemy.eval.language" in loaded


LATEX = st.lists(
    st.sampled_from(
        ["\\boxed{", "{", "}", "\\{", "\\", "\\frac", "\\text{", "$", "7", "1,234", ".", "/", "=", "%", " or ", "\\pm", "#### ", "e9", "^", "cm", "-",
         "</think>", "<think>", "answer is ", "x", "\n", "\\times10^{", "٣", "²", "½", "\x01", "\x02"]
    )
    | st.text(max_size=4)
).map("".join)  # fmt: skip


@given(LATEX, LATEX)
def test_reading_answers_never_raises(got: str, gold: str) -> None:
    boxes(got)
    marked(got)
    one, other = read(got[:300], letters=True), read(gold[:300])
    assert agree(one, one) or not one.text
    assert isinstance(agree(one, other), bool)
    assert isinstance(objection(one, other), str)
    algebra(one).encode()


@given(LATEX, LATEX, LATEX)
async def test_any_record_gets_a_verdict(text: str, thinking: str, gold: str) -> None:
    records = [
        Record(content=Conversation(messages=(Message(role="assistant", content=text, reasoning=how),)), answer=gold)
        for how in (None, thinking)
    ]
    async with MathAnswer().open(Anything()) as judge:  # type: ignore[arg-type]
        verdicts = await judge(records)
    assert [verdict.by for verdict in verdicts] == ["math_answer"] * 2
    assert all(verdict.keep or ": " in verdict.reason for verdict in verdicts)


@given(st.fractions(max_denominator=10**6), st.booleans())
def test_a_number_is_read_however_it_is_written(value: Fraction, latex: bool) -> None:
    sign, top, below = "-" if value < 0 else "", abs(value.numerator), value.denominator
    written = f"{sign}\\frac{{{top}}}{{{below}}}" if latex else f"{sign}{top:,}/{below}"
    assert read(written).value == value
    assert read(f"$ {written} $.").value == value
    assert same_number(read(written), read(str(value)))
    assert not same_number(read(written), read(str(value + 1)))


@given(st.lists(st.text(alphabet="ab{}\\ ", max_size=6)))
def test_boxes_hold_what_was_put_into_them(contents: list[str]) -> None:
    import re

    balanced = [re.sub(r"[{}\\]", "", content).strip() for content in contents]
    assert boxes(" and ".join(f"\\boxed{{{content}}}" for content in balanced)) == balanced
    nested = [f"\\frac{{{content}}}{{2}}" for content in balanced]
    assert boxes(" and ".join(f"\\boxed{{{content}}}" for content in nested)) == nested


@pytest.mark.parametrize(
    "text", ["\\boxed{" * 20_000, "{" * 100_000, "\\boxed{7}" * 3_000, "1" * 299 + "x", "1+" * 149 + "x", "a " * 150, "7 " + "a-" * 149]
)
async def test_hostile_texts_take_no_time(reply: Reply, text: str) -> None:
    read(text[:2000])
    async with MathAnswer().open(Anything()) as judge:  # type: ignore[arg-type]
        await judge([reply(f"{text} \\boxed{{{text[:280]}}}", answer=text[:280])])
