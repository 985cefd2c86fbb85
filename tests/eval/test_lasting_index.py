"""An index that outlives the run: compared with all that was kept before, never with oneself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.errors import RecipeError, StorageError
from datalchemy.core.record import Conversation, Record, assistant, user
from datalchemy.eval._shelf import Shelf
from datalchemy.eval.exact import Exact
from datalchemy.eval.near_duplicates import NearDuplicates
from datalchemy.eval.semantic_duplicates import SemanticDuplicates

Judge = Callable[..., Any]
KINDS: list[Any] = [
    pytest.param(lambda **more: Exact(by="prompt", **more), id="exact"),
    pytest.param(lambda **more: NearDuplicates(by="prompt", **more), id="near_duplicates"),
    pytest.param(lambda **more: SemanticDuplicates(similarity=0.95, **more), id="semantic_duplicates"),
]
TEXTS = ["How do bees make honey?", "Why is the sea salty?", "Name three composers of the baroque."]


def ask(text: str, origin: str) -> Record:
    return Record(content=Conversation(messages=(user(text), assistant("Well."))), origin=origin)


def outcomes(verdicts: list[Any]) -> str:
    return " ".join(verdict.outcome for verdict in verdicts)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("made", KINDS)
class TestEveryKind:
    async def test_a_later_run_is_compared_with_what_was_kept(self, made: Any, judge: Judge) -> None:
        """The control: without a name, or under another one, nothing is remembered."""
        first = [ask(text, f"a{n}") for n, text in enumerate(TEXTS)]
        later = [ask(TEXTS[1], "b0"), ask("Draw a map of Iceland.", "b1")]
        assert outcomes(await judge(made(index="mine"), first)) == "keep keep keep"
        refused, kept = await judge(made(index="mine"), later)
        assert (refused.outcome, kept.outcome) == ("refuse", "keep")
        assert refused.evidence["of"] == first[1].id
        assert outcomes(await judge(made(index="yours"), later)) == "keep keep"
        assert outcomes(await judge(made(), later)) == "keep keep"

    async def test_a_run_that_is_repeated_is_not_its_own_twin(self, made: Any, judge: Judge) -> None:
        records = [ask(text, f"a{n}") for n, text in enumerate([*TEXTS, TEXTS[0]])]
        once = await judge(made(index="mine"), records)
        assert outcomes(once) == "keep keep keep refuse"
        for _ in range(2):
            again = await judge(made(index="mine"), records)
            assert [(v.outcome, v.reason) for v in again] == [(v.outcome, v.reason) for v in once]

    async def test_another_run_with_the_same_records_finds_them_there(self, made: Any, tools: Any) -> None:
        """The same seeds in a recipe of another name: the ids are the same, and the questions were asked before."""
        for run, expected in (("one", "keep keep"), ("other", "refuse refuse"), ("one", "keep keep")):
            async with made(index="mine").open(replace(tools, run=run)) as one:
                assert outcomes(await one([ask(text, "") for text in TEXTS[:2]])) == expected

    async def test_a_run_that_is_resumed_goes_on(self, made: Any, judge: Judge) -> None:
        records = [ask(text, f"a{n}") for n, text in enumerate([*TEXTS, TEXTS[2], "Draw a map of Iceland."])]
        await judge(made(index="mine"), records[:2])
        assert outcomes(await judge(made(index="mine"), records)) == "keep keep keep refuse keep"

    async def test_within_one_run_the_same_record_twice_is_a_twin(self, made: Any, judge: Judge) -> None:
        record = ask(TEXTS[0], "a")
        for _ in range(2):
            assert outcomes(await judge(made(index="mine"), [record, record])) == "keep refuse"

    async def test_what_was_refused_is_not_remembered(self, made: Any, judge: Judge, home: Path) -> None:
        await judge(made(index="mine"), [ask(TEXTS[0], "a"), ask(TEXTS[0], "b"), ask(TEXTS[0], "c")])
        (file,) = (home / "indexes" / "mine").glob("*.db")
        with sqlite3.connect(file) as db:
            assert db.execute("SELECT record FROM entries").fetchall() == [(ask(TEXTS[0], "a").id,)]
        db.close()

    async def test_two_runs_at_the_same_time_see_each_other(self, made: Any, tools: Any) -> None:
        async with made(index="mine").open(tools) as one, made(index="mine").open(tools) as other:
            assert outcomes(await one([ask(TEXTS[0], "a")])) == "keep"
            assert outcomes(await other([ask(TEXTS[1], "b"), ask(TEXTS[0], "c")])) == "keep refuse"
            assert outcomes(await one([ask(TEXTS[1], "d"), ask(TEXTS[2], "e")])) == "refuse keep"
            many = [[ask(f"question of {word} and the {word} of it", f"{run}{word}") for word in WORDS] for run in "xy"]
            together = await asyncio.gather(
                *(run([record]) for pair in zip(*many, strict=True) for run, record in zip((one, other), pair, strict=True))
            )
        assert outcomes([verdicts[0] for verdicts in together]).count("keep") == len(WORDS)

    async def test_other_settings_are_refused_before_anything_is_judged(self, made: Any, judge: Judge) -> None:
        await judge(made(index="mine"), [ask(TEXTS[0], "a")])
        other = made(index="mine").model_copy(update={"by": "response"})
        with pytest.raises(RecipeError, match=r"other settings \(by 'prompt', here 'response'\)"):
            await judge(other, [ask(TEXTS[0], "a")])

    async def test_a_broken_file_is_named(self, made: Any, judge: Judge, home: Path) -> None:
        await judge(made(index="mine"), [ask(TEXTS[0], "a")])
        (file,) = (home / "indexes" / "mine").glob("*.db")
        file.write_bytes(b"no database at all " * 1000)
        with pytest.raises(StorageError, match=r"indexes/mine/.*delete it"):
            await judge(made(index="mine"), [ask(TEXTS[0], "a")])

    async def test_only_its_owner_can_read_it(self, made: Any, judge: Judge, home: Path) -> None:
        await judge(made(index="mine"), [ask(TEXTS[0], "a")])
        (file,) = (home / "indexes" / "mine").glob("*.db")
        assert file.stat().st_mode & 0o777 == 0o600


WORDS = ["apples", "bridges", "candles", "donkeys", "engines", "forests", "gardens", "harbours"]


@pytest.mark.parametrize(
    "other",
    [{"n": 4}, {"bands": 15}, {"rows": 9}, {"unit": "chars"}, {"numbers": "mask"}, {"numbers": "agree"}, {"by": "response"}],
)
async def test_signatures_of_another_scheme_are_not_mixed(judge: Judge, other: dict[str, Any]) -> None:
    await judge(NearDuplicates(index="mine"), [])
    with pytest.raises(RecipeError, match=next(iter(other))):
        await judge(NearDuplicates(index="mine", **other), [])
    await judge(NearDuplicates(index="mine", similarity=0.5), [])


def test_a_hash_family_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As happened to users of a library whose new major version hashed otherwise."""
    part = NearDuplicates(index="mine")
    Shelf("mine", "near_duplicates", part.scheme.told()).close()
    monkeypatch.setattr("datalchemy.eval._shingles.SCHEME", "another/2")
    with pytest.raises(RecipeError, match="scheme 'multiply-shift-32/1', here 'another/2'"):
        Shelf("mine", "near_duplicates", part.scheme.told())


def test_a_batch_that_fails_leaves_nothing_behind() -> None:
    shelf = Shelf("mine", "exact", {})
    with pytest.raises(ZeroDivisionError), shelf.batch():
        shelf.put([("a", b"k", b"")])
        _ = 1 / 0
    shelf.close()
    again = Shelf("mine", "exact", {})
    assert again.news() == []
    again.close()


def test_numbers_stay_right_after_a_batch_that_failed() -> None:
    shelf = Shelf("mine", "exact", {})
    with pytest.raises(ZeroDivisionError), shelf.batch():
        shelf.put([("a", b"k", b"")])
        _ = 1 / 0
    with shelf.batch():
        assert shelf.put([("b", b"k", b"")]) == [0]
        assert shelf.at(0).record == "b"
    shelf.close()
