"""`privacy`: what is found, what is not, and that nothing which was found is ever said again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from datalchemy.core.record import (
    Conversation,
    Media,
    Message,
    PlainText,
    Preference,
    Record,
    ScoredStep,
    ScoredSteps,
    ToolCall,
    assistant,
    system,
    user,
)
from datalchemy.engine.filtering import judge as judge_rows
from datalchemy.eval._pii.finding import find
from datalchemy.eval._pii.spans import KINDS, Span, disjoint
from datalchemy.eval.privacy import Privacy
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from cases._private_texts import NEGATIVE, draw, negatives, positives
from cases._records import worked

FOUND = [
    ("Write to jo.k81@quillmark.io.", "email", "jo.k81@quillmark.io"),
    ("写信到kk77@quillmark.com吧", "email", "kk77@quillmark.com"),
    ("jürg@kälte.de", "email", "jürg@kälte.de"),
    ("ask kk77 [at] quillmark [dot] com", "email", "kk77 [at] quillmark [dot] com"),
    ("kk77＠quillmark.com", "email", "kk77＠quillmark.com"),
    ("_kk77@quillmark.com_ in italics", "email", "_kk77@quillmark.com"),
    ("ask kk77@quillmark.com--soon", "email", "kk77@quillmark.com"),
    ("?to=kk77%40quillmark.com&x=1", "email", "kk77%40quillmark.com"),
    ("kk77&#64;quillmark.com", "email", "kk77&#64;quillmark.com"),
    ("kk77 at quillmark dot com", "email", "kk77 at quillmark dot com"),
    ("0049 30 901820", "phone", "0049 30 901820"),
    ("Tél : 06 12 34 56 79", "phone", "06 12 34 56 79"),
    ("card 4539.5787.6362.1486", "card", "4539.5787.6362.1486"),
    ("iban de75 5121 0800 1245 1261 99 thanks", "iban", "de75 5121 0800 1245 1261 99"),
    ("IBANDE75512108001245126199", "iban", "DE75512108001245126199"),
    ("ssn 536 90 4399", "national_id", "536 90 4399"),
    ("dni 12345678z", "national_id", "12345678z"),
    ("codice rssmra85t10a562s", "national_id", "rssmra85t10a562s"),
    ("NI number: ab 12 34 56 c", "national_id", "ab 12 34 56 c"),
    ("Authorization: Basic YWRtaW46aHVudGVyMjI=", "key", "YWRtaW46aHVudGVyMjI="),
    ("Passwort: Geh3im!Wort", "key", "Geh3im!Wort"),
    ("密码：Tr0ub4dor&3", "key", "Tr0ub4dor&3"),
    ("Call +49 30 901820 today", "phone", "+49 30 901820"),
    ("Call (415) 555-2671.", "phone", "(415) 555-2671"),
    ("Tel.: 030 901820", "phone", "030 901820"),
    ("手机号码是13812345678", "phone", "13812345678"),
    ("tel: +٤٩ ٣٠ ٩٠١٨٢٠", "phone", "+٤٩ ٣٠ ٩٠١٨٢٠"),
    ("Paid by 4539 5787 6362 1486", "card", "4539 5787 6362 1486"),
    ("card=4539578763621486", "card", "4539578763621486"),
    ("to DE75 5121 0800 1245 1261 99 please", "iban", "DE75 5121 0800 1245 1261 99"),
    ("her 536-90-4399 was on file", "national_id", "536-90-4399"),
    ("ssn 536904399", "national_id", "536904399"),
    ("CPF 529.982.247-25", "national_id", "529.982.247-25"),
    ("身份证11010519491231002X", "national_id", "11010519491231002X"),
    ("DNI 12345678Z", "national_id", "12345678Z"),
    ("S1234567D", "national_id", "S1234567D"),
    ("PESEL 44051401359", "national_id", "44051401359"),
    ("export AWS_ACCESS_KEY_ID=AKIAQ3EGRIPXVJ2T7B5W", "key", "AKIAQ3EGRIPXVJ2T7B5W"),
    ('api_key = "f3A9kd02mfLz81QpX7yT"', "key", "f3A9kd02mfLz81QpX7yT"),
    ("use sk-proj-T3abcDEFghiJKL890abcdEFGH", "key", "sk-proj-T3abcDEFghiJKL890abcdEFGH"),
    ("postgres://admin:hunter22x@db.quillmark.com/x", "url_login", "admin:hunter22x"),
    ("from 84.12.33.7 at noon", "ip", "84.12.33.7"),
    ("2a00:1450:4001:81b::200e", "ip", "2a00:1450:4001:81b::200e"),
    ("3c:22:fb:9a:11:0e", "mac", "3c:22:fb:9a:11:0e"),
]
NOBODY = [
    "user1@example.com", "a@b.test", "git@github.com:a/b.git", "@handle@social.org", "icon@2x.png", "y = X@W.T", "A@B.dot(C)", "x@y",
    "+1 202 555 0143", "020 7946 0958 is a telephone of films: tel 020 7946 0958", "4242 4242 4242 4242", "DE89 3704 0044 0532 0130 00", "DE75512108001245126198",
    "4539 5787 6362 1487", "192.0.2.7", "127.0.0.1", "10.1.2.3", "version 84.12.33.7", "1.2.3.4", "8.8.8.8", "2001:db8::1", "fe80::1", "a::b", "12:30:45",
    "00:00:5E:00:53:01", "12-34-56-78-90-12", "219-09-9999", "987-65-4320", "000-12-3456", "12345678A", "529.982.247-26", "AKIAIOSFODNN7EXAMPLE",
    "api_key = 'your-api-key-goes-here-1'", "api_key = os.environ['API_KEY_2']", "https://user:password@example.com", "https://a.org:8080/x@y.z", "token = tokenizer(text)",
    "user1%40example.com", "look at the polka dot pattern", "meet at example dot com", "0.0049 30 901820", "12345678z", "is 12 monkeys de75 5121",
    "Authorization: Basic auth", "de75512108001245126199",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_it_is_found_at_its_very_place(text: str, kind: str, value: str) -> None:
    (span,) = find(text)
    assert (span.kind, text[span.start : span.end]) == (kind, value)


@pytest.mark.parametrize("text", NOBODY)
def test_reserved_and_false_ones_are_nobodys(text: str) -> None:
    assert find(text) == []


def test_numbers_of_problems_and_code_are_no_finds() -> None:
    """Trap: a text about mathematics is full of numbers with 16 or 9 digits, one in ten with a right check digit."""
    assert [one.text for one in negatives(8, seed=77) if find(one.text)] == []
    assert [record.origin for record in worked(1000) for m in record.messages if find(m.text) or find(m.reasoning or "")] == []
    rng = Random(5)
    for _ in range(500):
        for text in (
            f"= {draw(rng, '################')}",
            f"{draw(rng, '#########')} + 7",
            f"{draw(rng, '####')} · {draw(rng, '###########')}",
        ):
            assert find(text) == [], text


def test_what_is_planted_is_found() -> None:
    planted = list(positives(20, seed=99))
    missed = [
        one
        for one in planted
        if not any(span.kind == one.kind and span.start <= one.start and span.end >= one.end for span in find(one.text))
    ]
    assert len(missed) <= len(planted) // 50, missed[:3]


def test_a_number_alone_needs_a_word_beside_it() -> None:
    for number in ("44051401359", "111222333", "2234 5678 9123", "13812345678", "536904399"):
        assert find(f"The result is {number} in the end.") == []


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_can_be_left_out(kind: Any) -> None:
    value = next(text for text, found, _ in FOUND if found == kind)
    assert [span.kind for span in find(value, [kind])] == [kind]
    assert kind not in [span.kind for span in find(value, [other for other in KINDS if other != kind])]


CANARY = "kk77canary@quillmark.io"
SECRET = "sk-proj-CANARY7abcDEFghiJKL890abcdEFGH"


def everywhere() -> list[tuple[str, Record]]:
    call = ToolCall(name="send", arguments=json.dumps({"to": [{"mail": CANARY}]}))
    turns = {
        "system": (system(f"You are {CANARY}"), user("hi"), assistant("hello")),
        "prompt": (user(f"I am {CANARY}"), assistant("hello"), user("more"), assistant("yes")),
        "reasoning": (user("hi"), assistant("hello", f"he is {CANARY}")),
        "answer": (user("hi"), assistant(f"<think>{CANARY}</think> hello")),
        "tools": (user("hi"), Message(role="assistant", tool_calls=(call,)), assistant("done")),
    }
    return [
        *((place, Record(content=Conversation(messages=messages))) for place, messages in turns.items()),
        ("tools", Record(content=Conversation(messages=(user("hi"), Message(role="tool", content=f"found {CANARY}"), assistant("ok"))))),
        ("tools", Record(content=Conversation(messages=(user("hi"),), tools=({"description": f"mails {CANARY}"},)))),
        (
            "prompt",
            Record(
                content=Conversation(
                    messages=(Message(role="user", content=(Media(type="text", text=CANARY), Media(type="image", url="a.png"))),)
                )
            ),
        ),
        ("answer", Record(content=PlainText(text=f"from {CANARY}"))),
        ("answer", Record(content=Preference(prompt=(user("a"),), chosen=(assistant("b"),), rejected=(assistant(CANARY),)))),
        ("answer", Record(content=ScoredSteps(prompt=(user("a"),), steps=(ScoredStep(text="b"), ScoredStep(text=CANARY))))),
        ("fields", Record(content=Conversation(messages=(user("a"),)), fields={"row": {"owner": [1, CANARY]}})),
        ("fields", Record(content=Conversation(messages=(user("a"),)), answer=CANARY)),
        ("fields", Record(content=Conversation(messages=(user("a"),)), tests=json.dumps([{"in": CANARY}]))),
        ("fields", Record(content=Conversation(messages=(user("a"),)), fields={CANARY: 1})),
        ("fields", Record(content=Conversation(messages=(user("a"),)), labels={"by": CANARY})),
    ]


async def test_every_place_is_searched_and_nothing_is_said_again(judge: Callable[..., Any]) -> None:
    places, records = zip(*everywhere(), strict=True)
    for place, verdict in zip(places, await judge(Privacy(), records), strict=True):
        assert verdict.reason == f"personal_data: 1 email in the {place}"
        assert verdict.score == 1
        assert "canary" not in verdict.model_dump_json().lower()
        assert verdict.evidence["found"] == {"email": 1}
        ((where, kind, start, end),) = verdict.evidence["spans"]
        assert (where, kind, end - start) == (place, "email", len(CANARY))
    others = [
        Privacy(places=tuple(p for p in ("system", "prompt", "reasoning", "answer", "tools", "fields") if p != place)) for place in places
    ]
    for part, record in zip(others, records, strict=True):
        assert (await judge(part, [record]))[0].keep  # a control: the place alone decides


async def test_settings(judge: Callable[..., Any], reply: Callable[..., Record]) -> None:
    record = reply(f"{CANARY} and {CANARY}, from 10.1.2.3")
    assert [v.outcome for v in await judge(Privacy(max=2), [record])] == ["keep"]
    assert [v.score for v in await judge(Privacy(max=2), [record])] == [2]
    assert (await judge(Privacy(allow=("@quillmark.io",)), [record]))[0].keep
    assert (await judge(Privacy(allow=(CANARY.upper(),)), [record]))[0].keep
    assert not (await judge(Privacy(allow=("@mark.io",)), [record]))[0].keep
    (verdict,) = await judge(Privacy(private_ips=True), [record])
    assert verdict.reason == "personal_data: 2 email in the answer, 1 ip in the answer"
    (verdict,) = await judge(Privacy(), [reply(f"use {SECRET}")])
    assert verdict.reason == "secret: 1 key in the answer"
    assert verdict.evidence["found"] == {"key.sk": 1}


async def test_the_name_of_a_column_is_a_word_beside_its_value(judge: Callable[..., Any]) -> None:
    call = ToolCall(
        name="pay", arguments=json.dumps({"ssn": 536904399, "phone_number": "2125550187x", "phone": "(212) 736-5000", "total": 536904399})
    )
    record = Record(content=Conversation(messages=(user("hi"), Message(role="assistant", tool_calls=(call,)))))
    (verdict,) = await judge(Privacy(), [record])
    assert verdict.evidence["found"] == {"national_id.us_ssn": 1, "phone": 1}


async def test_long_and_hostile_texts_end(judge: Callable[..., Any], reply: Callable[..., Record]) -> None:
    """1 MB each: they go to a worker process, and none of the patterns takes more than linear time."""
    deep = "[" * 100_000 + "]" * 100_000
    texts = [
        "1" * 10**6,
        "a@" * 10**5,
        "\ud800 " + "x" * 20_000 + f" \udfff {CANARY}",
        "1 " * 10**5,
        "+1 " * 10**5,
        "://a:b" * 10**5,
        "-----BEGIN PRIVATE KEY-----" * 5000,
        "eyJ-" * 10**5,
    ]
    calls = [Record(content=Conversation(messages=(Message(role="assistant", tool_calls=(ToolCall(name="f", arguments=deep),)),)))]
    verdicts = await judge(Privacy(), [*(reply(text) for text in texts), *calls])
    assert [verdict.outcome for verdict in verdicts] == ["keep", "keep", "refuse", "keep", "keep", "keep", "refuse", "keep", "keep"]
    nested: Any = "x"
    for _ in range(500):
        nested = {"a": [nested]}
    assert (await judge(Privacy(), [Record(fields={"deep": nested})]))[0].keep


async def test_a_search_that_dies_is_an_abstention(reply: Callable[..., Record]) -> None:
    from datalchemy.core.errors import WorkerFault

    class Dead:
        async def call(self, *_: Any, **__: Any) -> Any:
            raise WorkerFault("timeout", CANARY)

    class Tools:
        workers = Dead()

    async with Privacy().open(Tools()) as one:  # type: ignore[arg-type]
        verdicts = await one([reply("y" * 20_000 + CANARY), reply("short")])
    assert [verdict.outcome for verdict in verdicts] == ["abstain", "keep"]
    assert verdicts[0].reason == "not_searched: the search for personal data ended early (timeout)"
    assert Privacy().on_abstain == "refuse"


def test_it_judges_rows_outside_of_a_run() -> None:
    kept, refused = judge_rows([{"prompt": "1 + 6?", "response": "7"}, {"prompt": "1 + 6?", "response": f"ask {CANARY}"}], ["privacy"])
    assert (kept.keep, refused.keep, refused.reason) == (True, False, "personal_data: 1 email in the answer")


def test_where_two_overlap_the_one_of_precedence_counts() -> None:
    spans = [Span("phone", 5, 17), Span("card", 0, 19), Span("key", 30, 40), Span("email", 20, 35)]
    assert disjoint(spans) == [Span("card", 0, 19), Span("key", 30, 40)]


spans = st.builds(lambda kind, start, size: Span(kind, start, start + size), st.sampled_from(KINDS), st.integers(0, 40), st.integers(1, 12))


@given(st.lists(spans, max_size=12))
def test_disjoint_spans_cover_no_place_twice(some: list[Span]) -> None:
    kept = disjoint(some)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    assert set(kept) <= set(some)
    best = min(KINDS.index(span.kind) for span in some) if some else 0
    assert not some or any(KINDS.index(span.kind) == best for span in kept)


PIECES = [text for text, _, _ in FOUND] + NOBODY + [one.replace("#", "7") for one in NEGATIVE]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=6).map("".join))
def test_any_text_gets_spans_within_it(text: str) -> None:
    found = find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
