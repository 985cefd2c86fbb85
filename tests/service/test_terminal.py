"""T11: nothing that a model wrote makes a terminal do anything."""

import io

import pytest
from datalchemy.engine.snapshot import Counts, Snapshot, Spent
from datalchemy.service.progress import Lines, Live, facts
from datalchemy.service.terminal import clean, columns, duration, money, one_line
from hypothesis import given
from hypothesis import strategies as st

PAYLOADS = {
    "colour": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07after",
    "hyperlink": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZWNobyBvd25lZA==\x07",
    "clear": "\x1b[2J\x1b[H",
    "device control": "\x1bP+q544e\x1b\\x",
    "c1 csi": "\x9b31mred",
    "c1 osc": "\x9d0;owned\x9c",
    "nested": "\x1b\x1b[31m[31m\x1b]\x1b]0;x\x07",
    "carriage return": "accepted\rrefused",
    "backspace": "no\b\byes",
    "bell": "\x07",
    "delete": "a\x7fb",
    "right to left": "\u202eevil\u2066x",
    "surrogate": "\ud800",
    "unfinished": "text \x1b]0;never closed",
}


def harmless(text: str) -> bool:
    return not any((ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) <= 0x9F or 0x202A <= ord(c) <= 0x202E for c in text)


@pytest.mark.parametrize("name", PAYLOADS)
def test_t11_escape_sequences_never_reach_a_terminal(name: str) -> None:
    shown = clean(PAYLOADS[name])
    assert harmless(shown)
    shown.encode("utf-8")
    assert "owned" not in shown or name == "c1 osc"


def test_t11_control_the_checker_sees_what_gets_through() -> None:
    assert not any(harmless(payload) for name, payload in PAYLOADS.items() if name not in ("surrogate",))


@given(st.text(st.sampled_from("\x1b\x9b\x9d\x07\\]P[0;m8\n\tab\u202e\ud800") | st.characters(), max_size=40))
def test_t11_any_text_is_harmless_after_cleaning(text: str) -> None:
    shown = clean(text)
    assert harmless(shown)
    assert clean(shown) == shown


def test_plain_text_is_left_alone() -> None:
    text = "Tom has 3 äpfel,\n\tthen 四 more: $7 \U0001f600"
    assert clean(text) == text


def test_one_line_is_one_line() -> None:
    assert one_line("a\n b\r\n\tc") == "a b c"
    assert one_line("x" * 50, 10) == "xxxxxxx..."


def test_columns_line_up() -> None:
    assert columns([("a", "b"), ("long", "c")]) == "a     b\nlong  c"
    assert columns([]) == ""


@pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (48, "48 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("dollars", "text"), [(None, "no price given"), (0.0, "$0.00"), (0.0123, "$0.0123"), (1234.5, "$1,234.50")])
def test_money_is_readable(dollars: float | None, text: str) -> None:
    assert money(dollars) == text


def snapshot(**changes: object) -> Snapshot:
    moment = {
        "name": "trial",
        "target": 200,
        "counts": Counts(started=190, accepted=143, refused=37, failed=0, pending=10),
        "reasons": {"math_answer: wrong_answer": 21, "think_format: \x1b[31mcut": 9, "exact: duplicate": 7, "length: short": 1},
        "spent": Spent(calls=400, dollars=0.12),
        "in_flight": 64,
        "accepted_per_minute": 311.0,
        "tokens_per_second": 2410.0,
        "eta_s": 21.0,
    }
    return Snapshot.model_validate({**moment, **changes})


def test_the_figures_of_a_moment() -> None:
    assert facts(snapshot()) == [
        "143/200 accepted",
        "64 in flight",
        "311 accepted/min",
        "2,410 tokens/s",
        "$0.1200",
        "refused math_answer: wrong_answer 21, think_format: cut 9, exact: duplicate 7",
        "21 s left",
    ]


def test_the_figures_of_a_target_with_shares() -> None:
    told = facts(snapshot(target=20, counts=Counts(accepted=40), kinds={"math": (30, 12), "code": (5, 8)}))
    assert told[0] == "17/20 accepted"
    assert "math 30/12, code 5/8" in told


def lines_of(moments: list[tuple[float, str, int]]) -> list[str]:
    """What a log gets of a run: (second, state, accepted) as it is watched."""
    now = [0.0]
    stream = io.StringIO()
    lines = Lines(stream, clock=lambda: now[0])
    for moment, state, accepted in moments:
        now[0] = moment
        lines.watch(snapshot(state=state, counts=Counts(accepted=accepted)))
    assert harmless(stream.getvalue())
    return stream.getvalue().splitlines()


def test_off_a_terminal_a_line_comes_every_two_seconds_and_at_each_change_of_state() -> None:
    running, draining = "running", "draining"
    told = lines_of([(0.0, running, 1), (0.5, running, 2), (1.9, running, 3), (2.1, running, 4), (2.2, draining, 4), (2.3, draining, 5)])
    assert [line.split("/")[0] for line in told] == ["1", "4", "4"]
    assert told[-1].endswith("draining")


def test_off_a_terminal_a_run_that_stands_still_says_so_every_half_minute() -> None:
    assert len(lines_of([(second, "running", 7) for second in range(62)])) == 3


def test_on_a_terminal_the_display_is_redrawn_and_closed() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    live = Live(stream)
    live.watch(snapshot(stages={"1 magpie": Counts(accepted=5), "2 cot": Counts(accepted=3)}))
    live.note("draining \x1b]0;owned\x07")
    live.watch(snapshot(target=None))
    live.close()
    shown = stream.getvalue()
    assert "143/200 accepted" in shown
    assert "1 magpie: 5 accepted" in shown
    assert "owned" not in shown
