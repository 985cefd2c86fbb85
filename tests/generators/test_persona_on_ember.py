"""The persona strategies through the real engine on the embedded model, which knows word problems and no people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datalchemy.backends.embedded import Embedded
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run

pytestmark = pytest.mark.skipif(not Embedded().file().exists(), reason="ember's weights are not there: make ember")

SHORT = {"max_tokens": 160}
SOURCES: dict[str, Any] = {
    "name": "sources",
    "models": {"teacher": {"use": "embedded"}},
    "seeds": {"inline": ["Leo is away for 49 weeks and counts the days on a wall of the workshop."]},
    "generate": [
        {"use": "persona_from_text", "model": "teacher", "relations": ["read", "write"], "sampling": SHORT},
        {"use": "persona_from_persona", "model": "teacher", "rounds": 2, "per_call": 2, "alike": 1.0, "sampling": SHORT},
    ],
}


def load(name: str, out: Path) -> Recipe:
    if name == "sources":
        return Recipe.build({**SOURCES, "output": {"dir": str(out)}})
    short = {
        "persona": [("generate[0].sampling.max_tokens", "160"), ("generate[0].answering", "{max_tokens: 80}"), ("budget.candidates", "4")],
        "persona-answers": [("generate[0].sampling.max_tokens", "80"), ("seeds.limit", "1")],
    }
    return Recipe.load(name, sets=short[name], out=out)


@pytest.mark.parametrize("name", ["persona", "persona-answers", "sources"])
def test_every_candidate_is_explained(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    counts = run(load(name, tmp_path / "out")).counts
    assert counts.started > 0
    assert counts.accepted + counts.refused + counts.failed == counts.started
    assert counts.failed == 0
    with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
        assert all(row.reason for row in reader.rows("refused"))
