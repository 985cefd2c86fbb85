"""Every YAML block of the documentation, completed by what it leaves out, is a recipe that holds together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datalchemy
import pytest
from click.testing import CliRunner
from datalchemy.core.errors import RecipeError
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.reading import read
from datalchemy.engine.recipe import Recipe
from datalchemy.service.cli import cli

ROOT = Path(datalchemy.__file__).resolve().parent
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="documentation is not part of the wheel")
BLOCKS = [
    (page, number, block)
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL))
]
FILES = {
    "problems.jsonl": '{"question": "1 + 1?", "answer": "2"}',
    "labelled.jsonl": '{"prompt": "1 + 1?", "response": "2", "label": "keep"}',
    "gsm8k-test.jsonl": '{"question": "How much is one and one?"}',
    "house_scores.py": "def shouting(rows): return [0.0] * len(rows)",
    "good-examples.jsonl": '{"prompt": "1 + 1?", "response": "2"}',
}
"""What the pages' recipes read."""


def completed(data: dict[str, Any]) -> dict[str, Any]:
    """With a name, seeds and a strategy, where a page shows a piece only."""
    models = {"teacher": {"use": "scripted"}, **data.get("models", {})}
    rest = {"name": "page", "seeds": {"inline": ["1 + 1?"]}, "generate": [{"use": "answer", "model": "teacher"}]}
    return {**rest, **data, "models": models}


@pytest.mark.parametrize(("page", "block"), [(page, block) for page, _, block in BLOCKS], ids=[f"{page.stem}-{n}" for page, n, _ in BLOCKS])
def test_a_recipe_on_a_page_holds_together(page: Path, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_PLUGINS", "house_scores")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, row in FILES.items():
        (tmp_path / name).write_text(row + "\n")
    data = read(block, page.name).data
    if "fields" not in data:  # with `fields` beside `filters` it is one that only judges
        Recipe.build(completed(data), base=tmp_path)
    if "filters" in data and "generate" not in data:
        judged = {key: value for key, value in data.items() if key in ("models", "filters", "policy", "fields")}
        FilterRecipe.build(judged, base=tmp_path)


def test_a_recipe_that_does_not_would_be_noticed(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'language'"):
        Recipe.build(completed({"filters": ["langauge"]}), base=tmp_path)  # codespell:ignore
    with pytest.raises(RecipeError, match="no model named 'judge'"):
        Recipe.build(completed({"filters": [{"use": "judge", "model": "judge"}]}), base=tmp_path)


def test_the_programs_on_the_page_of_filters_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = ("Red.", "RED.", "I'm sorry, but I can't help with that.")
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps({"prompt": "Which?", "response": text}) + "\n" for text in rows))
    values: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "filters.md").read_text(), flags=re.DOTALL):
        exec(block, values)
    assert capsys.readouterr().out.splitlines() == ["True None 1.0 ", "Write to user1@example.com."]
    assert [row["response"] for row in values["kept"]] == ["Red."]


def test_the_quickstart_shows_what_judge_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text()
    (words,) = re.findall(r"(?m)^datalchemy (judge .*)$", page)
    monkeypatch.chdir(tmp_path)
    rows = ("Red.", "RED.", "I'm sorry, but I can't help with that.")
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps({"prompt": "Which?", "response": text}) + "\n" for text in rows))
    done = CliRunner().invoke(cli, words.split(), prog_name="datalchemy")
    assert all(f"    {line}\n" in page for line in done.stderr.splitlines()), done.stderr
