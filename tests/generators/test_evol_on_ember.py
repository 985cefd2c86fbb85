"""`evol` through the real engine on the embedded model, which knows word problems and none of these wordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from datalchemy.backends.embedded import Embedded
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run

pytestmark = pytest.mark.skipif(not Embedded().file().exists(), reason="ember's weights are not there: make ember")


@pytest.mark.parametrize("judged", ["false", "true"])
def test_every_candidate_is_explained(judged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    sets = [("generate[0].sampling.max_tokens", "120"), ("generate[0].answering", "{max_tokens: 120}"), ("seeds.limit", "2")]
    sets += [("generate[0].equal_check", judged), ("generate[0].judging", "{max_tokens: 60}")]
    counts = run(Recipe.load("evol", sets=sets, out=tmp_path / "out")).counts
    assert counts.started > 0
    assert counts.accepted + counts.refused + counts.failed == counts.started
    assert counts.failed == 0
    with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
        assert all(row.reason for row in reader.rows("refused"))
