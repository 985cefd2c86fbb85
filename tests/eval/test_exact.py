from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.errors import StorageError
from datalchemy.core.record import Conversation, Media, Message, PlainText, Preference, Record, ToolCall, assistant, user
from datalchemy.eval.exact import Exact, _Index
from hypothesis import given
from hypothesis import strategies as st

Judge = Callable[..., Any]


async def test_the_twin_is_named(judge: Judge, reply: Callable[..., Record]) -> None:
    first, other, again = reply("Seven.", origin="0"), reply("Eight.", origin="1"), reply("Seven.", origin="2")
    kept, also, refused = await judge(Exact(), [first, other, again])
    assert (kept.outcome, also.outcome, refused.outcome) == ("keep", "keep", "refuse")
    assert refused.reason == f"duplicate: of {first.id}"
    assert refused.evidence == {"of": first.id}


async def test_case_space_and_width_do_not_make_a_difference(judge: Judge, reply: Callable[..., Record]) -> None:
    texts = ["Straße  ﬁn １\n", "STRASSE fin 1", "strasse fin 2"]
    assert [v.outcome for v in await judge(Exact(), [reply(text) for text in texts])] == ["keep", "refuse", "keep"]


@pytest.mark.parametrize(("by", "expected"), [("all", "keep keep keep"), ("prompt", "keep refuse keep"), ("response", "keep keep refuse")])
async def test_what_is_compared(judge: Judge, reply: Callable[..., Record], by: str, expected: str) -> None:
    records = [reply("1", prompt="a"), reply("2", prompt="a"), reply("1", prompt="b")]
    assert " ".join(v.outcome for v in await judge(Exact(by=by), records)) == expected


async def test_all_does_not_glue_turns_together(judge: Judge, reply: Callable[..., Record]) -> None:
    records = [reply("b c", prompt="a"), reply("c", prompt="a b")]
    assert [v.outcome for v in await judge(Exact(), records)] == ["keep", "keep"]


def calls(city: str) -> Record:
    """A question, and nothing but the call of a tool as its answer."""
    call = Message(role="assistant", tool_calls=(ToolCall(name="weather", arguments=f'{{"city": "{city}"}}'),))
    return Record(content=Conversation(messages=(user("Is it raining?"), call)), origin=city)


def shows(picture: str) -> Record:
    question = Message(role="user", content=(Media(type="image", url=picture), Media(type="text", text="What is it?")))
    return Record(content=Conversation(messages=(question, assistant("A cat."))), origin=picture)


def prefers(worse: str) -> Record:
    return Record(content=Preference(prompt=(user("q"),), chosen=(assistant("Yes."),), rejected=(assistant(worse),)), origin=worse)


@pytest.mark.parametrize(
    ("made", "by", "expected"),
    [
        (calls, "all", "keep keep refuse"),
        (calls, "prompt", "keep refuse refuse"),
        (calls, "response", "keep keep refuse"),
        (shows, "all", "keep keep refuse"),
        (shows, "prompt", "keep keep refuse"),
        (shows, "response", "keep refuse refuse"),
        (prefers, "all", "keep keep refuse"),
        (prefers, "response", "keep refuse refuse"),
    ],
)
async def test_what_is_no_text_tells_records_apart(judge: Judge, made: Callable[[str], Record], by: str, expected: str) -> None:
    records = [made("one"), made("two"), made("one")]
    assert " ".join(v.outcome for v in await judge(Exact(by=by), records)) == expected


async def test_nothing_is_no_duplicate_of_nothing(judge: Judge) -> None:
    only = Record(content={"messages": (Message(role="user", content="q"),)})
    assert [v.outcome for v in await judge(Exact(by="response"), [only, only])] == ["abstain", "abstain"]
    pages = [Record(content=PlainText(text="page")), Record(content=PlainText(text="Page "))]
    assert [v.outcome for v in await judge(Exact(by="response"), pages)] == ["keep", "refuse"]


async def test_each_opening_starts_afresh(judge: Judge, reply: Callable[..., Record]) -> None:
    assert [(await judge(Exact(), [reply("a")]))[0].outcome for _ in range(2)] == ["keep", "keep"]


def test_p21_the_index_is_on_disk_and_not_in_memory() -> None:
    """200,000 records: about 5 MB of index; the control keeps the same in a dict, which takes several times the bound."""

    def resident() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6

    index = _Index()
    index.first("warm", f"{1:016x}")
    before = resident()
    for n in range(200_000):
        assert index.first(f"text {n}", f"{n:016x}") is None
    grown = resident() - before
    assert index.first("text 77", f"{1:016x}") == f"{77:016x}"
    index.close()
    before = resident()
    control = {f"text {n}": f"{n:016x}" for n in range(200_000)}
    assert grown < 6 < resident() - before
    assert len(control) == 200_000


def test_p10_a_full_disk_is_named() -> None:
    index = _Index()
    index._db.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StorageError, match="SQLITE_TMPDIR"):
        for n in range(10_000):
            index.first(os.urandom(8).hex(), f"{n:016x}")
    index.close()


@given(st.lists(st.text(max_size=3), max_size=20))
def test_the_first_of_equals_and_only_the_first(texts: list[str]) -> None:
    index, first = _Index(), dict[str, str]()
    for n, text in enumerate(texts):
        assert index.first(text, f"{n:016x}") == first.get(text)
        first.setdefault(text, f"{n:016x}")
    index.close()
