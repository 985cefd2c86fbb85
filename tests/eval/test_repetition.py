from __future__ import annotations

import random
from collections.abc import Callable

from datalchemy.core.record import Conversation, Message, PlainText, Record
from datalchemy.eval.repetition import Repetition, _ending
from hypothesis import given
from hypothesis import strategies as st

LINES = [
    "First we add the {a} apples and the {b} pears.", "That makes {c} pieces of fruit in all.", "Now {a} of them are eaten on Monday.",
    "So we subtract: {c} - {a} = {b}.", "Half of {b} is not needed here.", "Let me check: {a} + {b} = {c}, which is right.",
    "On Tuesday the basket holds {b} pieces.", "Each child gets the same share of {b}.", "Therefore the answer must be {b}.",
    "We could also have counted the pears alone.", "Wait, the question asks for the pears, so I read it again.", "The pears were {b} from the start.",
]  # fmt: skip


def worked(seed: int, lines: int) -> str:
    rng = random.Random(seed)
    said = []
    for _ in range(lines):
        a, b = rng.randrange(2, 90), rng.randrange(2, 90)
        said.append(rng.choice(LINES).format(a=a, b=b, c=a + b))
    return "\n".join(said)


def judged(text: str, **settings: object) -> tuple[str, float]:
    record = Record(content=Conversation(messages=(Message(role="assistant", content="7", reasoning=text),)))
    verdict = Repetition.model_validate(settings).check(record)
    assert verdict.score is not None
    return verdict.reason.partition(":")[0] or verdict.outcome, verdict.score


def test_worked_solutions_are_kept() -> None:
    for seed in range(200):
        assert judged(worked(seed, 5 + seed % 20))[0] == "keep", f"seed {seed}"


def test_a_loop_at_the_end_is_found() -> None:
    loop = "so we check the sum again and find that it is the same sum as before, which means that we must check it "
    assert judged(worked(1, 10) + loop * 21)[0] in ("loop", "repeated_ngrams")
    assert judged(worked(1, 10) + loop * 21, max_share=1) == ("loop", judged(worked(1, 10) + loop * 21)[1])
    assert judged(worked(1, 10) + loop * 20, max_share=1, max_endings=20)[0] == "keep"
    assert judged("wait " * 100)[0] == "loop"


def test_repeated_ngrams_and_their_score() -> None:
    word, score = judged("the sum of two and three is five so " * 12)
    assert word == "repeated_ngrams"
    assert score < 0.2
    assert judged(worked(3, 12))[1] > 0.5
    assert judged("the sum of two and three is five so " * 4)[0] == "keep"


def test_repeated_lines() -> None:
    assert judged("Let us try again now.\n" * 8, max_share=1)[0] == "repeated_lines"
    assert judged("x = 1\n" * 8)[0] == "keep"


def test_chinese_is_counted_by_characters() -> None:
    assert judged("首先我们计算总和然后再除以三" * 15)[0] == "repeated_ngrams"


def test_a_text_that_ends_in_a_loop_too_short_for_the_other_rules() -> None:
    loop = "so we check it again and then "
    assert judged(worked(1, 10) + loop * 5)[0] == "ends_in_loop"
    assert judged(worked(1, 10) + loop * 5 + "so we")[0] == "ends_in_loop", "cut in the middle"
    assert judged(worked(1, 10) + loop * 4)[0] == "keep"
    assert judged(worked(1, 10) + loop * 6 + "Therefore the answer must be seven.")[0] == "keep", "it got out of the loop"
    assert judged(worked(1, 10) + " ha ha ha ha ha ha")[0] == "keep"
    assert Repetition().check(Record(content=PlainText(text=worked(1, 10) + loop * 7))).evidence["times"] == 7


def test_repeated_paragraphs() -> None:
    block = "It is always the same story with these apples and pears, which nobody ever wanted to count in the first place.\n\n"
    others = [worked(seed, 4).replace("\n", " ") + "\n\n" for seed in range(3)]
    assert judged("".join([block, others[0], block, others[1], block]), max_share=1)[0] == "repeated_paragraphs"
    assert judged("".join([block, *others]), max_share=1)[0] == "keep"
    assert judged("".join([block, others[0], block]), max_share=1, max_paragraphs=0.5)[0] == "keep"


@given(st.lists(st.sampled_from("ab"), max_size=24), st.integers(1, 10))
def test_the_ending_is_what_a_search_finds(tokens: list[str], least: int) -> None:
    best = 0
    for period in range(1, len(tokens) + 1):
        length = period
        while length < len(tokens) and tokens[len(tokens) - length - 1] == tokens[len(tokens) - length - 1 + period]:
            length += 1
        if length >= least:
            best = max(best, length // period)
    unit, times = _ending(tokens, least)
    assert times == best
    assert not times or list(unit) * times == tokens[len(tokens) - len(unit) * times :]


def test_both_parts_are_read(reply: Callable[..., Record]) -> None:
    assert Repetition().check(reply("wait " * 100)).evidence["part"] == "answer"
    assert Repetition(parts=("reasoning",)).check(reply("wait " * 100)).keep


@given(st.text() | st.lists(st.sampled_from(["a", "b", "\n", " ", "and so on "])).map("".join), st.integers(1, 5), st.integers(1, 30))
def test_any_text_gets_a_verdict(text: str, ngram: int, tokens: int) -> None:
    word, score = judged(text, ngram=ngram, loop_tokens=tokens, min_tokens=tokens)
    assert word in ("keep", "loop", "ends_in_loop", "repeated_ngrams", "repeated_lines", "repeated_paragraphs")
    assert 0 <= score <= 1
