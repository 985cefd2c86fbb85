"""instructions: eight instructions an answer; texts made to follow or break each type, sets of them, and edge cases."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from datalchemy.core.record import Conversation, Record, assistant, user
from datalchemy.formats.constraints import IDS, Constraint, draw, dump
from gauge import Line, above, plain, rate, scored, verdicts

from ._obeying import breach, witness

PROMPT = "Tell me about mills and rivers."
EDGES: tuple[tuple[str, str, dict[str, object], bool], ...] = (
    ("Dr. Hill, i.e. the vet, lives on St. John's Road. He came at 5 p.m. on Friday.", "length_constraints:number_sentences", {"relation": "at least", "num_sentences": 3}, False),
    ("Dr. Hill, i.e. the vet, lives on St. John's Road. He came at 5 p.m. on Friday.", "length_constraints:number_sentences", {"relation": "at least", "num_sentences": 2}, True),
    ("It costs 3.50 at shop.example.org today.", "length_constraints:number_sentences", {"relation": "less than", "num_sentences": 2}, True),
    ("Well-known facts aren't few", "length_constraints:number_words", {"relation": "at least", "num_words": 6}, True),
    ("Caterpillars crawl.", "keywords:forbidden_words", {"forbidden_words": ["cat"]}, True),
    ("The cat's away.", "keywords:forbidden_words", {"forbidden_words": ["cat"]}, False),
    ("Concatenate it.", "keywords:existence", {"keywords": ["cat"]}, True),
    ("**one** and *two*", "detectable_format:number_highlighted_sections", {"num_highlights": 2}, True),
    ("**Bold start**\n- a\n- b", "detectable_format:number_bullet_lists", {"num_bullets": 2}, True),
    ("1. a\n2. b", "detectable_format:number_bullet_lists", {"num_bullets": 2}, False),
    ("a\n***\nb\n***\nc", "length_constraints:number_paragraphs", {"num_paragraphs": 3}, True),
    ("a\n\nb\n\nc", "length_constraints:number_paragraphs", {"num_paragraphs": 3}, False),
    ("One.\n\n'Mills turn.\n\nThree.", "length_constraints:nth_paragraph_first_word", {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "mills"}, True),
    ("a ****** b ******", "combination:two_responses", {}, True),
    ("```\n{}\n```", "detectable_format:json_format", {}, True),
    ('{"a": 1} // so', "detectable_format:json_format", {}, False),
    ("Any more? Is that all?\"", "startend:end_checker", {"end_phrase": "Is that all?"}, True),
    ("\u201cQuoted\u201d", "startend:quotation", {}, False),
    ("I AM HERE AND I DON'T KNOW WHY.", "change_case:english_capital", {}, True),
    ("my answer to this is short and simple.", "change_case:english_lowercase", {}, True),
)  # fmt: skip


def _record(text: str, asked: list[Constraint], number: int) -> Record:
    turns = (user(PROMPT), assistant(text))
    return Record(content=Conversation(messages=turns), tests=dump(asked), origin=str(number))


def _eight(count: int = 2000) -> list[Record]:
    made = []
    for number in range(count):
        rng = Random(number)
        asked = draw(rng, 8, ids=[name for name in IDS if name != "language:response_language"])
        made.append(_record(f"{witness(asked, rng)} {number}", asked, number))
    return made


def _languages(count: int = 2000) -> list[Record]:
    made = []
    for number in range(count):
        rng = Random(number)
        asked = draw(rng, 1, ids=["language:response_language"])
        made.append(_record(f"{witness(asked, rng)} {number}", asked, number))
    return made


def speed() -> Iterator[Line]:
    yield plain("2,000 answers with up to 8 instructions each", rate({"use": "instructions"}, _eight()))
    yield plain("the same, loose", rate({"use": "instructions", "mode": "loose"}, _eight(), repeat=1))
    yield plain("2,000 answers whose language is told", rate({"use": "instructions"}, _languages(), repeat=1))


def _labelled() -> list[tuple[str, list[Constraint], bool]]:
    """(answer, instructions, whether all are followed)."""
    rows: list[tuple[str, list[Constraint], bool]] = []
    for seed in range(20):
        rng = Random(seed)
        for name in IDS:
            (one,) = draw(rng, 1, ids=[name], prompt=PROMPT)
            rows.append((witness([one], rng), [one], True))
            (one,) = draw(rng, 1, ids=[name], prompt=PROMPT)
            broken = breach(one, rng)
            if one.kwargs.get("capital_relation") == "at least":
                broken = "HO " * (one.kwargs["capital_frequency"] - 1) + "ho"
            rows.append((broken, [one], False))
    return rows + [(text, [Constraint(id=name, kwargs=given)], follows) for text, name, given, follows in EDGES]


def _sets() -> list[tuple[str, list[Constraint], bool]]:
    rows = []
    for seed in range(300):
        rng = Random(seed)
        asked = draw(rng, 6, prompt=PROMPT)
        rows.append((witness(asked, rng), asked, True))
    return rows


def _accuracy(rows: list[tuple[str, list[Constraint], bool]]) -> float:
    records = [_record(text, asked, number) for number, (text, asked, _) in enumerate(rows)]
    found = [verdict.outcome == "refuse" for verdict in verdicts({"use": "instructions", "enforce": False}, records)]
    return scored(found, [not follows for _, _, follows in rows]).accuracy


def accuracy() -> Iterator[Line]:
    rows = _labelled()
    yield above(f"{len(rows):,} answers made to follow or break one instruction", _accuracy(rows), 0.99, "")
    yield above("300 answers made to follow up to 6 drawn together", _accuracy(_sets()), 0.99, "")
