"""The corpus: the same for the same seed, disjoint from what is held out, and exact."""

import itertools
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest
from datalchemy.ember.corpus import (
    COT_SUFFIX,
    KINDS,
    TOPICS,
    conversations,
    digest,
    held_out,
    held_out_problems,
    problem,
    topic_of,
    truth,
)
from datalchemy.ember.problems.catalog import STORIES
from datalchemy.ember.problems.compose import compose
from datalchemy.ember.problems_file import write
from datalchemy.ember.scenes import SCENES
from hypothesis import given, settings
from hypothesis import strategies as st


def test_same_seed_gives_the_same_corpus() -> None:
    assert list(conversations(5, 200)) == list(conversations(5, 200))
    assert digest(5, 200) == digest(5, 200) != digest(6, 200)


def test_a_longer_corpus_begins_with_the_shorter() -> None:
    assert list(itertools.islice(conversations(5, 500), 50)) == list(conversations(5, 50))


def test_held_out_questions_never_occur_in_training() -> None:
    kept = {item.question for item in held_out_problems(3, 60)}
    asked = {turn.text for talk in conversations(1, 3000) for turn in talk if turn.role == "user"}
    assert len(kept) == 60
    assert all(held_out(question) for question in kept)
    assert not kept & asked
    assert not any(held_out(question) for question in asked if truth(question) is not None)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**40))
def test_truth_agrees_with_the_generator(seed: int) -> None:
    made = problem(Random(seed))
    assert truth(made.question) == made.answer


@pytest.mark.parametrize("index", range(len(STORIES)))
def test_truth_agrees_with_every_story(index: int) -> None:
    rng = Random(index)
    for _ in range(40):
        made = compose(STORIES[index], rng)
        assert truth(made.question) == made.answer, made.question


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_truth_of_garbage_is_none(text: str) -> None:
    assert truth(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "How many apples does Tom have now?",
        "Tom has 5 apples. He loses 9 of them. How many apples does Tom have now?",
        "Tom has 5 apples. He puts them equally into 2 boxes. How many apples are in each box?",
        "Tom has 5 apples. How many pears does Tom have now?",
        "Tom has 5 apples. How many apples does Mia have now?",
        "Tom has 5 apples. How many apples does Tom have now? And why?",
        "Tom has 5 apples. She loses 2 of them. How many apples does Tom have now?",
        "A car goes 60 km per hour for 2 days. How many km is that in all?",
    ],
)
def test_what_is_no_well_formed_problem_has_no_truth(text: str) -> None:
    assert truth(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Tom has 50 apples. He loses 9 of them. How many apples does Tom have now?", "41"),
        ("Tom has fifty apples. How many apples does Tom have now?", None),
        ("Tom has some apples. He loses 9 of them. How many apples does Tom have now?", r"\text{unknown}"),
        ("Tom has 50 apples. Mia is 9 years old. How many apples does Tom have now?", "50"),
        ("A cap costs 2.5 euros. Mia gets 3 caps. How much does Mia pay in all?", "7.5"),
        ("A baker has 20 rolls to pack into boxes of 6. How many rolls are left over?", "2"),
    ],
)
def test_truth_of_known_problems(text: str, answer: str | None) -> None:
    assert truth(text) == answer


def test_the_shipped_problems_are_held_out_and_exact() -> None:
    path = Path(str(files("datalchemy.recipes"))) / "data" / "word-problems.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({row["question"] for row in rows}) == 600
    assert all(held_out(row["question"]) and truth(row["question"]) == row["answer"] for row in rows)


def test_the_problems_file_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(20, tmp_path / name, 4)
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()


def test_the_corpus_needs_no_torch() -> None:
    code = "import sys, datalchemy.ember.corpus; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_corpus_is_as_wide_as_it_claims() -> None:
    made = [problem(Random(seed)) for seed in range(3000)]
    assert len(KINDS) >= 14 and {item.kind for item in made} == set(KINDS)
    assert {item.topic for item in made} == set(TOPICS)
    assert {item.steps for item in made} == {1, 2, 3, 4, 5}
    assert 0.02 < sum("unknown" in item.answer for item in made) / len(made) < 0.12


def test_a_topic_steers_the_problem() -> None:
    for topic in TOPICS:
        made = problem(Random(1), topic)
        assert made.topic == topic == topic_of(made.question)


def test_the_wording_of_the_prompt_is_read_but_not_learnt() -> None:
    talks = list(conversations(2, 3000))
    muted = [talk for talk in talks if any(turn.muted for turn in talk)]
    assert 0.28 < len(muted) / len(talks) < 0.4
    assert all(turn.muted in ("", f"\n\n{COT_SUFFIX}") for talk in talks for turn in talk)
    assert not any(COT_SUFFIX in turn.text for talk in talks for turn in talk)


def test_shares_of_the_scenes_add_up() -> None:
    assert abs(sum(scene.share for scene in SCENES) - 1) < 1e-9
