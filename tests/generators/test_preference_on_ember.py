"""`preference`, `bsm` and `dialogue` through the real engine on the embedded model, which knows word problems and none of the wordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from datalchemy.backends.embedded import Embedded
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import Preference, Record
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run

pytestmark = pytest.mark.skipif(not Embedded().file().exists(), reason="ember's weights are not there: make ember")

SHORT = ("generate[0].sampling.max_tokens", "160")
SETS = {
    "preference": [("seeds.limit", "6")],
    "bsm": [SHORT, ("seeds.limit", "2")],
    "bsm-problems": [SHORT, ("seeds.limit", "2")],
    "dialogue": [SHORT, ("generate[0].simulating.max_tokens", "120"), ("generate[0].max_turns", "2"), ("seeds.limit", "2")],
}


@pytest.mark.parametrize("name", SETS)
def test_every_candidate_is_explained(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    counts = run(Recipe.load(name, sets=SETS[name], out=tmp_path / "out")).counts
    assert counts.started > 0
    assert counts.accepted + counts.refused + counts.failed == counts.started
    assert counts.failed == 0
    with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
        assert all(row.reason for row in reader.rows("refused"))


def test_ember_gives_pairs_of_a_right_and_a_wrong_solution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    sets = [("seeds.limit", "24"), ("target", "2")]
    assert run(Recipe.load("preference", sets=sets, out=tmp_path / "out")).counts.accepted >= 2
    with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
        records = [Record.load(row.body) for row in reader.rows("accepted")]
    for record in records:
        assert isinstance(record.content, Preference)
        boxed = f"\\boxed{{{record.answer}}}"
        assert boxed in record.content.chosen[0].text
        assert boxed not in record.content.rejected[0].text


@pytest.mark.parametrize(
    ("name", "sets", "message"),
    [
        ("preference", [("generate[0].by", "reward")], "reward"),
        ("preference", [("generate[0].verify", "unit_tests")], "unit_tests"),
        ("bsm", [("filters", "[exact]")], "instructions"),
    ],
)
def test_a_filter_that_is_not_there_is_told_before_a_token_is_spent(name: str, sets: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.load(name, sets=sets)
