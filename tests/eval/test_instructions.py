from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from datalchemy.core.errors import WorkerFault
from datalchemy.core.record import Record, Verdict
from datalchemy.eval._instructions import CHECKS, variants
from datalchemy.eval._instructions_worker import followed
from datalchemy.eval._sentences import sentences, shouted, words
from datalchemy.eval.instructions import Instructions
from datalchemy.formats.constraints import IDS, Constraint, draw, dump
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]
Reply = Callable[..., Record]
PROMPT = "Tell me about mills and rivers."


def _texts() -> Any:
    path = Path(__file__).parents[2] / "bench" / "cases" / "_obeying.py"
    spec = importlib.util.spec_from_file_location("obeying", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TEXTS = _texts()


def flaws(text: str, *asked: tuple[str, dict[str, Any]] | Constraint, loose: bool = False) -> list[str]:
    pairs = [(one.id, dict(one.kwargs)) if isinstance(one, Constraint) else one for one in asked]
    (said,) = followed([{"text": text, "asked": pairs, "loose": loose}])
    return said.get("flaws") or [said["unreadable"]]


def follows(text: str, name: str, **given: Any) -> bool:
    return not any(flaws(text, (name, given)))


def test_every_type_has_a_check() -> None:
    assert set(CHECKS) == set(IDS)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 7))
def test_what_is_drawn_together_can_be_followed_together(seed: int, k: int) -> None:
    rng = Random(seed)
    drawn = draw(rng, k, prompt=PROMPT)
    text = TEXTS.witness(drawn, rng)
    assert flaws(text, *drawn) == [""] * len(drawn), (text, drawn)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(IDS), st.integers(0, 2**32))
def test_a_text_that_breaks_a_constraint_is_told_from_one_that_keeps_it(name: str, seed: int) -> None:
    rng = Random(seed)
    (drawn,) = draw(rng, 1, ids=[name], prompt=PROMPT)
    assert flaws(TEXTS.witness([drawn], rng), drawn) == [""]
    broken = TEXTS.breach(drawn, rng)
    if drawn.kwargs.get("capital_relation") == "at least":
        broken = "HO " * (drawn.kwargs["capital_frequency"] - 1) + "ho"
    assert flaws(broken, drawn) != [""], broken


NUMBERS = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Mills"}
EDGES = [
    ("a, b", "punctuation:no_comma", {}, False),
    ("a; b", "punctuation:no_comma", {}, True),
    ("Milling is fun.", "keywords:existence", {"keywords": ["mill"]}, True),
    ("Milling is fun.", "keywords:forbidden_words", {"forbidden_words": ["mill"]}, True),
    ("A MILL, then.", "keywords:forbidden_words", {"forbidden_words": ["mill"]}, False),
    ("旧磨坊立在水边", "keywords:forbidden_words", {"forbidden_words": ["磨坊"]}, False),
    ("C++ (and C)", "keywords:existence", {"keywords": ["c++"]}, True),
    ("Mill mill milling", "keywords:frequency", {"keyword": "mill", "relation": "less than", "frequency": 3}, False),
    ("A man a plan", "keywords:letter_frequency", {"letter": "A", "let_relation": "at least", "let_frequency": 4}, True),
    ("one-two three's", "length_constraints:number_words", {"relation": "less than", "num_words": 4}, False),
    ("Dr. Hill is here. Go!", "length_constraints:number_sentences", {"relation": "less than", "num_sentences": 3}, True),
    ("a\n***\nb\n***", "length_constraints:number_paragraphs", {"num_paragraphs": 2}, True),
    ("a\n***\n\n***\nb", "length_constraints:number_paragraphs", {"num_paragraphs": 2}, False),
    ("One.\n\n\"mills, all of them\"", "length_constraints:nth_paragraph_first_word", NUMBERS, True),
    ("One.\n\nMilling", "length_constraints:nth_paragraph_first_word", NUMBERS, False),
    ("One.\n\n\n\nmills", "length_constraints:nth_paragraph_first_word", NUMBERS, True),
    ("[a] [b [c]]", "detectable_content:number_placeholders", {"num_placeholders": 2}, True),
    ("[a [b", "detectable_content:number_placeholders", {"num_placeholders": 1}, False),
    ("so.\np. s. more", "detectable_content:postscript", {"postscript_marker": "P.S."}, True),
    ("so.\nP. P. S more", "detectable_content:postscript", {"postscript_marker": "P.P.S"}, True),
    ("so.\n(P.S.) more", "detectable_content:postscript", {"postscript_marker": "P.P.S"}, False),
    ("* a\n- b\n  * c\n**d**", "detectable_format:number_bullet_lists", {"num_bullets": 3}, True),
    ("So: My answer is no.", "detectable_format:constrained_response", {}, True),
    ("**a** *b*", "detectable_format:number_highlighted_sections", {"num_highlights": 2}, True),
    ("*** ** *\n*", "detectable_format:number_highlighted_sections", {"num_highlights": 1}, False),
    ("Section1\na\nSection 2", "detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2}, True),
    ("section 1 section 2", "detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2}, False),
    ("```JSON\n[1, 2]\n```", "detectable_format:json_format", {}, True),
    ("[" * 100_000, "detectable_format:json_format", {}, False),
    ("<<<a>>>", "detectable_format:title", {}, True),
    ("<<a\nb>>", "detectable_format:title", {}, False),
    ("a ****** b", "combination:two_responses", {}, True),
    ("******a******b", "combination:two_responses", {}, True),
    ("a ****** a", "combination:two_responses", {}, False),
    ("  what is it? A mill.", "combination:repeat_prompt", {"prompt_to_repeat": "What is it?"}, True),
    ('"So. THE END"', "startend:end_checker", {"end_phrase": "The end"}, True),
    ("The end. Or not", "startend:end_checker", {"end_phrase": "The end"}, False),
    (' "a" ', "startend:quotation", {}, True),
    ('"', "startend:quotation", {}, False),
    ("NASA sent COVID-19 a U.S. flag", "change_case:capital_word_frequency", {"capital_relation": "at least", "capital_frequency": 3}, True),
    ("NASA sent COVID-19 a U.S. flag", "change_case:capital_word_frequency", {"capital_relation": "at least", "capital_frequency": 4}, False),
    ("IT IS 3 O'CLOCK IN THE MORNING.", "change_case:english_capital", {}, True),
    ("DREI UHR MORGENS UND NIEMAND HAT GESCHLAFEN.", "change_case:english_capital", {}, False),
    ("123", "change_case:english_capital", {}, False),
    ("it is three in the morning.", "change_case:english_lowercase", {}, True),
    ("12 + 34 = 46", "language:response_language", {"language": "de"}, True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "kwargs", "expected"), EDGES)
def test_edges_of_what_each_type_means(text: str, name: str, kwargs: dict[str, Any], expected: bool) -> None:
    assert follows(text, name, **kwargs) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("...", 0),
        ("no end", 1),
        ("One. Two! Three? Four", 4),
        ("hello there. how are you? fine", 3),
        ("Dr. Smith met Mrs. Hill at 5 p.m. on Monday. They talked.", 2),
        ("No. It costs 3.50, e.g. here.", 2),
        ("See fig. 3. It shows no. 7.", 2),
        ("J. K. Rowling and the U.S. army came. Then... nothing.", 2),
        ('"Stop!" he said. "Why?" she asked.', 4),
        ("1. Do this.\n2. Do that.", 2),
        ("First line\nsecond line", 1),
        ("你好。再见！真的吗？", 3),
        ("Really?! Yes.", 2),
        ("A list: .. one .. Two", 1),
        ("He waited ... Then he left.", 1),
        ("Visit a.example.com now. Go.", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@given(st.text(alphabet=st.sampled_from("aB.!?… \n\"'1。)")))
def test_no_sentence_is_lost(text: str) -> None:
    joined = "".join("".join(sentences(text)).split())
    assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum()]


def test_words_and_capitals() -> None:
    assert words("one-two, three's 4") == 5
    assert shouted("A U.S. DON'T co-OP I x") == 4


def test_loose_takes_eight_variants() -> None:
    assert variants("a*\nb\nc") == ["a*\nb\nc", "b\nc", "a*\nb", "b", "a\nb\nc", "a\nb"]
    asked = ("startend:end_checker", {"end_phrase": "the end"})
    assert flaws("Sure!\nThe end\nBye", asked) != [""]
    assert flaws("Sure!\nThe end\nBye", asked, loose=True) == [""]
    assert flaws("**The end**", asked, loose=True) == [""]
    assert flaws("Sure, hi!\nno comma", ("punctuation:no_comma", {}), loose=True) == [""]
    assert flaws("a\nb, c\nd", ("punctuation:no_comma", {}), loose=True) != [""]


def row(*asked: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"fields": {"instruction_id_list": [name for name, _ in asked], "kwargs": [given for _, given in asked], **fields}}


async def said(judge: Judge, record: Record, **settings: Any) -> str:
    (verdict,) = await judge(Instructions(**settings), [record])
    return f"{verdict.outcome} {verdict.score} {verdict.reason.partition(':')[0]}".rstrip()


TWO = (("punctuation:no_comma", {"num_words": None}), ("length_constraints:number_words", {"relation": "at least", "num_words": 3.0}))


async def test_rows_of_ifeval_are_read_from_the_records_columns(judge: Judge, reply: Reply) -> None:
    assert await said(judge, reply("one two three", **row(*TWO))) == "keep 1.0"
    assert await said(judge, reply("one, two", **row(*TWO))) == "refuse 0.0 not_followed"
    assert await said(judge, reply("one, two, three", **row(*TWO))) == "refuse 0.5 not_followed"
    assert await said(judge, reply("one, two, three", **row(*TWO)), require="any") == "keep 0.5"
    assert await said(judge, reply("one, two, three", **row(*TWO)), require="share") == "keep 0.5"
    assert await said(judge, reply("one, two, three", **row(*TWO)), require="share", min_share=0.6) == "refuse 0.5 not_followed"
    assert await said(judge, reply("Well, so\none two three", **row(*TWO))) == "refuse 0.5 not_followed"
    assert await said(judge, reply("Well, so\none two three", **row(*TWO)), mode="loose") == "keep 1.0"


async def test_the_reason_names_what_was_found(judge: Judge, reply: Reply) -> None:
    (verdict,) = await judge(Instructions(), [reply("one, two", **row(*TWO))])
    assert verdict.reason == "not_followed: 2 of 2: punctuation:no_comma (holds a comma); " + (
        "length_constraints:number_words (2 words, at least 3 wanted)"
    )


async def test_they_are_read_from_tests_and_from_the_recipe(judge: Judge, reply: Reply) -> None:
    drawn = [Constraint(id="punctuation:no_comma"), Constraint(id="startend:quotation")]
    assert await said(judge, reply('"a"', tests=dump(drawn))) == "keep 1.0"
    assert await said(judge, reply("a", tests=dump(drawn))) == "refuse 0.5 not_followed"
    assert await said(judge, reply("a", tests="[[1, 2]]")) == "abstain None no_instructions"
    assert await said(judge, reply("a", tests="assert x"), constraints=drawn) == "refuse 0.5 not_followed"
    both = {"tests": dump(drawn[:1])}
    assert await said(judge, reply('"a, b"', **both), constraints=drawn[1:]) == "refuse 0.5 not_followed"


async def test_only_what_follows_the_thinking_counts(judge: Judge, reply: Reply) -> None:
    assert await said(judge, reply("a b c", reasoning="well, so", **row(*TWO))) == "keep 1.0"
    assert await said(judge, reply("<think>well, so</think>\n\na b c", **row(*TWO))) == "keep 1.0"
    assert await said(judge, reply("<think>well so it is", **row(*TWO))) == "refuse 0.0 empty_answer"
    assert await said(judge, reply("  ", **row(*TWO))) == "refuse 0.0 empty_answer"


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ([("no_such:type", {})], "unknown_instruction"),
        ([("length_constraints:number_words", {})], "bad_instruction"),
        ([("length_constraints:number_words", {"relation": "about", "num_words": 3})], "bad_instruction"),
        ([("length_constraints:number_words", {"relation": "at least", "num_words": "3"})], "bad_instruction"),
        ([("length_constraints:number_words", {"relation": "at least", "num_words": True})], "bad_instruction"),
        (
            [("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"})],
            "bad_instruction",
        ),
        ([("keywords:existence", {"keywords": [1]})], "bad_instruction"),
        ([("keywords:letter_frequency", {"letter": "ab", "let_relation": "at least", "let_frequency": 1})], "bad_instruction"),
        ([("language:response_language", {"language": "klingon"})], "bad_instruction"),
        ([("punctuation:no_comma", [])], "keep"),
        ([("punctuation:no_comma", "[")], "bad_instruction"),
        ([("keywords:existence", {"keywords": ["\ud800"]})], "check_failed"),
        ([("keywords:existence", {"keywords": [10**30]})], "check_failed"),
        ([], "no_instructions"),
    ],
)
async def test_unusable_parameters_are_an_abstention(judge: Judge, reply: Reply, asked: list[Any], word: str) -> None:
    good = reply("one two three", **row(*TWO))
    bad, other = await judge(Instructions(), [reply("a", **row(*asked)), good])
    assert (bad.reason.partition(":")[0] or bad.outcome) == word
    assert bad.outcome == ("keep" if word == "keep" else "abstain")
    assert other.keep


@pytest.mark.parametrize(
    "fields",
    [
        {"instruction_id_list": 3},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}, {}]},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": {"a": 1}},
        {"instruction_id_list": [["a"]], "kwargs": [{}]},
    ],
)
async def test_columns_of_another_shape_are_an_abstention(judge: Judge, reply: Reply, fields: dict[str, Any]) -> None:
    assert await said(judge, reply("a", fields=fields)) == "abstain None bad_instruction"


async def test_columns_may_be_json_text(judge: Judge, reply: Reply) -> None:
    fields = {"instruction_id_list": '["punctuation:no_comma", "startend:quotation"]', "kwargs": '[null, "{}"]'}
    assert await said(judge, reply('"a"', fields=fields)) == "keep 1.0"


def test_a_recipe_with_an_unknown_or_unusable_instruction_is_refused() -> None:
    with pytest.raises(ValidationError, match="no_comma"):
        Instructions.model_validate({"constraints": [{"id": "punctuation:no_coma"}]})
    with pytest.raises(ValidationError, match="num_words must be a whole number"):
        Instructions.model_validate({"constraints": [{"id": "length_constraints:number_words", "kwargs": {"relation": "at least"}}]})


async def test_a_worker_that_fails_is_an_abstention_of_that_record_alone(reply: Reply) -> None:
    class Breaks:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            if any("boom" in one["text"] for one in argument):
                raise WorkerFault("timeout", "still at it")
            return [{"flaws": [""]} for _ in argument]

    tools = type("Tools", (), {"workers": Breaks()})()
    records = [reply(text, **row(TWO[0])) for text in ("a", "boom", "c")]
    async with Instructions().open(tools) as judge:
        verdicts: list[Verdict] = list(await judge(records))
    assert [verdict.outcome for verdict in verdicts] == ["keep", "abstain", "keep"]


HOSTILE = [
    "[" * 300_000,
    "<<" * 200_000,
    "\n" * 500_000 + "a",
    "*" * 400_000,
    "a." * 200_000,
    "P." * 200_000,
    "\ud800 a",
    "(\"'" * 200_000 + ".",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_large_and_odd_texts_are_judged_in_time(judge: Judge, reply: Reply, text: str) -> None:
    drawn = [draw(Random(1), 1, ids=[name], prompt=PROMPT)[0] for name in IDS]
    (verdict,) = await judge(Instructions(constraints=drawn, mode="loose"), [reply(text)])
    assert verdict.outcome == "refuse"
    assert verdict.score is not None
