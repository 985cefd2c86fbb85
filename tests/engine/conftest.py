"""A store and an OUT of its own for each test, and short ways to build, run and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datalchemy.engine.ledger import LedgerReader, Settled
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.engine.snapshot import Result


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("DATALCHEMY_HOME", str(folder))
    return folder


class Kit:
    """One place to run in."""

    def __init__(self, tmp_path: Path) -> None:
        self.out = tmp_path / "out"

    def recipe(
        self, *, seeds: int | dict[str, Any] = 20, teacher: dict[str, Any] | None = None, out: Path | None = None, **fields: Any
    ) -> Recipe:
        data: dict[str, Any] = {
            "name": "test",
            "models": {"teacher": {"use": "scripted", "mode": "digest", **(teacher or {})}},
            "seeds": {"inline": [f"question {i}" for i in range(seeds)]} if isinstance(seeds, int) else seeds,
            "generate": [{"use": "answer", "model": "teacher"}],
            "output": {"dir": str(out or self.out)},
            "checks": {"sample": 0},
        }
        return Recipe.build({**data, **fields})

    def run(self, recipe: Recipe, **options: Any) -> Result:
        return run(recipe, **options)

    def rows(self, status: str | None = None, out: Path | None = None) -> list[Settled]:
        with LedgerReader((out or self.out) / ".run" / "ledger.db") as reader:
            return list(reader.rows(status))

    def dataset(self, out: Path | None = None) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        return [row for file in sorted((out or self.out).glob("data/*.parquet")) for row in pq.read_table(file).to_pylist()]

    def calls(self, recipe: Recipe, model: str = "teacher") -> dict[str, int]:
        return dict(recipe.models[model].calls)  # type: ignore[attr-defined]


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


@pytest.fixture
def fresh_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Call it to go on with an empty response store."""
    count = iter(range(1000))

    def renew() -> None:
        monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / f"home{next(count)}"))

    yield renew
