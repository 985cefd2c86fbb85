"""Filters outside of a run give the verdicts that they give in one, lose nothing, and stand whatever rows they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from datalchemy import Judgement, Record, ajudge, judge
from datalchemy.core.errors import RecipeError
from datalchemy.core.part import Check, Edit, Filter, Tools
from datalchemy.core.record import Conversation, Verdict, assistant, user
from datalchemy.engine.filtering import AT_ONCE, CHUNK, open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def row(n: int, text: str = "", **more: Any) -> dict[str, Any]:
    return {"prompt": f"What is {n} + 1?", "response": text or f"\\boxed{{{n + 1}}}", "answer": str(n + 1), **more}


class Picky(Check):
    """Refuses answers with `no`, raises on those with `bang`, abstains on those with `hm`."""

    def check(self, record: Record) -> Verdict:
        text = record.response.text if record.response else ""
        if "bang" in text:
            raise ValueError("bang")
        if "hm" in text:
            return Verdict(by="picky", outcome="abstain", reason="unsure: hm")
        return self.refused("no: it says so", 0.25) if "no" in text else self.kept(0.75)


class Shout(Edit):
    """Upper case."""

    def edit(self, record: Record) -> Record:
        turns = tuple(
            turn.model_copy(update={"content": turn.text.upper()}) if turn.role == "assistant" else turn for turn in record.messages
        )
        return record.derive("shout", turns)


class Last(Filter):
    """A closing filter that keeps only the last record."""

    closing = True

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncIterator[Callable[[Sequence[Record]], Any]]:  # type: ignore[override]
        async def judged(records: Sequence[Record]) -> Sequence[Verdict]:
            return [
                Verdict(by="last", outcome="keep" if r is records[-1] else "refuse", reason="early: there is a later one") for r in records
            ]

        yield judged


def lines(judgements: list[Judgement]) -> list[tuple[bool, str | None, str]]:
    return [(judgement.keep, judgement.filter, judgement.reason.partition(":")[0]) for judgement in judgements]


def test_one_judgement_a_row_in_order_with_the_rows_own_ids() -> None:
    rows = [row(1, id="a"), row(2, "\\boxed{9}", id=7), "no row", row(3), {"prompt": ""}]
    judged = judge(rows, ["math_answer", "exact"])
    assert lines(judged) == [
        (True, None, ""),
        (False, "math_answer", "wrong_answer"),
        (False, None, "bad_row"),
        (True, None, ""),
        (False, None, "bad_row"),
    ]
    assert [judged[0].id, judged[1].id, judged[2].id] == ["a", "7", "row 3"]
    assert (judged[0].score, judged[1].score) == (1.0, 0.0)
    assert [verdict.by for verdict in judged[0].verdicts] == ["math_answer", "exact"]
    assert [verdict.by for verdict in judged[1].verdicts] == ["math_answer"], "what is refused is not shown to the next filter"


def test_filters_by_name_by_recipe_and_by_object() -> None:
    rows = [row(1, "<think>One more.</think>\\boxed{2}")]
    wanted = lines(judge(rows, "think_format,math_answer"))
    assert wanted == [(True, None, "")]
    assert lines(judge(rows, ["think_format", {"use": "math_answer", "timeout_s": 2}])) == wanted
    assert lines(judge(rows, "cold-start-cot")) == wanted
    assert lines(judge(rows, [Picky()])) == wanted


def test_a_filter_that_raises_refuses_that_record_only() -> None:
    texts = ["yes", "bang", "no", "hm"] * CHUNK
    judged = judge([row(i, text) for i, text in enumerate(texts)], [Picky()])
    for judgement, text in zip(judged, texts, strict=True):
        assert judgement.keep == (text in ("yes", "hm"))
        if text == "bang":
            assert judgement.reason.startswith("filter_error: ")


def test_edits_stand_in_line_and_a_record_keeps_its_name() -> None:
    recipe = FilterRecipe.build({"filters": [Shout(), Picky()]})

    async def run() -> list[tuple[Judgement, Record]]:
        async with open_filters(recipe) as opened:
            return [pair async for pair in opened.stream([record])]

    record = Record(content=Conversation(messages=(user("q"), assistant("no"))), origin="x")
    ((judgement, changed),) = asyncio.run(run())
    assert (judgement.keep, judgement.id) == (True, record.id)
    assert changed.messages[-1].text == "NO"
    assert changed.lineage[-1].by == "shout"


def test_ordered_filters_see_rows_in_order_through_all_chunks_and_calls() -> None:
    rows = [row(i // 2) for i in range(3 * CHUNK * AT_ONCE)]
    assert [judgement.keep for judgement in judge(rows, ["exact"])] == [i % 2 == 0 for i in range(len(rows))]

    async def twice() -> list[list[Judgement]]:
        async with open_filters(FilterRecipe.build({"filters": ["exact"]})) as opened:
            record = Record(content=Conversation(messages=(user("q"), assistant("a"))))
            return [await opened.judge([record]) for _ in range(2)]

    assert [[judgement.keep for judgement in judged] for judged in asyncio.run(twice())] == [[True], [False]]


def test_closing_filters_judge_what_is_left() -> None:
    judged = judge([row(1), row(2, "no"), row(3), row(4, "no")], [Picky(), Last()])
    assert lines(judged) == [
        (False, f"{Last.part_name()}#2", "early"),
        (False, Picky.part_name(), "no"),
        (True, None, ""),
        (False, Picky.part_name(), "no"),
    ]


async def test_inside_a_running_loop() -> None:
    assert judge([row(1)], ["math_answer"])[0].keep
    assert (await ajudge([row(1)], ["math_answer"]))[0].keep


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ("no_such_recipe", "no filter, no file and no shipped recipe"),
        (["math_anwser"], "did you mean 'math_answer'"),
        ([], "filters"),
        ([{"use": "length", "answr": 1}], "answr"),
        ("magpie", "filters"),
    ],
)
def test_filters_that_cannot_be_are_refused_before_a_row_is_read(filters: Any, told: str) -> None:
    def rows() -> Any:
        raise AssertionError("a row was read")
        yield

    if filters == "magpie":  # a shipped recipe with filters of its own is fine
        assert FilterRecipe.load(filters).filters
        return
    with pytest.raises(RecipeError, match=told):
        judge(rows(), filters)


def test_columns_are_mapped(tmp_path: Path) -> None:
    rows = [{"q": "1 + 6?", "a": "\\boxed{7}", "gold": "7", "rid": "r1"}]
    (judgement,) = judge(rows, ["math_answer"], fields={"prompt": "q", "response": "a", "answer": "gold", "id": "rid"})
    assert (judgement.keep, judgement.id) == (True, "r1")
    with pytest.raises(RecipeError, match="no column 'nope'"):
        judge(rows, ["math_answer"], fields={"prompt": "nope"})


def test_shapes_of_rows() -> None:
    think = "<think>six and one</think>\\boxed{7}"
    shapes: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "1 + 6?"}, {"role": "assistant", "content": think}], "answer": "7"},
        {"conversations": [{"from": "human", "value": "1 + 6?"}, {"from": "gpt", "value": think}], "answer": "7"},
        {"prompt": [{"role": "user", "content": "1 + 6?"}], "completion": [{"role": "assistant", "content": think}], "answer": "7"},
        {"instruction": "Add", "input": "1 and 6", "output": think, "answer": "7"},
        {"prompt": "1 + 6?", "response": "\\boxed{7}", "reasoning": "six and one", "answer": "7"},
    ]
    for shape in shapes:
        assert lines(judge([shape], ["think_format", "math_answer"])) == [(True, None, "")], shape
    assert lines(judge([{"text": "A page about apples."}], ["length"])) == [(True, None, "")]


def test_pairs_of_answers() -> None:
    question, good, bad = (
        {"role": "user", "content": "1 + 6?"},
        {"role": "assistant", "content": "\\boxed{7}"},
        {"role": "assistant", "content": "\\boxed{8}"},
    )
    shapes: list[dict[str, Any]] = [
        {"prompt": "1 + 6?", "chosen": "\\boxed{7}", "rejected": "\\boxed{8}", "answer": "7"},
        {"prompt": [question], "chosen": [good], "rejected": [bad], "answer": "7"},
        {"prompt": "1 + 6?", "chosen": [question, good], "rejected": [question, bad], "answer": "7"},
        {"chosen": [question, good], "rejected": [question, bad], "answer": "7"},
    ]
    for shape in shapes:
        assert lines(judge([shape], ["math_answer"])) == [(True, None, "")], shape
    assert judge([{"chosen": "a", "rejected": "b"}], ["length"])[0].reason.startswith("bad_row: a pair needs a prompt")


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(json | st.fixed_dictionaries({"prompt": json, "response": json}), max_size=12))
def test_any_rows_give_as_many_judgements(rows: list[Any]) -> None:
    rows = [{"prompt": "p", "response": "r"}, *rows]
    assert len(judge(rows, [Picky()])) == len(rows)


def test_a_judge_models_answers_are_stored(tmp_path: Path) -> None:
    from datalchemy.backends.scripted import Scripted
    from datalchemy.core.backend import Capability

    class Asks(Check):
        model: str = "judge"

        def needs(self) -> dict[str, frozenset[Capability]]:
            return {"judge": frozenset({"chat"})}

        def check(self, record: Record) -> Verdict:
            raise AssertionError

        @asynccontextmanager
        async def open(self, tools: Tools) -> AsyncIterator[Callable[[Sequence[Record]], Any]]:  # type: ignore[override]
            async def judged(records: Sequence[Record]) -> Sequence[Verdict]:
                replies = [await tools.model("judge").chat(record.messages, path=record.id) for record in records]
                return [self.kept(float(len(reply.text))) for reply in replies]

            yield judged

    model = Scripted()
    for _ in range(2):
        (judgement,) = judge([row(1)], [Asks()], models={"judge": model})
        assert judgement.score
    assert sum(model.calls.values()) == 1


def test_records_that_no_file_could_hold() -> None:
    """Made in Python: with lone surrogates they are judged like others, with values that are no JSON they are bad rows."""
    lone = [
        Record(content=Conversation(messages=(user("What \ud800?"), assistant(f"\\boxed{{7{odd}}}"))), answer="7") for odd in ("", "\ud800")
    ]
    tool = Record(content=Conversation(messages=(user("q"), assistant("7")), tools=({"parameters": object()},)), answer="7")
    judged = judge([lone[0], tool, *lone, row(1)], ["math_answer", "exact", Shout()])
    assert lines(judged) == [
        (True, None, ""),
        (False, None, "bad_row"),
        (False, "exact", "duplicate"),
        (False, "math_answer", "wrong_answer"),
        (True, None, ""),
    ]
    assert judged[2].record == lone[0].id
    assert lone[0].id in judged[2].reason + str(judged[2].verdicts[-1].evidence)
    for judgement in judged:
        judgement.model_dump_json()
