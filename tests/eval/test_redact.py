"""`redact`: what stands in the place of what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import Conversation, Message, Record, ToolCall, assistant, user
from datalchemy.eval._pii.finding import find
from datalchemy.eval.redact import Redact
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from test_privacy import CANARY, FOUND, everywhere

KEY_ENV = "DATALCHEMY_TEST_PSEUDONYMS"
Change = Callable[..., Any]


@pytest.fixture
def change(tools: Any, monkeypatch: pytest.MonkeyPatch) -> Change:
    monkeypatch.setenv(KEY_ENV, "0123456789abcdef-of-the-test")

    async def changed(part: Redact, records: Sequence[Record]) -> list[Record]:
        async with part.open(tools) as one:
            return list(await one(records))

    return changed


def parts() -> list[Redact]:
    return [Redact(), Redact(how="tag"), Redact(how="pseudonym", key_env=KEY_ENV)]


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.how)
async def test_nothing_is_left_in_any_place(part: Redact, change: Change) -> None:
    records = [record for _, record in everywhere()]
    for before, after in zip(records, await change(part, records), strict=True):
        assert "canary" in before.dump().decode().lower()  # a control
        assert "canary" not in after.dump().decode().lower()
        step = after.lineage[-1]
        assert (step.by, step.parent, step.detail) == ("redact", before.id, {"how": part.how, "replaced": {"email": 1}})
        (again,) = await change(part, [after])
        assert again is after  # what stands there now is nobody's


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.how)
@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
async def test_every_kind_has_something_in_its_place(part: Redact, text: str, kind: str, value: str, change: Change) -> None:
    (after,) = await change(part, [Record(content=Conversation(messages=(user(text),)))])
    assert value not in after.prompt
    assert find(after.prompt) == []
    start = text.index(value)
    assert after.prompt.startswith(text[:start])
    assert after.prompt.endswith(text[start + len(value) :])


async def test_reserved_values_tell_two_apart_within_a_record(change: Change) -> None:
    turns = (
        user("I am kk77@quillmark.io, not pp@quillmark.io"),
        assistant("Hello KK77@Quillmark.io! Call +49 30 901820 or (415) 555-2671."),
    )
    (after,) = await change(Redact(), [Record(content=Conversation(messages=turns))])
    assert [message.text for message in after.messages] == [
        "I am user1@example.com, not user2@example.com",
        "Hello user1@example.com! Call +1-202-555-0100 or 202-555-0101.",
    ]


async def test_pseudonyms_are_the_same_in_all_records_of_a_key(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Redact(how="pseudonym", key_env=KEY_ENV)
    records = [
        Record(content=Conversation(messages=(user(text),)))
        for text in (CANARY, f"{CANARY.upper()} again", "pp@quillmark.io", "+49 30 901820")
    ]
    texts = [record.prompt for record in await change(part, records)]
    assert texts[1] == f"{texts[0]} again"
    assert texts[0].startswith("user-")
    assert texts[0].endswith("@example.com")
    assert len({*texts}) == 4
    assert texts[3].startswith("[PHONE-")
    monkeypatch.setenv(KEY_ENV, "another key of the same length")
    assert (await change(part, records[:1]))[0].prompt != texts[0]


async def test_pseudonyms_need_a_key_that_is_there(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="needs `key_env`"):
        Redact(how="pseudonym")
    with pytest.raises(ValidationError, match="needs `key_env`"):
        Redact(key_env="A_KEY")
    monkeypatch.setenv(KEY_ENV, "short")
    with pytest.raises(RecipeError, match=f"{KEY_ENV} must hold"):
        await change(Redact(how="pseudonym", key_env=KEY_ENV), [])


async def test_arguments_stay_json_and_keep_their_spelling_where_nothing_changed(change: Change) -> None:
    """Trap: a line feed escaped as `\\n` in front of an address is no letter of it."""
    odd = '{"b":1,  "a": "\\u00e9"}'
    calls = (
        ToolCall(name="f", arguments=odd),
        ToolCall(name="g", arguments=json.dumps({"text": f"to:\n{CANARY}", "ssn": 536904399, "n": 536904399})),
    )
    (after,) = await change(Redact(), [Record(content=Conversation(messages=(Message(role="assistant", tool_calls=calls),)))])
    first, second = after.messages[0].tool_calls
    assert first.arguments == odd
    assert json.loads(second.arguments) == {"text": "to:\nuser1@example.com", "ssn": "987-65-4320", "n": 536904399}


async def test_a_clean_record_passes_as_it_is(change: Change, reply: Callable[..., Record]) -> None:
    record = reply("seven \ud800", fields={"n": 7, "t": (1, 2)})
    assert (await change(Redact(), [record]))[0] is record


async def test_a_long_text_is_changed_through_a_worker(change: Change) -> None:
    text = "é " + "filler words " * 5000 + CANARY + " end"
    (after,) = await change(Redact(), [Record(content=Conversation(messages=(user(text),)))])
    assert after.prompt == text.replace(CANARY, "user1@example.com")


@settings(deadline=None)
@given(st.lists(st.sampled_from([text for text, _, _ in FOUND]) | st.text(max_size=8), max_size=5).map(" | ".join))
async def test_after_the_change_there_is_nothing_to_find(text: str) -> None:
    from datalchemy.eval._pii.replacing import Replacer

    for how in ("reserved", "tag"):
        assert find(Replacer(how).replaced(text, find(text))) == []  # type: ignore[arg-type]
