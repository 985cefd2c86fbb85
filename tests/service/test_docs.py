"""The documentation says what the code does: tables of fields, verbs and options, links, the examples of CONTRIBUTING.

DATALCHEMY_WRITE_DOCS=1 writes the tables anew instead of comparing them.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import click
import datalchemy
import pytest
from datalchemy.core.backend import Sampling
from datalchemy.core.endpoint import Deadlines, Endpoint, Price
from datalchemy.core.frozen import Frozen
from datalchemy.core.part import Filter, Part
from datalchemy.core.plug import names
from datalchemy.engine import recipe
from datalchemy.engine.budget import Budget
from datalchemy.engine.measuring import Anchor, Combinations
from datalchemy.engine.policy import Policy
from datalchemy.engine.reading import read
from datalchemy.engine.run import run
from datalchemy.service.catalogue import FOLDERS, first_line, loaded, settings
from datalchemy.service.cli import VERBS, cli

ROOT = Path(datalchemy.__file__).resolve().parent
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="documentation is not part of the wheel")

BLOCKS: dict[str, type[Frozen]] = {
    "Recipe": recipe.Recipe,
    "Seeds": recipe.Seeds,
    "Budget": Budget,
    "Threshold": recipe.Threshold,
    "Measuring": recipe.Measuring,
    "Combinations": Combinations,
    "Anchor": Anchor,
    "Output": recipe.Output,
    "Purpose": recipe.Purpose,
    "Policy": Policy,
    "Checks": recipe.Checks,
    "Reuse": recipe.Reuse,
    "Sampling": Sampling,
    "Price": Price,
    "Deadlines": Deadlines,
    "Filter": Filter,
    "Endpoint": Endpoint,
}


def table(model: type[Frozen], base: type[Frozen] = Frozen) -> str:
    """A Markdown table of the fields that `base` has not, or has with another default."""
    known = set(settings(base))
    rows = [setting for setting in settings(model) if setting not in known]
    if not rows:
        return "No settings of its own."
    lines = ["| field | takes | default | |", "|---|---|---|---|"]
    for row in rows:
        default = "required" if row.default is None else "" if row.default == "none" else f"`{row.default}`"
        lines.append(f"| `{row.name}` | {row.kind} | {default} | {row.text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def described(kind: str) -> str:
    base: type[Part] = {"strategies": Part, "filters": Filter, "models": Endpoint}[kind]
    return "\n\n".join(f"### `{name}`\n\n{first_line(part)}\n\n{table(part, base)}" for name, part in loaded(kind).items())


def regenerated(text: str) -> str:
    def block(found: re.Match[str]) -> str:
        body = table(BLOCKS[found[1]]) if found[1] in BLOCKS else ""
        return f"<!-- table: {found[1]} -->\n{body}\n<!-- end of table -->"

    def parts(found: re.Match[str]) -> str:
        return f"<!-- parts: {found[1]} -->\n{described(found[1])}\n<!-- end of parts -->"

    text = re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end of table -->", block, text, flags=re.DOTALL)
    return re.sub(r"<!-- parts: (\w+) -->\n.*?<!-- end of parts -->", parts, text, flags=re.DOTALL)


def test_the_recipe_page_describes_every_field() -> None:
    page = ROOT / "docs" / "recipe.md"
    text = page.read_text()
    fresh = regenerated(text)
    if os.environ.get("DATALCHEMY_WRITE_DOCS"):
        page.write_text(fresh)
    else:
        assert text == fresh, "run DATALCHEMY_WRITE_DOCS=1 pytest tests/service/test_docs.py and look at the difference"
    assert set(re.findall(r"<!-- table: (\w+) -->", text)) == set(BLOCKS)
    assert set(re.findall(r"<!-- parts: (\w+) -->", text)) == set(FOLDERS)


def test_the_cli_page_names_every_verb_and_option() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    for verb in VERBS:
        command = cli.get_command(click.Context(cli), verb)
        section = re.search(rf"(?ms)^### `{verb}\b.*?(?=^###? |\Z)", text)
        assert section, f"docs/cli.md has no section of {verb}"
        inner = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        options = {
            opt
            for one in inner
            for param in one.params
            if isinstance(param, click.Option)
            for opt in (*param.opts, *param.secondary_opts)
            if opt.startswith("--")
        }
        shared = {"--model", "--target", "--out", "--set"} if verb in ("run", "validate", "preview") else set()
        assert not [option for option in options - shared if option not in section[0]], verb
        assert not [option for option in re.findall(r"--[a-z][\w-]+", section[0]) if option not in options | shared | {"--resume"}], verb


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_in_the_documentation_exist(page: Path) -> None:
    known = {command for verb in VERBS for command in [verb]}
    for verb in re.findall(r"(?m)^\s*(?:\$ )?datalchemy ([a-z]+)", page.read_text()):
        assert verb in known, f"{page.name}: datalchemy {verb}"
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z][\w-]+)`", page.read_text()):
        assert re.search(rf"(?m)^{target}:", makefile), f"{page.name}: make {target}"


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md", "docs/recipe.md"])
def test_recipes_in_the_documentation_hold_together(page: str, tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL):
        data = read(block).data
        if "generate" in data and "name" in data:
            recipe.Recipe.build(data, base=tmp_path)


def example(heading: str) -> str:
    """The first Python block beneath a heading of CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.search(rf"(?ms)^## {heading}.*?```python\n(.*?)```", text)
    assert found, heading
    return found[1]


def as_part(folder: str, name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example as the file that CONTRIBUTING says it is."""
    assert name not in names(folder)
    file = tmp_path / f"{name}.py"
    file.write_text(code)
    spec = importlib.util.spec_from_file_location(f"datalchemy.{folder}.{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_examples_of_contributing_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    as_part("generators", "vote", example("A strategy"), tmp_path, monkeypatch)
    as_part("eval", "ends_well", example("A filter"), tmp_path, monkeypatch)
    added = {"generators": "vote", "eval": "ends_well"}
    monkeypatch.setattr("datalchemy.core.plug.names", lambda folder: (*names(folder), added[folder]) if folder in added else names(folder))
    script = [{"match": "shop", "reply": "In the next street."}, {"match": "poem", "reply": "Roses are"}]
    made = recipe.Recipe.build(
        {
            "models": {"teacher": {"use": "scripted", "script": script, "mode": "digest"}},
            "seeds": {"inline": ["Where is a shop?", "A poem, please", "Hello"]},
            "generate": [{"use": "vote", "model": "teacher", "samples": 3}],
            "filters": [{"use": "ends_well"}],
            "output": {"dir": str(tmp_path / "out")},
        }
    )
    result = run(made)
    assert (result.counts.accepted, result.counts.refused, result.counts.failed) == (1, 2, 0)
    assert result.reasons == {"ends_well: unfinished": 1, "vote: no_majority": 1}
