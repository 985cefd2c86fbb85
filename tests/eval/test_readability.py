from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from datalchemy.core.record import Conversation, Message, Record
from datalchemy.eval.readability import RULES, Readability
from hypothesis import given
from hypothesis import strategies as st

PROSE = "The two of them counted the apples that were left in the basket, and they found that seven had to be shared with the neighbours.\n"
BROKEN = {
    "short_words": "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "long_words": "internationalization incomprehensibility institutionalization " * 8,
    "few_words": "total 12 + 3 = 15 - 4 = 11 * 2 = 22 / 2 = 11 + 5 = 16 - 9 = 7 and " * 2,
    "capitals": "THE ANSWER TO THE QUESTION IS SEVEN AND NOT EIGHT BECAUSE THE SUM OF THE TWO NUMBERS THAT ARE GIVEN IS SEVEN OK",
    "symbols": "we #like #apples and #pears #but #not #plums when #they are #sour or #small or #old and #dry and #brown inside",
    "bullets": "\n".join(f"- apples and pears number {i} are in the basket" for i in range(6)),
    "ellipses": "we read on ...\n" * 4 + "and then there was the end of the story that nobody had wanted to hear that day",
    "few_letters": "we have || == || ---- //// |||| ==== ---- //// |||| ==== and !!!! ???? |||| ---- //// ==== |||| so on and on as it is",
}


def said(text: str, **settings: object) -> tuple[str, float | None]:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text),)))
    verdict = Readability.model_validate(settings).check(record)
    return verdict.reason.partition(":")[0] or verdict.outcome, verdict.score


@pytest.mark.parametrize(("rule", "text"), BROKEN.items())
def test_each_rule_finds_what_it_is_for(rule: str, text: str) -> None:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text),)))
    verdict = Readability().check(record)
    assert rule in verdict.evidence["rules"]
    assert verdict.score is not None
    assert verdict.score <= 1 - 1 / RULES


def test_worked_problems_are_kept() -> None:
    path = Path(__file__).parents[2] / "recipes" / "data" / "word-problems.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    refused = [row["question"] for row in rows if said(row["question"] * 2)[0] != "keep"]
    assert not refused


@pytest.mark.parametrize(
    "text",
    [
        PROSE * 3,
        "首先我们计算总和，然后除以三，所以答案是七。再检查一遍：三乘以七等于二十一，正好等于总和，因此没有错误。",
        "Wir zählen zuerst die Äpfel im Korb und teilen sie danach durch die Zahl der Kinder, damit jedes Kind gleich viele bekommt und keiner streitet.",
        "Here is the program that you asked for, with a word on each step:\n```python\n" + "x = {1: [2, 3]} # ###\n" * 30 + "```\n" + PROSE,
        "We use $\\frac{a}{b} = \\frac{c}{d}$ and \\(x^2 + y^2 = z^2\\) throughout. " + PROSE,
        "# Title\n\n## Part\n\n" + PROSE + "- one\n- two\n\n" + PROSE,
        "7",
        "x = 3 + 4 = 7",
        "",
    ],
)
def test_readable_texts_are_kept(text: str) -> None:
    assert said(text)[0] == "keep"


def test_rules_of_web_pages_are_there_to_be_asked_for() -> None:
    assert said("pears apples plums " * 10, min_stop_words=2)[0] == "no_stop_words"
    assert said(PROSE * 2, min_stop_words=2)[0] == "keep"
    assert said("one line without an end\n" * 6, min_ended=0.5)[0] == "unended_lines"


def test_both_parts_are_read(reply: Callable[..., Record]) -> None:
    assert Readability().check(reply("7", reasoning=BROKEN["capitals"])).evidence["part"] == "reasoning"


@given(st.text() | st.lists(st.sampled_from([*BROKEN.values(), PROSE, "#", "…", "\n", " "])).map("".join))
def test_any_text_gets_a_verdict(text: str) -> None:
    word, score = said(text, min_words=1)
    assert word == "keep" or word in (*BROKEN, "unended_lines", "no_stop_words")
    assert score is None or 0 <= score <= 1


@pytest.mark.parametrize("piece", ["#", "...", "- ", "a ", "\n", "1", "=1", "`", "\ud800", ". . ."])
def test_hostile_texts_end(piece: str) -> None:
    said(piece * (300_000 // len(piece)))
