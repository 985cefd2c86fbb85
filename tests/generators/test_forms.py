"""Forms: what models of all sizes make of them is read, or refused with a word for it."""

from __future__ import annotations

import json

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.errors import Refused
from datalchemy.core.loose_json import escaped, objects
from datalchemy.core.part import Rendered
from datalchemy.generators._forms import Field, Form, filled, read
from hypothesis import given
from hypothesis import strategies as st

FORM = Form((Field("plan"), Field("steps", "texts"), Field("score", "number"), Field("verdict", "choice", ("equal", "not equal"))))
QUESTION = Form((Field("question"),))
WANTED = {"plan": "add", "steps": ["one", "two"], "score": 4.0, "verdict": "not equal"}


@pytest.mark.parametrize(
    "said",
    [
        '{"plan": "add", "steps": ["one", "two"], "score": 4, "verdict": "not equal"}',
        'Sure! Here it is:\n```json\n{"Plan": "add", "Steps": ["1. one", "2. two"], "Score": "4/5", "Verdict": "NOT EQUAL"}\n```\nHope it helps!',
        '{"plan": "add", "steps": "1. one\\n2. two", "score": 4.0, "verdict": "not equal",}',
        "<plan>add</plan>\n<steps>one</steps>\n<steps>two</steps>\n<score>4</score>\n<verdict>Not equal.</verdict>",
        "Of course.\n\n< PLAN >\nadd\n</PLAN>\n<steps>\n- one\n- two\n</steps>\n<score> 4 out of 5 </score><verdict>**not equal**",
        "<plan>...</plan><plan>add</plan><steps>one<steps>two</steps><score>4</score><verdict>not equal</verdict>",
    ],
)
def test_what_models_write_is_read(said):
    assert FORM.read(said) == WANTED


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(text="I'm sorry, but I can't help with that."), "unreadable: no question in \"I'm sorry, but"),
        (Reply(text="  \n"), "empty_reply"),
        (Reply(text="<think>hm"), "empty_reply"),
        (Reply(text="<question>What is 2 + ", finish_reason="length"), "cut"),
        (Reply(text='{"question": "What is 2 + ', finish_reason="length"), "cut"),
        (Reply(text="<question>...</question>"), "unreadable"),
        (Reply(text="<question></question>"), "unreadable"),
        (Reply(text='{"question": null}'), "unreadable"),
        (Reply(text='{"answer": "4"}'), "unreadable"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_word(reply, reason):
    with pytest.raises(Refused) as error:
        read(QUESTION, reply)
    assert str(error.value).startswith(reason)


def test_whole_parts_of_a_cut_reply_count():
    assert read(QUESTION, Reply(text="<question>What?</question>\nNow I explain why", finish_reason="length")) == {"question": "What?"}


def test_thinking_is_not_the_reply():
    assert read(QUESTION, Reply(text="<think><question>draft</question></think><question>final</question>")) == {"question": "final"}


def test_latex_keeps_its_backslashes_in_json():
    said = r'{"question": "If $\frac{1}{2} \times x \neq \sqrt{2}$ and \\beta = \beta,\nwhat is \(x\)?"}'
    assert QUESTION.read(said) == {"question": "If $\\frac{1}{2} \\times x \\neq \\sqrt{2}$ and \\beta = \\beta,\nwhat is \\(x\\)?"}
    assert json.loads(r'"\frac"') == "\frac", "the control: as it stands it is a form feed"


def test_a_hostile_reply_costs_little():
    for said in ("<question>" * 20_000, "<" + " " * 200_000, "{" * 100_000, '{"question": ' * 20_000, "<question>" + "</" * 90_000):
        QUESTION.read(said)


TEXTS = st.text(min_size=1).map(str.strip).filter(lambda text: text not in ("", "...", "…") and "`" not in text)


@given(TEXTS, st.lists(st.from_regex(r"[a-z]{1,9}( [a-z]{1,9}){0,3}", fullmatch=True), min_size=1, max_size=5))
def test_what_keeps_to_the_form_is_read_as_it_is(plan, steps):
    form = Form((Field("plan"), Field("steps", "texts")))
    value = {"plan": plan, "steps": steps}
    assert form.read(json.dumps(value)) == value
    if "<" not in plan and "{" not in plan:
        tags = f"<plan>{plan}</plan>" + "".join(f"<steps>{step}</steps>" for step in steps)
        assert form.read(tags) == value


@given(st.text())
def test_any_text_is_read_or_is_none(text):
    found = FORM.read(text)
    assert found is None or set(found) == set(WANTED)
    list(objects(escaped(text)))


class Asks:
    """Tools whose only wording asks with a form."""

    def __init__(self, double):
        self._double = double

    def __getattr__(self, name):
        return getattr(self._double, name)

    def render(self, prompt, **values):
        if prompt == "ask":
            return Rendered(text=f"{values['topic']}\n\n{values['form']}", name="ask", template="t")
        return self._double.render(prompt, **values)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_json_is_asked_for_where_the_backend_keeps_to_it_and_tags_elsewhere(scripted, double, language):
    form = Form((Field("question"), Field("level", "choice", ("easy", "hard"))))
    for capabilities, said in (
        ({"chat"}, "<question>What?</question><level>hard</level>"),
        ({"chat", "json_schema"}, '{"question": "What?", "level": "hard"}'),
    ):
        teacher = scripted(lambda call, said=said: said, capabilities=frozenset(capabilities))
        got = await filled(Asks(double(teacher, language=language)), "teacher", form, "ask", path="ask", topic="sums")
        assert got.values == {"question": "What?", "level": "hard"}
        (call,) = teacher.calls
        as_json = "json_schema" in capabilities
        assert (call.json_schema is not None) == as_json
        assert form.shown(as_json=as_json) in call.asked
        assert got.wording.name == "ask"
        assert got.reply.key


def test_an_empty_form():
    form = Form((Field("a", "texts"), Field("b", "choice", ("x", "y"))))
    assert form.shown(as_json=False) == "<a>...</a>\n<a>...</a>\n<b>x | y</b>"
    assert form.shown(as_json=True) == '{"a": ["...", "..."], "b": "x" | "y"}'
