"""What every filter of the house keeps to, whatever it judges."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core import plug
from datalchemy.core.part import Edit, Filter, Part
from datalchemy.core.record import Conversation, Message, PlainText, Preference, Record, ScoredStep, ScoredSteps, Verdict
from pydantic import ValidationError

PAGES = Path(__file__).parents[2] / "docs" / "filters"
NAMES = plug.names("eval")
EDITS = [name for name in NAMES if issubclass(plug.find("eval", (Filter, Edit), name), Edit)]
FILTERS = [name for name in NAMES if name not in EDITS]
LEAST: dict[str, dict[str, Any]] = {
    "answer_tags": {"tags": ["think"], "outside": True},
    "instructions": {"constraints": [{"id": "punctuation:no_comma"}]},
    "json_schema": {"json_schema": {"type": "integer"}, "part": "reference"},
    "tool_calls": {"expect": "none"},
    "by_label": {"label": "kind", "allow": ["sums"]},
    "labels": {"label": "score", "model": "scorer"},
    "tag": {"model": "tagger"},
    "ifd": {"max": 2.0},  # to the scripted model every question is as good as none
    "best_of": {"keep": 8, "unscored": "last"},
    "bsm_judge": {"model": "judge"},
    "judge": {"model": "judge"},
    "jury": {"models": ["judge"]},
    "listwise": {"model": "judge", "keep": 8},
    "pairwise": {"model": "judge"},
    "select": {"share": 1.0, "unscored": "last"},
    "contamination": {"against": [{"name": "rivers", "inline": [{"question": "Which of these nine rivers is the longest one of all?"}]}]},
    "semantic_duplicates": {"by": "all", "similarity": 0.99},
    "pattern": {"must_not_match": ["(?i)lorem ipsum"]},
}
"""Settings of filters that have none to start from."""

QUESTION = Message(role="user", content="How many apples are left?")
MORE = Message(role="user", content="How many apples are left in the end?")
ANSWER = Message(role="assistant", content="There are \\boxed{7} apples left.", reasoning="Ten apples less three apples are seven apples.")
RECORDS = [
    Record(content=Conversation(messages=(QUESTION, ANSWER)), answer="7", origin="a", labels={"kind": "sums"}),
    Record(content=Conversation(messages=(QUESTION,)), origin="b"),
    Record(origin="c"),
    Record(content=PlainText(text="A page of text about apples and other fruit."), origin="d"),
    Record(content=Preference(prompt=(MORE,), chosen=(ANSWER,), rejected=(ANSWER,)), answer="7", origin="e"),
    Record(content=ScoredSteps(prompt=(QUESTION,), steps=(ScoredStep(text="Ten less three is seven."),)), answer="7", origin="f"),
]


ADDS = Message(role="assistant", content="def add(a, b):\n    return a + b\n")
APPLES = '{"variables": {"apples": {"from": 1, "to": 9}}, "constraints": [{"greater": ["apples", 6]}, {"less": ["apples", 8]}]}'
FIRST = {
    "unit_tests": Record(content=Conversation(messages=(QUESTION, ADDS)), tests='["assert add(3, 4) == 7"]', origin="a"),
    "logic": Record(content=Conversation(messages=(QUESTION, ANSWER)), tests=APPLES, origin="a"),
}
"""What filters are shown first that need more of a record than the others."""


def beneath(cls: type) -> set[str]:
    """Fields of a class with a string beneath them."""
    (body,) = (node.body for node in ast.parse(textwrap.dedent(inspect.getsource(cls))).body if isinstance(node, ast.ClassDef))
    pairs = itertools.pairwise(body)
    return {
        field.target.id
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def shown(default: object) -> str:
    """A default as the page writes it: like YAML."""
    if default is None or isinstance(default, bool):
        return {None: "null", True: "true", False: "false"}[default]
    return f"{default:g}" if isinstance(default, float) else str(default) or '""'


def built(name: str) -> Any:
    return plug.build("eval", (Filter, Edit), {"use": name, **LEAST.get(name, {})})  # type: ignore[type-abstract]


@pytest.mark.parametrize("name", NAMES)
class TestEveryPart:
    def test_its_settings_survive_a_round_trip(self, name: str) -> None:
        part = built(name)
        dumped = part.model_dump(mode="json")
        assert dumped["use"] == name
        assert plug.build("eval", (Filter, Edit), dumped) == part  # type: ignore[type-abstract]

    def test_it_and_its_settings_are_documented(self, name: str) -> None:
        part = type(built(name))
        assert part.__doc__
        documented = {field for cls in part.__mro__[:-2] if issubclass(cls, Part) for field in beneath(cls)}
        assert set(part.model_fields) - documented <= {"prompt", "reasoning", "answer"}

    def test_its_page_lists_each_setting_with_its_default(self, name: str) -> None:
        page = (PAGES / f"{name}.md").read_text()
        assert f"[`{name}`](filters/{name}.md)" in (PAGES.parent / "filters.md").read_text()
        part = built(name)
        given = {field: part.__class__.model_fields[field] for field in LEAST.get(name, {})}
        defaults = {field: info.get_default(call_default_factory=True) for field, info in given.items() if not info.is_required()}
        dumped = part.model_copy(update=defaults).model_dump(mode="json", exclude_none=True)
        for field, info in type(part).model_fields.items():
            default = "required" if info.is_required() else f"`{shown(dumped.get(field))}`"
            assert f"| `{field}` | {default} |" in page

    def test_an_unknown_setting_is_refused(self, name: str) -> None:
        with pytest.raises(ValidationError):
            plug.build("eval", (Filter, Edit), {"use": name, "no_such_setting": 1})  # type: ignore[type-abstract]


@pytest.mark.parametrize("name", EDITS)
async def test_an_edit_gives_one_record_for_each_and_leaves_a_clean_one_alone(name: str, tools: Any) -> None:
    async with built(name).open(tools) as change:
        changed = list(await change(RECORDS))
    assert len(changed) == len(RECORDS)
    assert all(isinstance(record, Record) for record in changed)


@pytest.mark.parametrize("name", FILTERS)
class TestEveryFilter:
    async def test_one_verdict_a_record_in_the_same_order(self, name: str, judge: Callable[..., Any]) -> None:
        records = [FIRST.get(name, RECORDS[0]), *RECORDS[1:]]
        verdicts: list[Verdict] = await judge(built(name), records)
        assert len(verdicts) == len(records)
        assert {verdict.by for verdict in verdicts} == {name}
        assert verdicts[0].keep, verdicts[0].reason
        alone = [await judge(built(name), [record]) for record in records]
        assert [verdict.outcome for verdict in verdicts] == [one.outcome for (one,) in alone]

    async def test_no_records_no_verdicts(self, name: str, judge: Callable[..., Any]) -> None:
        assert await judge(built(name), []) == []

    async def test_a_verdict_is_small_json_and_names_its_reason(self, name: str, judge: Callable[..., Any]) -> None:
        for verdict in await judge(built(name), RECORDS):
            assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
            assert len(verdict.model_dump_json()) < 2000
            if verdict.outcome != "keep":
                word, colon, detail = verdict.reason.partition(": ")
                assert (word.isidentifier(), word.islower(), colon, bool(detail)) == (True, True, ": ", True)


def test_the_filters_of_the_main_job_are_there() -> None:
    assert {"exact", "language", "length", "math_answer", "no_code", "repetition", "think_format"} <= set(NAMES)
