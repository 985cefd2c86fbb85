"""The policy block: a recipe that does not do what it says costs nothing; what it says stands with the set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datalchemy.core.errors import RecipeError
from datalchemy.engine.checking import warned
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.fingerprint import fingerprint
from datalchemy.service.cli import cli

PSEUDONYMS = {"use": "redact", "how": "pseudonym", "key_env": "DATALCHEMY_TEST_PSEUDONYMS"}
DONE: dict[str, list[Any]] = {
    "label": [{"use": "privacy", "enforce": False}],
    "refuse": ["privacy"],
    "redact": ["redact"],
    "pseudonym": [PSEUDONYMS],
}


@pytest.mark.parametrize("action", DONE)
def test_what_the_policy_says_of_personal_data_must_be_done(action: str, kit: Any) -> None:
    policy = {"privacy": action}
    kit.recipe(policy=policy, filters=DONE[action])
    kit.recipe(policy=policy, generate=[{"use": "answer", "model": "teacher", "filters": DONE[action]}])
    with pytest.raises(RecipeError, match=f"policy.privacy: `privacy: {action}` needs"):
        kit.recipe(policy=policy)
    with pytest.raises(RecipeError, match="needs"):  # questions that were clean say nothing of the answers
        kit.recipe(policy=policy, seeds={"inline": ["a"], "filters": DONE[action]})
    assert FilterRecipe.build({"policy": policy, "filters": DONE[action]}).policy is not None
    with pytest.raises(RecipeError, match="needs"):
        FilterRecipe.build({"policy": policy, "filters": ["length"]})


def test_one_is_not_done_by_the_other(kit: Any) -> None:
    for action, filters in (
        ("refuse", DONE["label"]),
        ("redact", DONE["pseudonym"]),
        ("pseudonym", DONE["redact"]),
        ("refuse", DONE["redact"]),
    ):
        with pytest.raises(RecipeError, match=r"policy\.privacy"):
            kit.recipe(policy={"privacy": action}, filters=filters)


def test_a_licence_that_is_not_allowed_is_refused_and_an_unknown_one_is_told(kit: Any) -> None:
    policy = {"allowed_licences": ["Apache-2.0", "MIT"]}
    stated = {"teacher": {"licence": "apache-2.0"}, "seeds": {"inline": ["a"], "licence": "MIT"}}
    assert warned(kit.recipe(policy=policy, **_with(kit, stated))) == []
    with pytest.raises(RecipeError, match=r"seeds.licence: the licence CC-BY-NC-4.0 is none that the policy allows: Apache-2.0, MIT"):
        kit.recipe(policy=policy, **_with(kit, {**stated, "seeds": {"inline": ["a"], "licence": "CC-BY-NC-4.0"}}))
    with pytest.raises(RecipeError, match=r"models.teacher.licence: "):
        kit.recipe(policy=policy, **_with(kit, {**stated, "teacher": {"licence": "odd"}}))
    kit.recipe(**_with(kit, {**stated, "teacher": {"licence": "odd"}}))  # a control: without a policy nobody asks
    assert warned(kit.recipe(policy=policy)) == [
        "the licence is unknown: state seeds.licence",
        "the licence is unknown: state models.teacher.licence",
    ]
    assert warned(kit.recipe()) == []


def _with(kit: Any, some: dict[str, Any]) -> dict[str, Any]:
    models = {"teacher": {"use": "scripted", "mode": "digest", **some.get("teacher", {})}}
    return {"models": models, **{key: value for key, value in some.items() if key != "teacher"}}


def test_settings_that_look_at_less_and_silence_are_told(kit: Any) -> None:
    narrowed = [{"use": "privacy", "kinds": ["email"], "max": 3}]
    assert warned(kit.recipe(policy={"privacy": "refuse"}, filters=narrowed)) == [
        "privacy looks at less than it could: kinds is set",
        "privacy looks at less than it could: max is set",
    ]
    (said,) = warned(kit.recipe(policy={"jurisdictions": ["EU", "US-CA"]}))
    assert "says nothing of personal data" in said
    assert warned(kit.recipe(policy={"jurisdictions": ["EU"], "personal_data": "none"})) == []
    with pytest.raises(RecipeError, match="jurisdictions"):
        kit.recipe(policy={"jurisdictions": ["Europe"]})


def test_it_stands_with_the_set_and_changes_no_run(kit: Any) -> None:
    policy = {
        "purpose": "tutors <b>only</b>",
        "jurisdictions": ["EU"],
        "allowed_licences": ["MIT"],
        "privacy": "redact",
        "personal_data": "none",
    }
    recipe = kit.recipe(seeds=3, policy=policy, filters=["redact"], target=2)
    kit.run(recipe)
    manifest = json.loads((kit.out / "manifest.json").read_text())
    assert manifest["policy"] == policy
    card, report = (kit.out / "README.md").read_text(), (kit.out / "report.html").read_text()
    assert (
        "## Policy\n\n- Purpose: tutors <b>only</b>\n- Jurisdictions: EU\n- Licences allowed: MIT\n- Personal data and secrets: replaced by"
        in card
    )
    assert "<h2>Policy</h2>" in report
    assert "<b>only</b>" not in report
    other = kit.recipe(seeds=3, policy={**policy, "purpose": "anything"}, filters=["redact"], target=2)
    assert fingerprint(other) == fingerprint(recipe)
    plain = kit.recipe(seeds=3, out=kit.out.parent / "plain", target=2)
    kit.run(plain)
    assert "## Policy" not in (kit.out.parent / "plain" / "README.md").read_text()


def test_validate_prints_the_warnings(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "name: p\npolicy: {allowed_licences: [MIT]}\nmodels: {teacher: {use: scripted, mode: echo}}\n"
        "seeds: {inline: [a], licence: MIT}\ngenerate: {use: answer, model: teacher}\n"
    )
    told = CliRunner().invoke(cli, ["validate", str(file)])
    assert told.exit_code == 0
    assert "the licence is unknown: state models.teacher.licence" in told.output


def test_what_was_replaced_is_in_no_file_of_the_set(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat T8: the set, the card, the report and the manifest hold nothing of it (the ledger and the store do)."""
    canary = "kk77canary@quillmark.io"
    for filters, kept in ((["redact", "privacy"], True), (["length"], False)):
        out = kit.out.parent / str(kept)
        teacher = {"function": lambda request, seed: f"Write to {canary}."}  # no part of the recipe that the report shows
        output = {"dir": str(out), "formats": ["parquet", "jsonl"]}
        kit.run(kit.recipe(seeds=3, filters=filters, teacher=teacher, output=output))
        files = [file for file in out.rglob("*") if file.is_file() and ".run" not in file.parts]
        held = [file.name for file in files if b"canary" in file.read_bytes()]
        assert (out / "train.jsonl").stat().st_size
        assert bool(held) is not kept, held


@pytest.mark.parametrize("enforce", [True, False])
def test_the_report_shows_no_record_in_which_personal_data_was_found(enforce: bool, kit: Any) -> None:
    teacher = {"function": lambda request, seed: "Write to kk77canary@quillmark.io."}
    for filters, shown in (([{"use": "privacy", "enforce": enforce}], False), ([{"use": "length", "max_paragraph_chars": 1}], True)):
        out = kit.out.parent / str(shown)
        kit.run(kit.recipe(seeds=3, filters=filters, teacher=teacher, out=out))
        for name in ("report.html", "README.md", "manifest.json"):
            assert (b"kk77canary@" in (out / name).read_bytes()) is (shown and name == "report.html")
        assert (b"not shown: it holds personal data" in (out / "report.html").read_bytes()) is not shown
