from __future__ import annotations

from typing import Any

import pytest
from datalchemy.core.errors import WorkerFault
from datalchemy.core.record import (
    Conversation,
    Media,
    Message,
    PlainText,
    Preference,
    Record,
    ScoredStep,
    ScoredSteps,
    assistant,
    system,
    user,
)
from datalchemy.engine.filtering import open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.eval._mend import KINDS, mended
from datalchemy.eval._verbatim import prose, verbatim
from datalchemy.eval.clean import HERE, Clean
from hypothesis import given, settings
from hypothesis import strategies as st

MENDED = [
    ("cafÃ© au lait â€“ trÃ¨s bon", "café au lait – très bon", "mojibake"),
    ("Itâ€™s seven.", "It’s seven.", "mojibake"),
    ("<p>One.</p><p>Two <b>and</b> three.</p>", "One.\n\nTwo and three.", "markup"),
    ("one<br/>two", "one\ntwo", "markup"),
    ("a <a href='https://x.org'>link</a><!-- hidden -->", "a link", "markup"),
    ("before<script>alert(1)</script> after", "before after", "markup"),
    ("7 &lt; 8 &amp; 8 &gt; 7 &#39;so&#x27;", "7 < 8 & 8 > 7 'so'", "markup"),
    ("zero\u200bwidth\ufeff and \u202etrojan\u202c", "zerowidth and trojan", "invisible"),
    ("tags\U000e0041\U000e0042 out", "tags out", "invisible"),
    ("\x1b[31mred\x1b[0m \x07bell\x00", "red bell", "controls"),
    ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link", "controls"),
    ("one\r\ntwo\u2028three", "one\ntwo\nthree", "controls"),
    ("non\u00a0breaking  and   doubled  ", "non breaking and doubled", "spaces"),
    ("one \n\n\n\n\ntwo", "one\n\ntwo", "spaces"),
    ("e\u0301te\u0301", "été", "unicode"),
]
KEPT = [
    "x < y and y > z", "a<b and c>d", "<think>One and six.</think>\n\n<answer>7</answer>", "x<sup>2</sup> and H<sub>2</sub>O", "List<String> names", "&lt;b&gt; is written so", "&amp;lt; is written so",
    "```html\n<p>Hello&nbsp;<b>you</b></p>  \n\n\n\n\n```", "`<br>` breaks", "$a  <b>  c$ and \\(x &amp; y\\)", "\\begin{matrix} a & b \\\\  c & d \\end{matrix}", "<pre>  a  <b>b</b></pre>",
    "- one\n  - two\n    - three", "| a    | b  |\n| ---  | -- |\n| long | x  |", "می\u200cخواهم", "क्\u200dष", "👨\u200d👩\u200d👧 and ❤️", "https://example.org/?a=1&copy=2&lt;x", "naïve café – “quoted” … ½ × 3 = 1,5 €",
    "Es kostet 3,50 €. Größe: 5 m².", "首先，我们计算总和。", "ＡＢＣ full width", "AT&T; and R&D", "Text.\n",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "kind"), MENDED)
def test_each_kind_of_damage_is_mended_and_counted(text: str, expected: str, kind: str) -> None:
    new, counts = mended(text, KINDS, "NFC")
    assert new == expected
    assert counts[kind] > 0


@pytest.mark.parametrize("text", KEPT)
def test_what_is_meant_stays(text: str) -> None:
    assert mended(text, KINDS, "NFC") == (text, {})


@pytest.mark.parametrize(("text", "kind"), [(text, kind) for text, _, kind in MENDED])
def test_a_kind_that_is_not_asked_for_stays(text: str, kind: str) -> None:
    others = [one for one in KINDS if one != kind]
    assert kind not in mended(text, others, "NFC")[1]


def test_the_normal_form_is_a_choice() -> None:
    assert mended("x² ﬁ", KINDS, "NFC")[0] == "x² ﬁ"
    assert mended("x² ﬁ", KINDS, "NFKC")[0] == "x2 fi"


PIECES = st.sampled_from(
    [text for text, _, _ in MENDED] + KEPT + ["```", "$", "<p>", "&", "amp;", "lt;", "<", ">", "\u200d", " ", "\n", "\\(", "\x1b["]
)


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join))
def test_mending_settles(text: str) -> None:
    """Two passes at most, as one kind of damage may hide another; no letter is lost outside of markup and escapes."""
    once = mended(text, KINDS, "NFC")[0]
    twice = mended(once, KINDS, "NFC")[0]
    thrice = mended(twice, KINDS, "NFC")[0]
    assert len(twice) <= len(once)
    assert len(thrice) <= len(twice)
    assert not any(0xD800 <= ord(char) < 0xE000 for char in once)


@given(st.text("abc \n,.;", max_size=60))
def test_letters_are_never_lost(text: str) -> None:
    assert mended(text, KINDS, "NFC")[0].split() == text.split()


@given(
    st.lists(
        st.sampled_from(
            [
                "```",
                "$",
                "$$",
                "\\[",
                "\\]",
                "\\begin{a}",
                "\\end{a}",
                "<pre>",
                "</pre>",
                "<!--",
                "-->",
                "https://x.y ",
                "a",
                " ",
                "\n",
                "`",
            ]
        )
    ).map("".join)
)
def test_verbatim_pieces_are_in_order_and_apart(text: str) -> None:
    at = 0
    for start, end, _ in verbatim(text):
        assert at <= start < end <= len(text)
        at = end
    assert isinstance(prose(text), str)


def dirty(text: str = "a\u200bb") -> str:
    return text


def test_parts_of_every_kind_of_record_and_the_lineage() -> None:
    turns = (system(dirty()), user(dirty()), assistant(dirty(), dirty()), Message(role="tool", content=dirty()))
    conversation = Record(content=Conversation(messages=turns), answer=dirty(), origin="x")
    changed = Clean().edit(conversation)
    assert [message.text for message in changed.messages] == ["ab", "ab", "ab", dirty()]
    assert changed.messages[2].reasoning == "ab"
    assert (changed.answer, changed.lineage[-1].by, changed.lineage[-1].parent) == (dirty(), "clean", conversation.id)
    assert changed.lineage[-1].detail == {"changed": {"invisible": 4}}
    only = Clean(parts=("reasoning",)).edit(conversation)
    assert (only.messages[2].text, only.messages[2].reasoning, only.messages[0].text) == (dirty(), "ab", dirty())
    pair = Clean().edit(Record(content=Preference(prompt=turns[:2], chosen=turns[2:3], rejected=turns[2:3])))
    assert isinstance(pair.content, Preference)
    assert (pair.content.chosen[0].text, pair.content.rejected[0].reasoning) == ("ab", "ab")
    steps = Clean().edit(Record(content=ScoredSteps(prompt=turns[:2], steps=(ScoredStep(text=dirty(), score=0.5),))))
    assert isinstance(steps.content, ScoredSteps)
    assert steps.content.steps == (ScoredStep(text="ab", score=0.5),)
    assert Clean().edit(Record(content=PlainText(text=dirty()))).content == PlainText(text="ab")
    media = Record(
        content=Conversation(messages=(Message(role="user", content=(Media(type="text", text=dirty()), Media(type="image", url="u"))),))
    )
    assert Clean().edit(media).messages[0].content == (Media(type="text", text="ab"), Media(type="image", url="u"))


def test_a_clean_record_is_the_same_object() -> None:
    record = Record(content=Conversation(messages=(user("How many?"), assistant("Seven.", "One and six."))))
    assert Clean().edit(record) is record
    assert Clean(kinds=("markup",)).edit(Record(content=PlainText(text=dirty()))).content == PlainText(text=dirty())


def test_a_lone_surrogate_is_taken_out() -> None:
    record = Record(content=Conversation(messages=(user("a\ud800b"),)))
    changed = Clean().edit(record)
    assert changed.messages[0].text == "ab"
    assert changed.lineage[-1].parent == record.id


async def test_long_records_go_to_a_worker_and_a_dead_one_leaves_them(tools: Any) -> None:
    record = Record(content=PlainText(text="<b>word</b> " * HERE))
    async with Clean().open(tools) as change:
        (changed,) = await change([record])
    assert isinstance(changed.content, PlainText)
    assert changed.content.text == ("word " * HERE).rstrip()
    assert changed.lineage[-1].detail["changed"]["markup"] == 2 * HERE

    class Broken:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            raise WorkerFault("timeout", "so it went")

    async with Clean().open(type("T", (), {"workers": Broken()})()) as change:  # type: ignore[arg-type]
        assert (await change([record]))[0] is record


async def test_in_a_chain_of_filters_the_mended_text_is_judged() -> None:
    record = Record(content=Conversation(messages=(user("Say seven."), assistant("sev\u200ben"))), origin="1")
    for chain, kept in ((["pattern"], False), (["clean", "pattern"], True)):
        parts = [{"use": name, **({"must_match": ["^seven$"]} if name == "pattern" else {})} for name in chain]
        async with open_filters(FilterRecipe.build({"filters": parts})) as opened:
            assert (await opened.judge([record]))[0].keep is kept


HOSTILE = [
    "<",
    "&amp;",
    "$",
    "`",
    "\\begin{a}",
    "<pre>",
    "Ã©",
    "\u200d",
    " ",
    "\x1b[",
    "<!--",
    "<script>",
    "\\[",
    "| ",
    "<p a=b",
    "https://",
    "\n",
    "\ud800",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_texts_end(piece: str) -> None:
    """Patterns that look for a closing mark anew at each opening one took half a minute here."""
    mended(piece * (300_000 // len(piece)), KINDS, "NFC")
