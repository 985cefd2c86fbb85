"""The examples on the pages of filters: their rows give the verdicts that the page shows, and no page shows one that nothing gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core import plug
from datalchemy.engine.filtering import Judgement, ajudge, open_filters, read_rows
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.formats import constraints
from page_examples import EXAMPLES, Example, row

PAGES = Path(__file__).parents[2] / "docs" / "filters"
EDITED = ("clean", "redact")
"""Pages of edits, which show texts instead of verdicts."""
ELSEWHERE = ("ifd", "labels")
"""Needs a server with log-probabilities (tests/real); a program that the operator admits (below)."""

pytestmark = pytest.mark.skipif(not PAGES.is_dir(), reason="documentation is not part of the wheel")


def shown(name: str) -> list[str]:
    """Lines of a page that show a verdict; ids, which depend on the whole row, as `ID`."""
    lines = re.findall(r"(?m)^    ((?:keep|refuse|abstain)\b.*)$", (PAGES / f"{name}.md").read_text())
    return [re.sub(r"\b[0-9a-f]{16}\b", "ID", line) for line in lines]


def shows(line: str, judgement: Judgement) -> bool:
    """Whether this line is of that verdict: the same outcome, the whole reason, and the score where the line has one."""
    last = judgement.verdicts[-1]
    reason = re.sub(r"\b[0-9a-f]{16}\b", "ID", last.reason)
    if not line.startswith(last.outcome) or reason not in line:
        return False
    rest = line.removeprefix(last.outcome).replace(reason, "") if reason else line.removeprefix(last.outcome)
    number = re.search(r"-?\d+(?:\.\d+)?", rest)
    return number is None or (last.score is not None and float(number[0]) == pytest.approx(last.score, abs=0.005))


async def judged(example: Example, store: Path) -> list[Judgement]:
    return await ajudge(example.rows, list(example.filters), models=dict(example.models), store=store)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_a_page_shows_what_its_example_gives(name: str, tmp_path: Path) -> None:
    lines = shown(name)
    found = [judgement for example in EXAMPLES[name] for judgement in await judged(example, tmp_path)]
    assert lines
    for line in lines:
        assert any(shows(line, judgement) for judgement in found), f"{line}\n{[one.verdicts[-1] for one in found]}"
    for judgement in found:
        if judgement.verdicts[-1].outcome != "keep":
            assert any(shows(line, judgement) for line in lines), judgement.verdicts[-1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_page_shows_the_rows_of_its_example(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    for example in EXAMPLES[name]:
        for given in () if example.long else example.rows:
            texts = [str(value) for key, value in given.items() if key in ("prompt", "response", "chosen")]
            assert any(piece in page for text in texts for piece in (text, text.partition("\n")[0])), given


def test_every_page_has_an_example_that_is_run() -> None:
    assert set(plug.names("eval")) == {*EXAMPLES, *EDITED, *ELSEWHERE}
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted(plug.names("eval"))


@pytest.mark.parametrize(
    ("line", "belongs"),
    [
        ("refuse: wrong: got 3", True),
        ("refuse 0.5 wrong: got 3", True),
        ("refuse 0.6 wrong: got 3", False),
        ("refuse: wrong: got 4", False),
        ("abstain: wrong: got 3", False),
    ],
)
def test_another_verdict_would_be_noticed(line: str, belongs: bool) -> None:
    verdict = {"by": "a", "outcome": "refuse", "score": 0.5, "reason": "wrong: got 3"}
    assert shows(line, Judgement.model_validate({"id": "1", "keep": False, "verdicts": [verdict]})) is belongs


async def edited(text: str, *filters: Any) -> str:
    recipe = FilterRecipe.of(list(filters))
    async with open_filters(recipe) as opened:
        (after,) = [record async for _, record in opened.stream(read_rows([row(text)], recipe))]
    assert after.response is not None
    return after.response.text


async def test_the_pages_of_edits_show_what_becomes_of_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (PAGES / "clean.md").read_text()
    (before,) = re.findall(r"Example: `(.*)` \(with a zero-width", page)
    assert f"    {await edited(before, 'clean')}\n" in page
    page = (PAGES / "redact.md").read_text()
    (before,) = re.findall(r"Example: `(Write[^`]*)`", page)
    (key,) = re.findall(r"with the key `(.*?)`", page)
    monkeypatch.setenv("PSEUDONYM_KEY", key)
    for how in ("reserved", "tag", "pseudonym"):
        keyed = {"key_env": "PSEUDONYM_KEY"} if how == "pseudonym" else {}
        assert f"{how}: {await edited(before, {'use': 'redact', 'how': how, **keyed})}\n" in re.sub(r": +", ": ", page)


async def test_the_scorer_of_the_page_of_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (PAGES / "labels.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "page_scores.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DATALCHEMY_PLUGINS", "page_scores")
    filters = [
        {"use": "labels", "label": "shouting", "function": "page_scores:shouting"},
        {"use": "by_label", "label": "shouting", "max": 0.05},
    ]
    (one,) = await ajudge([row("Seven!!!")], filters)
    assert f"refuse: {one.reason}" in shown("labels")


def test_the_page_of_instructions_draws_what_it_shows() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (PAGES / "instructions.md").read_text(), re.DOTALL)
    values: dict[str, Any] = {}
    exec(code, values)
    said = [constraints.describe(one) for one in values["drawn"]]
    assert all(json.dumps(text)[1:-1].replace('\\"', '"') in code for text in said), said
