"""The measures of a finished set: in the report, in the manifest, for `accept`, and as seeds for what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.errors import RecipeError
from datalchemy.engine.recipe import Recipe

AXES = {"topic": ["math", "code"], "level": ["easy", "hard"]}


def recipe(kit: Any, **fields: Any) -> Recipe:
    inline = [{"prompt": f"question {i}", "topic": ("math", "code")[i % 2], "level": "easy"} for i in range(12)]
    made: Recipe = kit.recipe(seeds={"inline": inline}, filters=["exact"], **fields)
    return made


def manifest(out: Path) -> Any:
    return json.loads((out / "manifest.json").read_text())


def test_diversity_and_dimensions_are_always_there(kit: Any) -> None:
    result = kit.run(recipe(kit))
    assert result.measures["unique"] == 1.0
    assert 0 < result.measures["distinct_1"] <= 1
    assert manifest(kit.out)["measures"]["overlap_4"] == result.measures["overlap_4"] if "overlap_4" in result.measures else True
    page = (kit.out / "report.html").read_text()
    assert "Six dimensions" in page
    assert "not measured" in page
    assert "Diversity" in page


def test_composition_beside_the_wish(kit: Any) -> None:
    result = kit.run(recipe(kit, measures={"shares": {"topic": {"math": 0.75, "code": 0.25}}}))
    assert result.measures["mix_distance_topic"] == pytest.approx(0.25)
    assert "Composition by topic" in (kit.out / "report.html").read_text()


def test_a_target_with_shares_is_measured_against_them(kit: Any) -> None:
    result = kit.run(recipe(kit, target={"total": 4, "by": "topic", "shares": {"math": 3, "code": 1}}))
    assert result.measures["mix_distance_topic"] == 0


def test_missing_combinations_are_the_next_seeds(kit: Any, tmp_path: Path) -> None:
    result = kit.run(recipe(kit, measures={"combinations": {"axes": AXES}}))
    assert result.measures["coverage_2way"] == 0.5
    rows = [json.loads(line) for line in (kit.out / "missing.jsonl").read_text().splitlines()]
    assert rows == [
        {"prompt": "Write about: topic: math, level: hard.", "topic": "math", "level": "hard"},
        {"prompt": "Write about: topic: code, level: hard.", "topic": "code", "level": "hard"},
    ]
    assert "missing.jsonl" in [entry["path"] for entry in manifest(kit.out)["files"]]
    again = kit.recipe(
        seeds={"path": str(kit.out / "missing.jsonl")},
        out=tmp_path / "again",
        measures={"combinations": {"axes": {"level": ["hard"]}, "t": 1}},
    )
    assert kit.run(again).measures["coverage_1way"] == 1.0
    assert not (tmp_path / "again" / "missing.jsonl").exists()


def test_an_anchors_features(kit: Any, tmp_path: Path) -> None:
    (tmp_path / "anchor.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in ("question 1", "question 1", "one more thing"))
    )
    anchor = {"path": str(tmp_path / "anchor.jsonl"), "least": 1}
    result = kit.run(recipe(kit, measures={"anchor": anchor, "part": "prompt"}))
    assert result.measures["activation_coverage"] == pytest.approx(1 / 3)


def test_spread_and_clusters_by_the_static_encoder(kit: Any, tmp_path: Path) -> None:
    texts = [f"A recipe for soup number {i}" for i in range(5)] + ["Integrate by parts.", "The court ruled."]
    (tmp_path / "anchor.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    anchor = {"path": str(tmp_path / "anchor.jsonl"), "least": 1, "extractor": "clusters", "clusters": 3}
    measured = kit.run(recipe(kit, measures={"anchor": anchor, "embed": True, "part": "prompt"})).measures
    assert 0 < measured["activation_coverage"] <= 1
    assert 1 <= measured["effective_texts"] <= 12
    assert 0 <= measured["near_duplicate_share"] <= 1


def test_accept_names_them(kit: Any) -> None:
    assert kit.run(recipe(kit, accept={"unique": {"min": 1}, "distinct_1": {"min": 1.1}})).status == "accept"


@pytest.mark.parametrize(
    ("measures", "told"),
    [
        ({"combinations": {"axes": AXES, "t": 3}}, "only 2 axes"),
        ({"combinations": {"axes": AXES, "forbidden": [{"tpoic": "math"}]}}, "tpoic"),
        ({"sample": 1}, "sample"),
        ({"anchor": {"path": "x", "extractor": "sae"}}, "extractor"),
    ],
)
def test_what_cannot_be_measured_is_refused(kit: Any, measures: Any, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe(kit, measures=measures)
