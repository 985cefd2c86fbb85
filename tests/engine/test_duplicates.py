"""Filters against duplicates within runs: seed order, resuming, a prompt that was asked before, the best of a group, the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.backend import Request
from datalchemy.core.errors import RecipeError

FRUIT = ["apples", "pears", "plums", "grapes", "cherries", "figs", "dates", "limes", "quinces", "melons"]
QUESTIONS = [f"How many {fruit} fit into the big basket that stands behind the old kitchen door" for fruit in FRUIT]
PROMPTS = {"use": "near_duplicates", "by": "prompt", "similarity": 0.75, "index": "asked"}


def test_a_prompt_that_was_asked_before_is_not_paid_for_again(kit: Any, tmp_path: Path) -> None:
    """The control is the first run, which pays for all."""
    seeds = {"inline": [f"{n} is the number of my house, and what is {n} times three plus the number of cats in it" for n in range(6)]}
    first = kit.recipe(seeds={**seeds, "filters": [{"use": "exact", "by": "prompt", "index": "asked"}]}, out=tmp_path / "first")
    assert kit.run(first).accepted == 6
    assert sum(kit.calls(first).values()) == 6
    more = {"inline": ["a question of its own", *seeds["inline"]], "filters": [{"use": "exact", "by": "prompt", "index": "asked"}]}
    second = kit.recipe(seeds=more, out=tmp_path / "second", name="another")
    result = kit.run(second)
    assert result.accepted == 1
    assert sum(kit.calls(second).values()) == 1
    refused = kit.rows("refused", tmp_path / "second")
    assert {row.reason.partition(":")[0] for row in refused} == {"duplicate"}


@pytest.mark.parametrize("filter", ["exact", "near_duplicates", "semantic_duplicates"])
def test_a_run_that_goes_on_does_not_meet_itself(kit: Any, filter: str) -> None:
    seeds = {"inline": QUESTIONS}
    filters = [{"use": filter, "index": "mine", **({"similarity": 0.995} if filter == "semantic_duplicates" else {})}]
    assert kit.run(kit.recipe(seeds=seeds, target=4, filters=filters)).accepted == 4
    assert kit.run(kit.recipe(seeds=seeds, target=8, filters=filters)).accepted >= 4
    before = [row["id"] for row in kit.dataset()]
    again = kit.run(kit.recipe(seeds=seeds, target=8, filters=filters), resume="never")
    assert [row["id"] for row in kit.dataset()] == before
    assert again.accepted == len(before)


def test_the_same_data_at_any_concurrency(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for width in (1, 16):
        monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / f"home{width}"))
        out = tmp_path / f"out{width}"
        recipe = kit.recipe(
            seeds={"inline": [question + mark for mark in ("?", " now?", " today?") for question in QUESTIONS]},
            out=out,
            teacher={"mode": "echo", "max_in_flight": width},
            filters=[{"use": "near_duplicates", "by": "prompt", "index": "mine"}, {"use": "semantic_duplicates", "similarity": 0.98}],
        )
        kit.run(recipe)
        seen.append([row["messages"][0]["content"] for row in kit.dataset(out)])
    assert seen[0] == seen[1]
    assert 1 <= len(seen[0]) < 30


def longer_later(request: Request, seed: int | None) -> str:
    """Answers to the same question, longer for some of its forms."""
    text = str(request.messages[-1]["content"])
    return "It is seven. " + "Indeed. " * text.count("!")


def test_the_best_of_a_group_is_chosen_from_the_finished_set(kit: Any) -> None:
    seeds = {"inline": [QUESTIONS[0] + mark for mark in ("?", "!", "!!!", "!!")] + ["Who painted the ceiling?"]}
    best = {"use": "best_of_duplicates", "by": "prompt", "best": "length"}
    recipe = kit.recipe(seeds=seeds, teacher={"function": longer_later}, filters=["length", best])
    assert kit.run(recipe).accepted == 2
    assert [row["messages"][0]["content"] for row in kit.dataset()] == [seeds["inline"][2], seeds["inline"][4]]
    by_all = {**best, "by": "all", "similarity": 0.3}
    kit.run(kit.recipe(seeds=seeds, teacher={"function": longer_later}, filters=["length", by_all]))
    assert kit.dataset()[0]["messages"][0]["content"] == seeds["inline"][2]


def test_an_index_of_other_settings_stops_the_run_before_a_call(kit: Any, tmp_path: Path) -> None:
    kit.run(kit.recipe(seeds={"inline": QUESTIONS, "filters": [PROMPTS]}, out=tmp_path / "first"))
    other = kit.recipe(seeds={"inline": QUESTIONS, "filters": [{**PROMPTS, "n": 5}]}, out=tmp_path / "second")
    with pytest.raises(RecipeError, match="other settings"):
        kit.run(other)
    assert not kit.calls(other)


def test_the_encoder_that_ships_stands_in_for_one_that_is_not_named(kit: Any) -> None:
    recipe = kit.recipe(filters=["semantic_duplicates"])
    assert recipe.models["encoder"].part_name() == "static"
    own = kit.recipe(filters=[{"use": "semantic_duplicates", "encoder": "teacher", "similarity": 0.99}])
    assert "encoder" not in own.models
    assert kit.run(recipe).status == "complete"
