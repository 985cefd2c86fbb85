from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from datalchemy.core.record import Conversation, Message, Record
from datalchemy.eval._letters import SCRIPTS, bits
from datalchemy.eval.gibberish import Gibberish
from hypothesis import given
from hypothesis import strategies as st

READABLE = [
    "There are seven apples left in the basket.", "Die Angstschweißperlen strömten über Schlittschuhläufers Stirn.", "Wszyscy przyszli szczęśliwie na przyjęcie do Krzysztofa.",
    "Strč prst skrz krk, říká se v Česku.", "Ik heb gisteren twee boeken gekocht.", "Người bạn của tôi sống ở thành phố.", "Собака спит под столом на кухне.", "Η γάτα κοιμάται στον ήλιο.",
    "القطة تنام تحت الشمس", "החתול ישן בשמש", "बिल्ली धूप में सोती है", "猫在阳光下睡觉。我们去学校。", "猫は日向で寝ている。学校へ行きます。", "고양이가 햇볕에서 자고 있다.", "แมวนอนอยู่กลางแดด",
    "Let sin x = cos y; then QED by the CPU, GPU and HTTPS rules of NASA.", "The words of the and a are small words, as is the word of.", "a = b = c = d and so on",
    "Kissa nukkuu auringossa pöydän alla.", "Kedi güneşte masanın altında uyuyor.", "A macska a napon alszik az asztal alatt.", "Mississippi, rhythm, strengths and crypt are all hard words.",
    "The hash is da39a3ee5e6b4b0d3255bfef95601890afd80709 and this is how it came to be, as told before in the long story of it all.",
    "```\nasdf qwer zxcv jkljkl\n```\nThis is the code.", "https://example.org/sdlkfjsdlkfj/qwpeoiruqwpeor see there", "Hmm. Aha! Pfft. OK, so it is.",
]  # fmt: skip
GIBBERISH = [
    "asdf jkl qwoeiru sdlkfj aslkdjf", "sdkjfh ksjdhf kjsdhf kjhsdf", "Answer: fjdksl fjdksla jfkdlsa jfkdl", "xqzt vbnm wrtp ljkh gfds", "ывапр олдж фывап йцукен ячсмит",
    "aaaaaaaaaa bbbbbbbbbbb ccccccccccc", "龘靐齉齾龗麤鱻爩麣灪", base64.b64encode(b"This sentence was packed so that nobody may read it, and that is bad.").decode(),
    "The answer is: " + base64.b64encode(bytes(range(200))).decode(), "deadbeef0123456789abcdef0123456789abcdef0123456789abcdef01234567 is it",
]  # fmt: skip


def said(text: str, **settings: object) -> str:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text),)))
    verdict = Gibberish.model_validate(settings).check(record)
    return verdict.reason.partition(":")[0] or verdict.outcome


@pytest.mark.parametrize("text", READABLE)
def test_texts_of_many_languages_are_kept(text: str) -> None:
    assert said(text) == "keep"


@pytest.mark.parametrize("text", GIBBERISH)
def test_mash_and_blobs_are_found(text: str) -> None:
    assert said(text) == "gibberish"


def test_random_letters_are_found_whatever_their_alphabet() -> None:
    rng = random.Random(1)
    for script in SCRIPTS:
        letters = script.letters[:32]
        for _ in range(100):
            text = " ".join("".join(rng.choices(letters, k=rng.randrange(4, 11))) for _ in range(12))
            assert said(text) == "gibberish", text


def test_shuffled_english_is_found_and_the_same_in_order_is_not() -> None:
    path = Path(__file__).parents[2] / "recipes" / "data" / "word-problems.jsonl"
    questions = [json.loads(line)["question"] for line in path.read_text().splitlines()]
    texts = [" ".join(questions[at : at + 12]) for at in range(0, 600, 12)]
    rng = random.Random(2)
    assert {said(question) for question in questions} == {"keep"}
    found = 0
    for text in texts:
        assert said(text) == "keep"
        words = text.split()
        rng.shuffle(words)
        found += said(" ".join(words)) == "word_order"
        assert said(" ".join(words), order=False) == "keep"
    assert found >= 40


def test_the_table_knows_words_from_noise() -> None:
    for word in ("apples", "przyjaciel", "Angstschweiß", "собака", "Nguyễn"):
        assert (bits(word) or 9) < 4.5
    for word in ("sdlkfj", "asdfgh", "zxcvbnm", "йцукен"):
        assert (bits(word) or 0) > 5.3
    assert bits("猫") is None
    assert bits("γάτα") is None


def test_short_parts_are_kept_and_thinking_is_read(reply: Callable[..., Record]) -> None:
    assert said("sdlkfj") == "keep"
    assert said("sdlkfj", min_words=1) == "gibberish"
    verdict = Gibberish().check(reply("seven", reasoning=GIBBERISH[0]))
    assert verdict.reason == "gibberish: 80% of the reasoning is unreadable, such as: asdf"
    assert verdict.score == pytest.approx(0.2)


@given(st.text() | st.lists(st.sampled_from([*READABLE, *GIBBERISH, "the ", "of ", "'"])).map("".join))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert said(text, min_words=1) in ("keep", "gibberish", "word_order")


@pytest.mark.parametrize("piece", ["a", "a'", "A1", "the of ", "=", "猫", "\ud800", "- ", "``"])
def test_hostile_texts_end(piece: str) -> None:
    said(piece * (1_000_000 // len(piece)))
