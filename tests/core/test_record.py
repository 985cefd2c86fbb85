"""A record's id: the same in every run, and there for whatever text a record can hold."""

from __future__ import annotations

from typing import Any

import pytest
from datalchemy.core.record import Conversation, PlainText, Record, assistant, user
from hypothesis import given
from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]))


def test_ids_are_what_they_were() -> None:
    """They stand in data sets and in indexes that outlive a run."""
    talk = Record(
        content=Conversation(messages=(user("How many?"), assistant("Seven, naïve \N{BUTTERFLY}.", "One and six."))), origin="seeds/1"
    )
    assert talk.id == "6a18b977292824ec"
    assert Record(content=PlainText(text="")).id == "bed25e1a59024bd8"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_has_an_id_of_its_own(text: str, origin: str, other: str, elsewhere: str) -> None:
    one, two = Record(content=PlainText(text=text), origin=origin), Record(content=PlainText(text=other), origin=elsewhere)
    assert one.id == Record(content=PlainText(text=text), origin=origin).id
    assert (one.id == two.id) == ((text, origin) == (other, elsewhere))
    assert one.derive("other", [user(text)]).lineage[-1].parent == one.id


def test_lone_surrogates_are_told_apart() -> None:
    texts = ["\ud800", "\ud801", "?", "\ufffd", "\\ud800"]
    assert len({Record(content=Conversation(messages=(user(text),))).id for text in texts}) == len(texts)


@pytest.mark.parametrize("odd", [object(), {1, object()}])
def test_what_no_json_can_hold_has_none(odd: Any) -> None:
    with pytest.raises(ValueError, match="serializ"):
        _ = Record(content=Conversation(tools=({"parameters": odd},))).id
