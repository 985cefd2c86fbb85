"""The report: its numbers are the run's, and nothing that a model wrote becomes part of the page."""

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import orjson
import pytest
from datalchemy.core.record import Conversation, Record, Verdict, assistant, user
from datalchemy.formats import charts
from datalchemy.formats.measures import Few, Measures, Sample, Spread
from datalchemy.formats.report import card, render
from hypothesis import given
from hypothesis import strategies as st

XSS = [
    "<script>window.hit=1</script>",
    "</style><script>window.hit=1</script>",
    "</script><script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "' onmouseover=window.hit=1 x='",
    "<a href='javascript:window.hit=1'>x</a>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<!--<img src=x onerror=window.hit=1>-->",
    "{{ 7 * 7 }}{% for x in [1] %}",
    "</pre></details><base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "&lt;img src=x onerror=window.hit=1&gt;",
    "\u202e<b>evil\u2066",
    "]]><![CDATA[<img src=x onerror=window.hit=1>",
    "\x00<scr\x00ipt>window.hit=1</scr\x00ipt>",
    "a" * 20_000,
]


class Row:
    """A row of the ledger."""

    def __init__(self, status: str, id_: str, text: str = "", stage: int = 0) -> None:
        self.status, self.stage, self.strategy, self.id = status, stage, text or "cot", id_
        self.filter, self.reason = ("", "") if status == "accepted" else (text or "math_answer", f"{text or 'wrong'}: {text}")
        self.score = None


def told(text: str = "", **more) -> dict:
    base = {
        "name": text,
        "status": text or "complete",
        "message": text,
        "task": text,
        "purpose": None,
        "target": 4,
        "pending": 0,
        "stages": [text or "cot"],
        "formats": ["parquet"],
        "seed": 7,
        "fingerprint": {text or "recipe": text or "ab12"},
        "versions": {text or "datalchemy": text or "0.1.0"},
        "recipe": {text: [text]},
        "seconds": 61.0,
        "totals": {text or "teacher": {"calls": 9, "reused": 3, "prompt_tokens": 100, "completion_tokens": 300, "dollars": 0.02}},
    }
    return {**base, **more}


def body(text: str, n: int) -> dict:
    verdicts = (Verdict(by=text or "math_answer", outcome="keep", score=1.0, reason=text),)
    turns = (user(text or "question"), assistant(text or "answer", text or "thought"))
    return orjson.loads(
        Record(
            content=Conversation(messages=turns), answer=text or "7", origin=str(n), labels={text or "topic": text or "x", "pass_rate": 0.5}
        )
        .judged(*verdicts)
        .dump()
    )


def measured(texts: list[str]) -> Measures:
    measures = Measures(7, 0)
    for n, text in enumerate(texts):
        measures.add(Row("accepted", f"{3 * n:016x}", text), body(text, n), published=True)
        measures.add(Row("refused", f"{3 * n + 1:016x}", text), body(text, n), {"replies": [{"text": text}]})
        measures.add(Row("failed", f"{3 * n + 2:016x}", text), body(text, n), {"message": text})
    return measures


class Elements(HTMLParser):
    """What a page is made of: its tags with the names of their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[tuple[str, tuple[str, ...]]] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


@pytest.mark.parametrize("text", XSS)
def test_no_text_becomes_a_tag_or_an_attribute(text):
    harmless = Elements(render(told("x"), measured(["x"])))
    hostile = Elements(render(told(text), measured([text])))
    assert hostile.tags == harmless.tags
    assert text[:50].replace("\x00", "") in "".join(hostile.text).replace("\x00", "")


def test_the_checker_sees_what_is_not_escaped():
    page = render(told("x"), measured(["x"])).replace("<bdi>x", f"<bdi>{XSS[3]}")
    assert Elements(page).tags != Elements(render(told("x"), measured(["x"]))).tags


def test_the_page_is_self_contained_and_its_policy_admits_only_its_own_script():
    page = render(told(), measured([""]))
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    for tag in ("style", "script"):
        [inline] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert not re.search(r"\b(src|href|style|on\w+)=", re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL))
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_the_numbers_of_the_head_are_those_of_the_run():
    page = "".join(Elements(render(told(), measured([""] * 3))).text)
    for figure in (
        "of 4 wanted",
        "33 %",
        "$0.0067",
        "$0.02 in all",
        "1 min 01 s",
        "133 per accepted",
        "pass_rate 0.5",
        "Reasoning · 7 characters",
    ):
        assert figure in page, figure


def test_measures_that_a_recipe_can_demand():
    numbers = measured([""] * 3).thresholds(4, told()["totals"])
    assert numbers["acceptance_rate"] == numbers["refused_share"] == numbers["failed_share"] == 1 / 3
    assert (numbers["target_share"], numbers["mean_pass_rate"], numbers["mean_math_answer.score"]) == (0.75, 0.5, 1.0)
    assert (numbers["reasoning_share"], numbers["mean_answer_chars"], numbers["reused_share"]) == (1.0, 6.0, 0.25)
    assert numbers["dollars_per_accepted"] == pytest.approx(0.02 / 3)
    nothing = Measures(7, 0).thresholds(4, {"m": {"calls": 1.0, "dollars": None}})
    assert nothing == {"accepted": 0, "target_share": 0, "reused_share": 0}, "what was not measured is not there"


def test_a_run_without_anything_still_has_a_report():
    assert "No record was accepted." in render(told(totals={}, target=None, seconds=0.0), Measures(7, 0))


def test_samples_do_not_depend_on_the_order_of_arrival():
    rows = [(Row("accepted", f"{n:016x}"), body("", n)) for n in range(60)]
    chosen = []
    for order in (rows, rows[::-1]):
        measures = Measures(7, 0)
        for row, record in order:
            measures.add(row, record, published=True)
        chosen.append([sample.id for sample in measures.accepted_samples.samples])
    assert chosen[0] == chosen[1] and len(chosen[0]) == 12


def test_rare_refusals_are_among_the_samples():
    measures = Measures(7, 0)
    for n in range(500):
        measures.add(Row("refused", f"{n:016x}", "rare" if n == 250 else "usual"), body("", n))
    assert {sample.by for sample in measures.few_refused()} == {"rare", "usual"}


def test_reasons_without_end_are_counted_together():
    measures = Measures(7, 0)
    for n in range(2000):
        measures.add(Row("refused", f"{n:016x}", f"reason{n}"), body("", n))
    assert len(measures.reasons) == 401 and sum(measures.reasons.values()) == 2000 and len(measures.few_refused()) == 12


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_close(lengths, share):
    spread = Spread()
    for length in lengths:
        spread.add(length)
    exact = sorted(lengths)[max(0, min(len(lengths) - 1, -int(-share * len(lengths) // 1) - 1))]
    assert abs(spread.quantile(share) - exact) <= 0.1 * exact + 1
    measures = Measures(7, 0)
    measures.answers = spread
    [shape] = charts.shapes(measures)
    assert sum(int(b.title.rpartition(": ")[2].replace(",", "")) for b in shape.bars) == len(lengths)
    assert all(b.x >= 0 and b.x + b.width <= 320.1 and b.y >= 0 for b in shape.bars) and 0 <= shape.median <= 320


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**6)), st.integers(0, 10**6))
def test_segments_stay_in_their_bar(counts, spare):
    for segment in charts.segments(counts, sum(counts.values()) + spare):
        assert segment.x >= 0 and segment.x + segment.width <= 1000.1


@pytest.mark.parametrize(
    "value, expected",
    [
        (0, "0"),
        (999, "999"),
        (1234, "1,234"),
        (12345, "12.3k"),
        (9999, "10k"),
        (999_999, "1M"),
        (999_400, "999k"),
        (4_560_000, "4.56M"),
        (7.5, "7.5"),
        (2.0, "2"),
    ],
)
def test_numbers_are_short(value, expected):
    assert charts.short(value) == expected


@pytest.mark.parametrize(
    "share, expected", [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.0001, "< 0.1 %"), (0.99999, "> 99.9 %"), (0.023, "2.3 %")]
)
def test_shares_never_pretend(share, expected):
    assert charts.percent(share) == expected


@pytest.mark.parametrize(
    "value, expected",
    [
        (0, "$0.00"),
        (3.84, "$3.84"),
        (0.00256, "$0.0026"),
        (0.000000123, "$0.00000012"),
        (0.5, "$0.50"),
        (1234.5, "$1,234.50"),
        (0.02, "$0.02"),
    ],
)
def test_dollars_keep_two_figures(value, expected):
    assert charts.dollars(value) == expected


@pytest.mark.parametrize(
    "value, expected", [(0.25, "0.2 s"), (59.9, "60 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"), (7325, "2 h 02 min")]
)
def test_durations(value, expected):
    assert charts.duration(value) == expected


def test_the_card_names_its_files():
    text = card(told(name="my\n---\nset", formats=["jsonl"]), measured([""]))
    assert text.split("---")[1].count("path: train.jsonl") == 1 and "# my --- set\n" in text


def test_few_keeps_each_candidate_once():
    few = Few(3)
    sample = Sample("a", 0, "", "", "", None, [], None, {}, [])
    for _ in range(3):
        few.add(1, sample)
    assert few.samples == [sample]


@pytest.mark.parametrize(
    "status, target, says",
    [
        ("complete", 4, "The target was reached"),
        ("complete", None, "Every seed was used"),
        ("paused", 4, "a setting is off"),
        ("odd", 4, "because"),
    ],
)
def test_the_page_says_how_the_run_ended(status, target, says):
    for text in (
        render(told(status=status, target=target, message="because"), measured([""])),
        card(told(status=status, target=target, message="because"), measured([""])),
    ):
        assert says in text
