"""The static encoder that ships, and others in its form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from contract import refuses_what_it_cannot_do, tells_what_it_is
from datalchemy.backends.static import Static
from datalchemy.backends.static_encoder import folder
from datalchemy.core.errors import BackendFatal, RecipeError
from tokenizers import Tokenizer

SOURCE = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


async def test_what_every_backend_owes() -> None:
    async with Static().open() as backend:
        for check in (refuses_what_it_cannot_do, tells_what_it_is):
            await check(backend)
        first, second, again = (np.asarray(row) for row in await backend.embed(["one", "two", "one"]))
        assert first.tolist() == again.tolist() != second.tolist()
        assert list(await backend.embed([])) == []


async def test_a_vector_is_the_mean_of_its_tokens_at_length_one() -> None:
    """As model2vec has it: no special tokens, unknown ones left out."""
    table = np.load(folder() / "vectors.npy").astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    text = "The unhappily named harbour \U0001f701 was empty."
    ids = [i for i in tokenizer.encode(text, add_special_tokens=False).ids if i != tokenizer.token_to_id("[UNK]")]
    mean = table[ids].mean(axis=0)
    async with Static().open() as backend:
        alone, among = (await backend.embed([text]))[0], (await backend.embed(["a", text, ""]))[1]
    assert np.allclose(alone, mean / np.linalg.norm(mean), atol=1e-5)
    assert np.allclose(alone, among, atol=1e-6)
    assert "[UNK]" in tokenizer.encode(text, add_special_tokens=False).tokens


async def test_meaning_and_not_letters() -> None:
    async with Static().open() as backend:
        rows = np.stack(await backend.embed(["How do I bake bread?", "What is the way to bake a loaf of bread?", "How do I break bail?"]))
    assert rows[0] @ rows[1] > 0.8 > rows[0] @ rows[2]


async def test_any_text() -> None:
    texts = ["", " ", "\0", "\ud800", "中文", "x" * 1_000_000, "\U0001f701" * 1000, "word " * 300_000]
    async with Static().open() as backend:
        rows = np.stack(await backend.embed(texts))
    lengths = np.linalg.norm(rows, axis=1)
    assert np.isfinite(rows).all()
    assert lengths[[0, 1]].tolist() == [0, 0]
    assert lengths[7] == pytest.approx(1, abs=1e-4)


async def test_only_the_beginning_is_read() -> None:
    async with Static(max_chars=9).open() as backend:
        rows = await backend.embed(["red apple and green pear", "red apple"])
    assert np.allclose(rows[0], rows[1])


def test_who_it_is_depends_on_the_files(tmp_path: Path) -> None:
    assert Static().who() == Static().who() != ""
    for name in ("vectors.npy", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder() / name).read_bytes())
    assert Static(path=tmp_path).who() == Static().who()
    table = np.load(tmp_path / "vectors.npy")
    table[5] += 1
    np.save(tmp_path / "vectors.npy", table)
    assert Static(path=tmp_path).who() != Static().who()


async def test_files_that_are_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="needs vectors"):
        Static(path=tmp_path).open()
    (tmp_path / "tokenizer.json").write_bytes((folder() / "tokenizer.json").read_bytes())
    np.save(tmp_path / "vectors.npy", np.zeros((5, 4), dtype=np.float16))
    with pytest.raises(BackendFatal, match="fewer rows"):
        async with Static(path=tmp_path).open():
            pass
    np.save(tmp_path / "vectors.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(BackendFatal, match="cannot be read"):
        async with Static(path=tmp_path).open():
            pass
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BackendFatal, match="cannot be read"):
        async with Static(path=tmp_path).open():
            pass


def test_what_ships_says_where_it_comes_from() -> None:
    about = json.loads((folder() / "about.json").read_text())
    assert about["source"] == SOURCE
    assert "Apache License" in (folder() / "LICENSE").read_text()
    assert "apache-2.0" in (folder() / "README.md").read_text()
    assert (folder() / "vectors.npy").stat().st_size < 16_000_000
    told = json.loads((folder() / "calibration.json").read_text())
    assert (told["encoder"], told["threshold"]) == (Static().who(), 0.9)
