"""`labels` and `by_label`: what a scorer says becomes a column, and a column can refuse."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asked_models import asked, scoring
from datalchemy.core.record import Conversation, Record, user
from datalchemy.core.workers import WorkerPool
from datalchemy.eval.by_label import ByLabel
from datalchemy.eval.labels import Labels
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

SCORER = """
import time

def toxicity(rows):
    return [None if not row.get("answer") else row["answer"].count("!") / 10 for row in rows]

def licence(rows):
    return ["GPL-3.0" if "gpl" in row.get("answer", "") else "MIT" for row in rows]

def odd(rows):
    return [{"a": 1}, [1]][: len(rows)]

def short(rows):
    return [1.0]

def stuck(rows):
    if any("stop" in row.get("answer", "") for row in rows):
        time.sleep(60)
    return [0.5] * len(rows)

def broken(rows):
    raise RuntimeError("no model here")
"""


@pytest.fixture
def admitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "house_scores.py").write_text(SCORER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DATALCHEMY_PLUGINS", "house_scores")
    return "house_scores"


@pytest_asyncio.fixture(loop_scope="session")
async def own(tools: Any, admitted: str) -> AsyncIterator[Any]:
    """Worker processes that started after the scorer was written."""
    async with WorkerPool(processes=1) as pool:
        yield replace(tools, workers=pool)


async def labelled(tools: Any, part: Labels, records: Sequence[Record]) -> list[Record]:
    async with part.open(tools) as change:
        return list(await change(records))


async def test_a_function_scores_in_a_worker_process(own: Any, reply: Callable[..., Record]) -> None:
    part = Labels(label="toxicity", function="house_scores:toxicity")
    records = [reply("no!!!"), reply("\x00 fine"), Record(), reply("a", labels={"kind": "x"})]
    after = await labelled(own, part, records)
    assert [dict(record.labels) for record in after] == [
        {"toxicity": 0.3},
        {"toxicity": 0},
        {"toxicity": None},
        {"kind": "x", "toxicity": 0},
    ]
    assert after[0].lineage[-1].detail == {"scorer": "house_scores:toxicity"}
    assert "house_scores" not in sys.modules
    (one,) = await labelled(own, Labels(label="licence", function="house_scores:licence"), [reply("under gpl")])
    assert one.labels["licence"] == "GPL-3.0"


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("odd", "bad_scorer: a label is a number"),
        ("short", "bad_scorer: 2 records were given"),
        ("broken", "scorer_failed: RuntimeError: no model here"),
    ],
)
async def test_a_scorer_that_fails_gives_null_and_says_why(function: str, why: str, own: Any, reply: Callable[..., Record]) -> None:
    after = await labelled(own, Labels(label="x", function=f"house_scores:{function}"), [reply("a"), reply("b")])
    assert [record.labels["x"] for record in after] == [None, None]
    assert all(record.lineage[-1].detail["why"].startswith(why) for record in after)


async def test_a_record_that_hangs_the_scorer_costs_its_own_time(own: Any, reply: Callable[..., Record]) -> None:
    after = await labelled(own, Labels(label="x", function="house_scores:stuck", timeout_s=0.2), [reply("a"), reply("stop"), reply("c")])
    assert [record.labels["x"] for record in after] == [0.5, None, 0.5]
    assert after[1].lineage[-1].detail["why"].startswith("scorer_failed")


async def test_a_model_scores(tools: Any, tmp_path: Path, reply: Callable[..., Record]) -> None:
    async with asked(tmp_path, rm=scoring(lambda text: float(len(text)))) as models:
        part = Labels(label="length", model="rm")
        assert dict(part.needs()) == {"rm": {"score"}}
        after = await labelled(replace(tools, models=models), part, [reply("abc"), Record(content=Conversation(messages=(user("hi"),)))])
    assert [record.labels["length"] for record in after] == [3, None]
    assert after[1].lineage[-1].detail["why"].startswith("nothing_to_score")


def test_only_what_the_operator_admits_is_loaded(admitted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Labels(label="x", function="house_scores:toxicity")
    for function in ("os:system", "house_scores_2:x", "datalchemy.core.workers:WorkerPool"):
        with pytest.raises(ValidationError, match="not admitted"):
            Labels(label="x", function=function)
    monkeypatch.setenv("DATALCHEMY_PLUGINS", "no_such_scores")
    with pytest.raises(ValidationError, match="there is no module no_such_scores"):
        Labels(label="x", function="no_such_scores:f")
    monkeypatch.delenv("DATALCHEMY_PLUGINS")
    with pytest.raises(ValidationError, match="not admitted"):
        Labels(label="x", function="house_scores:toxicity")
    for settings in ({}, {"function": "house_scores:f", "model": "rm"}, {"function": "house_scores"}, {"function": "a b:c"}):
        with pytest.raises(ValidationError):
            Labels(label="x", **settings)


@pytest.mark.parametrize(
    ("settings", "value", "said"),
    [
        ({"min": 0.5}, 0.5, "keep"),
        ({"min": 0.5}, 0.4, "too_low: x is 0.4, at least 0.5 asked"),
        ({"max": 0.5}, 1, "too_high: x is 1, at most 0.5 asked"),
        ({"max": 0.5}, "high", "no_number: x is high"),
        ({"min": 0.5}, "0.75", "keep"),
        ({"min": 0.5}, " 2e-1 ", "too_low: x is 0.2, at least 0.5 asked"),
        ({"min": 0.5}, "1,5", "no_number: x is 1,5"),
        ({"min": 0.5}, "nan", "no_number: x is nan"),
        ({"min": 0.5}, "9e999", "no_number: x is 9e999"),
        ({"min": 0.5}, True, "no_number: x is True"),
        ({"min": 0.5}, float("nan"), "no_number: x is nan"),
        ({"allow": ["MIT", "Apache-2.0"]}, "mit ", "keep"),
        ({"allow": ["MIT"]}, "GPL-3.0", "not_allowed: x is GPL-3.0"),
        ({"deny": ["poor", "fair"]}, "good", "keep"),
        ({"deny": ["poor"]}, "Poor", "not_allowed: x is Poor"),
        ({"allow": [True]}, True, "keep"),
        ({"allow": [1]}, True, "not_allowed: x is True"),
        ({"allow": [1]}, 1.0, "keep"),
        ({"deny": ["a"]}, None, "no_label: there is no x"),
        ({"min": 0, "deny": [3]}, 3, "not_allowed: x is 3"),
    ],
)
def test_by_label(settings: dict[str, Any], value: Any, said: str) -> None:
    verdict = ByLabel(label="x", **settings).check(Record(labels={"x": value}))
    assert (verdict.reason or verdict.outcome) == said
    assert verdict.outcome == {"keep": "keep", "no_": "abstain"}.get(said[:4], "abstain" if said.startswith("no_") else "refuse")
    numeric = {"0.75": 0.75, " 2e-1 ": 0.2}
    assert verdict.score == (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else numeric.get(value)
    )


def test_by_label_reads_a_column_where_there_is_no_such_label() -> None:
    part = ByLabel(label="level", allow=("5",))
    assert part.check(Record(fields={"level": "5"})).keep
    assert not part.check(Record(fields={"level": "5"}, labels={"level": "1"})).keep
    assert part.check(Record(fields={"level": ["5"]})).outcome == "abstain"
    with pytest.raises(ValidationError, match="needs one of"):
        ByLabel(label="level")
    with pytest.raises(ValidationError, match="no number is at least 3 and at most 1"):
        ByLabel(label="level", min=3, max=1)


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5))
def test_any_label_gets_a_verdict(value: Any) -> None:
    verdict = ByLabel(label="x", min=0, deny=("a", 1, True)).check(Record.model_construct(labels={"x": value}, fields={}))
    assert verdict.outcome in ("keep", "refuse", "abstain")
    assert (verdict.outcome == "keep") == (not verdict.reason)
