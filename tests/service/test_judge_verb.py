"""`datalchemy judge`: a JSON line a record on stdout, whatever the verdicts; a summary on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.service.cli import cli


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    rows = [{"id": i, "prompt": f"1 + {i}?", "response": f"\\boxed{{{i + i % 2}}}", "answer": str(i + 1)} for i in range(1, 5)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
    return tmp_path


def call(*words: str, code: int = 0, **options: Any) -> Result:
    done = CliRunner().invoke(cli, ["judge", *words], prog_name="datalchemy", **options)
    assert done.exit_code == code, done.output
    return done


def told(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_a_record_and_a_summary() -> None:
    done = call("rows.jsonl", "--filters", "math_answer")
    found = told(done)
    assert [(line["id"], line["keep"], line["filter"], line["score"]) for line in found] == [
        ("1", True, None, 1.0), ("2", False, "math_answer", 0.0), ("3", True, None, 1.0), ("4", False, "math_answer", 0.0), ("row 5", False, None, None),
    ]  # fmt: skip
    assert set(found[0]) == {"id", "keep", "filter", "score", "reason"}
    assert found[4]["reason"].startswith("bad_row: rows.jsonl:5: not valid JSON")
    assert "5 records: 2 kept, 3 refused" in done.stderr
    assert "math_answer: wrong_answer" in done.stderr


def test_json_holds_every_verdict_and_no_summary() -> None:
    done = call("rows.jsonl", "--filters", "math_answer,exact", "--json")
    assert [verdict["by"] for verdict in told(done)[0]["verdicts"]] == ["math_answer", "exact"]
    assert done.stderr == ""


def test_a_recipe_file_with_only_filters_and_its_fields(here: Path) -> None:
    (here / "gate.yaml").write_text("filters: [math_answer]\nfields: {prompt: q, response: a, answer: gold}\n")
    (here / "other.jsonl").write_text(json.dumps({"q": "1 + 6?", "a": "7 or 8", "gold": "7"}) + "\n")
    assert told(call("other.jsonl", "--filters", "gate.yaml"))[0]["filter"] == "math_answer"
    assert told(call("other.jsonl", "--filters", "gate.yaml", "--set", "filters[0].enforce=false"))[0]["keep"]
    (here / "other.csv").write_text("q,a,gold\n1 + 6?,\\boxed{7},7\n")
    assert told(call("other.csv", "--filters", "gate.yaml"))[0]["keep"]


def test_stdin_and_mapped_columns() -> None:
    line = json.dumps({"q": "1 + 6?", "response": "\\boxed{7}", "answer": "7"})
    assert told(call("-", "--filters", "math_answer", "--field", "prompt=q", input=line))[0]["keep"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rows.jsonl", "--filters", "math_anwser"), "did you mean 'math_answer'?"),
        (("nowhere.jsonl", "--filters", "exact"), "no file"),
        (("rows.jsonl", "--filters", "exact,languige"), "no filter 'languige'; did you mean 'language'?"),
        (("rows.jsonl", "--filters", ""), "no filters named"),
        (("rows.jsonl", "--filters", "gate.yaml"), "no recipe 'gate.yaml'"),
        (("rows.jsonl", "--filters", "exact", "--field", "prompt"), "expected NAME=COLUMN, such as --field prompt=question"),
        (("rows.jsonl", "--filters", "exact", "--field", "prompt=q"), "no column 'q'"),
        (("rows.jsonl", "--filters", "exact", "--field", "prompt=q"), "--field prompt=COLUMN"),
        (("rows.jsonl", "--filters", "reward"), "no model named 'reward'"),
        (("rows.jsonl", "--filters", "judge"), "filters: [{use: judge, model: judge}, math_answer]"),
        (("rows.jsonl", "--filters", "exact", "--set", "filters[0].bye=all"), "did you mean 'by'?"),
        (("rows.jsonl",), "--filters"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], said: str) -> None:
    assert said in call(*words, code=2).output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("empty.jsonl", "", "error: empty.jsonl holds no rows"),
        ("rows.txt", '{"prompt": "a"}\n', "name it by what it holds"),
        ("lines.csv", '{"prompt": "a", "response": "b"}\n', "lines.csv holds JSON lines and is called CSV: name it lines.jsonl"),
    ],
)
def test_a_file_that_is_not_what_it_is_called(here: Path, name: str, text: str, said: str) -> None:
    (here / name).write_text(text)
    assert said in call(name, "--filters", "exact", code=2).output


def test_the_first_row_that_is_none_is_shown(here: Path) -> None:
    (here / "table.jsonl").write_text("prompt,response\na,b\n")
    assert "the first bad_row: table.jsonl:1: not valid JSON" in call("table.jsonl", "--filters", "exact").stderr


def test_records_without_an_answer_are_counted(here: Path) -> None:
    refusal = "I'm sorry, but I can't help with that."
    (here / "odd.jsonl").write_text(json.dumps({"question": "Name three colours.", "answer": refusal}) + "\n")
    unseen = call("odd.jsonl", "--filters", "refusals", "--json")
    assert told(unseen)[0]["keep"]
    assert "in 1 of the records there is a question and no answer" in unseen.stderr
    seen = call("odd.jsonl", "--filters", "refusals", "--field", "response=answer")
    assert told(seen)[0]["filter"] == "refusals"
    assert "note" not in seen.stderr


def test_what_is_only_labelled_is_counted() -> None:
    done = call("rows.jsonl", "--filters", "math_answer", "--set", "filters[0].enforce=false")
    assert "5 records: 4 kept, 1 refused" in done.stderr
    assert "2  math_answer: wrong_answer (kept all the same)" in done.stderr


def test_a_twin_can_be_found_among_rows_with_ids_of_their_own(here: Path) -> None:
    (here / "twins.jsonl").write_text(
        "".join(json.dumps({"id": n, "prompt": "How many?", "response": "Seven" + " " * n + "apples."}) + "\n" for n in (1, 2))
    )
    first, second = told(call("twins.jsonl", "--filters", "exact", "--json"))
    assert (first["id"], second["id"], second["filter"]) == ("1", "2", "exact")
    assert second["verdicts"][0]["evidence"]["of"] == first["record"] != second["record"]


def test_a_model_is_given_with_names_of_filters() -> None:
    assert FilterRecipe.load("guard,exact", model=["guard=ember"]).models["guard"].part_name() == "embedded"
    said = call("rows.jsonl", "--filters", "guard", "--model", "gua=ember", code=2).output
    assert "no model named 'guard'" in said
    assert "did you mean 'gua'?" in said
