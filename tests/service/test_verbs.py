"""The verbs beside `run`: what they print, and that it is true."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from datalchemy.core.frozen import Frozen
from datalchemy.core.plug import names
from datalchemy.engine.reading import read
from datalchemy.engine.recipe import Recipe
from datalchemy.service import checkup
from datalchemy.service.catalogue import FOLDERS, kind, loaded, recipe_schema, settings
from datalchemy.service.cli import cli

TRIAL = """\
name: trial
models:
  teacher: {use: scripted, script: [{match: poison, fault: rejected}, {match: "", reply: "\\e[31mfour\\e]0;owned\\a"}]}
seeds: {inline: [one, poison, two]}
generate: [{use: answer, model: teacher}]
filters: [{use: think_format}]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, words, prog_name="datalchemy")
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def run() -> dict[str, str]:
    """A run with one failed and two refused records; ids by status."""
    Path("trial.yaml").write_text(TRIAL)
    call("run", "trial.yaml", "--quiet", code=3)
    rows = sqlite3.connect("out/trial/.run/ledger.db").execute("SELECT status, id FROM candidates").fetchall()
    return dict(rows)


def test_validate_outlines_the_run_and_spends_nothing(home: Path) -> None:
    Path("trial.yaml").write_text(TRIAL)
    told = call("validate", "trial.yaml", "--target", "2", "--set", "budget.tokens=1e6").stdout
    for line in ("the first: one", "stage 1        answer", "filters        think_format", "2 accepted", "1,000,000 tokens"):
        assert line in told
    assert not (home / "home").exists()
    assert not Path("out").exists()


def test_validate_reads_the_first_seed() -> None:
    Path("trial.yaml").write_text(TRIAL.replace("inline: [one, poison, two]", "path: problems.jsonl, fields: {prompt: questions}"))
    assert "no file" in call("validate", "trial.yaml", code=2).stderr
    Path("problems.jsonl").write_text('{"question": "one"}\n')
    assert "question" in call("validate", "trial.yaml", code=2).stderr


def test_explain_tells_the_story_of_a_refused_record(run: dict[str, str]) -> None:
    told = call("explain", "out/trial", run["refused"][:12]).stdout
    assert told.startswith(f"{run['refused']}  refused by think_format: ")
    for line in (
        "step 1: answer",
        "model     scripted",
        "seed      ",
        "tokens    ",
        "responses ",
        "think_format refuse",
        "[user]",
        "[response ",
    ):
        assert line in told
    assert "four" in told
    assert "owned" not in told
    assert "\x1b" not in told


def test_explain_tells_why_a_record_failed(run: dict[str, str]) -> None:
    told = call("explain", "out/trial", run["failed"]).stdout
    assert "failed (Rejected): " in told
    assert "[message]" in told


def test_explain_without_the_store_says_so(run: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", "elsewhere")
    assert "is not in this machine's response store" in call("explain", "out/trial", run["refused"]).stdout
    assert not Path("elsewhere").exists()


def test_explain_of_what_is_not_there_is_an_error(run: dict[str, str]) -> None:
    assert "no candidate" in call("explain", "out/trial", "0" * 16, code=2).stderr
    assert "there is no run in" in call("explain", "nowhere", "ab", code=2).stderr


def test_store_tells_prunes_and_exports(run: dict[str, str]) -> None:
    found = json.loads(call("store", "stats", "--json").stdout)
    assert found["responses"] == 2
    assert "2 responses" in call("store", "stats").stdout
    lines = call("store", "export").stdout.splitlines()
    assert {json.loads(line)["reply"]["text"] for line in lines} == {"\x1b[31mfour\x1b]0;owned\x07"}
    call("store", "export", "--to", "all.jsonl")
    assert Path("all.jsonl").read_text().splitlines() == lines
    assert "0 responses deleted" in call("store", "prune", "--unused-days", "30").stdout


def test_recipes_lists_what_ships_with_what_it_is_for() -> None:
    told = call("recipes").stdout.splitlines()
    assert [line.split()[0] for line in told] == Recipe.shipped()
    assert all(len(line.split()) > 4 for line in told)


@pytest.mark.parametrize("source", Recipe.shipped())
def test_init_writes_a_recipe_that_stands_by_itself(source: str) -> None:
    told = call("init", "mine", "--from", source).stdout
    assert "datalchemy validate mine.yaml" in told
    text = Path("mine.yaml").read_text()
    assert text.count("#") > 5
    recipe = Recipe.load("mine.yaml")
    assert (recipe.name, str(recipe.out)) == ("mine", "out/mine")
    if recipe.seeds is not None:
        assert next(recipe.seeds.records(recipe.base)).prompt
    call("validate", "mine.yaml")
    assert "there already" in call("init", "mine", code=2).stderr


@pytest.mark.parametrize("name", Recipe.shipped())
def test_a_shipped_recipe_holds_together_and_explains_its_numbers(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.task
    assert str(recipe.out) == f"out/{name}"
    if recipe.seeds is not None:
        assert next(recipe.seeds.records(recipe.base)).prompt


def test_parts_lists_every_part_with_a_line() -> None:
    told = call("parts").stdout
    for folder, _ in FOLDERS.values():
        for name in names(folder):
            line = next(line for line in told.splitlines() if line.split()[:1] == [name])
            assert len(line.split()) > 3


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_part_and_each_of_its_settings_is_described(folder: str) -> None:
    for name, part in loaded(folder).items():
        told = call("parts", name).stdout
        for setting in settings(part):
            assert f"  {setting.name}: {setting.kind} (" in told
        assert json.loads(call("parts", name, "--json-schema").stdout)["type"] == "object"


def test_the_schema_of_a_recipe_knows_every_part_and_setting() -> None:
    schema = recipe_schema()
    assert json.loads(call("parts", "--json-schema").stdout) == schema
    for folder, (home, _) in FOLDERS.items():
        for name, part in loaded(folder).items():
            defined = schema["$defs"][f"{home}.{name}" if home != "generators" else f"{home}.{name}.stage"]
            written = {name for name, field in part.model_fields.items() if not field.exclude}
            assert {*written, "use"} <= set(defined["properties"])
            assert defined["additionalProperties"] is False
    missing = {ref for ref in _references(schema) if ref.removeprefix("#/$defs/") not in schema["$defs"]}
    assert not missing


def _references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(value) for value in node)) if isinstance(node, list) else set()


def test_types_are_told_in_plain_words() -> None:
    class Shown(Frozen):
        """For this test."""

        text: str
        many: tuple[int, ...] | None = None
        choice: bool | None = None

    assert [(s.name, s.kind, s.default) for s in settings(Shown)] == [
        ("text", "text", None),
        ("many", "list of whole number", "none"),
        ("choice", "true or false", "none"),
    ]
    assert kind(dict[str, float]) == "mapping to number"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_prompts_prints_wordings(language: str) -> None:
    assert "cot.solve" in call("prompts", "--language", language).stdout
    assert "{{ problem }}" in call("prompts", "cot.solve", "--language", language).stdout


def test_models_probes() -> None:
    told = call("models", "http://127.0.0.1:9/v1#none", code=5).stdout
    assert told.startswith("reachable     no: ")


def test_doctor_says_what_to_do(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(checkup, "_ember", lambda: checkup.Check("ok", "ember", "left out here"))
    told = call("doctor").stdout
    assert all(f"  {what}" in told for what in ("python", "cores", "memory", "clock", "disk", "store", "uvloop", "sandbox", "ember"))
    blocked = home / "file"
    blocked.write_text("")
    monkeypatch.setenv("DATALCHEMY_HOME", str(blocked / "home"))
    failed = call("doctor", code=1).stdout
    assert "fail  store" in failed
    assert "set DATALCHEMY_HOME to a folder that you may write to" in failed
    assert {check["status"] for check in json.loads(call("doctor", "--json", code=1).stdout)} >= {"ok", "fail"}


def test_the_embedded_model_answers_the_doctor() -> None:
    assert checkup._ember().status == "ok"


def test_recipe_files_are_read_with_the_guard_everywhere() -> None:
    for name in Recipe.shipped():
        assert read((Path(Recipe.find(name))).read_text()).data["name"] == name


def test_preview_shows_records_and_projects_the_run(run: dict[str, str]) -> None:
    Path("easy.yaml").write_text(
        TRIAL.replace("filters: [{use: think_format}]\n", "").replace("inline: [one, poison, two]", "inline: [a, b, c, d]")
    )
    told = call("preview", "easy.yaml", "-n", "2", "--set", "models.teacher.price={input: 1, output: 1}").stdout
    assert "1 of 2" in told
    assert "2 of 2" in told
    assert "four" in told
    assert "owned" not in told
    assert "2 accepted, 0 refused, 0 failed" in told
    assert "1,000 seeds take about" in told
    assert "  calls   1,000" in told
    assert "$" in told
    again = call("preview", "easy.yaml", "-n", "2", "--target", "50").stdout
    assert "50 accepted records take about" in again
    assert "all answers came from the response store" in again
    assert not Path("out/easy").exists()


def test_preview_of_a_recipe_that_accepts_nothing_shows_what_was_refused(run: dict[str, str]) -> None:
    told = call("preview", "trial.yaml").stdout
    assert "refused by think_format: " in told
    assert "nothing to project from" in told


def test_a_preview_never_uses_up_the_seeds_of_a_hopeless_recipe() -> None:
    many = ", ".join(f"seed{n}" for n in range(500))
    Path("trial.yaml").write_text(TRIAL.replace("one, poison, two", many))
    call("preview", "trial.yaml", "-n", "1")
    assert json.loads(call("store", "stats", "--json").stdout)["responses"] <= 10
