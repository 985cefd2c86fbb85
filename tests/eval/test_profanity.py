from __future__ import annotations

from collections.abc import Callable

import pytest
from datalchemy.core.record import Conversation, Message, Record
from datalchemy.eval._profanity_words import WORDS
from datalchemy.eval.profanity import Profanity
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

CLEAN = [
    "The museum is in Scunthorpe, near Penistone and Essex.", "Dickens wrote of Titania, the cockpit and a peacock.", "Assess the classic assassin's assumption in the grass.", "Hello, shell and mitsuhiko.",
    "Analysis of therapists and cumulative circumference, document and cocktail.", "Fick's second law: the flux is proportional to the gradient.", "The retarded potential of a moving charge.", "Shiitake and shitake mushrooms.",
    "Hancock prickly pear, prick the dough with a fork.", "Maine Coon cats and raccoons.", "Use MongoDB with a hash of s.h.a.", "a b c d e f g h i j k", "Die dicke Fichte fiel am Abend.", "La guerra di Troia.", "Il arrive en retard.",
    "El niño nació en Cadaqués; su amigo Kike llegó.", "他妈妈在学校。本土人士支持。", "パチンコの店。死ねない理由。", "Страховать и оскорблять, колебать, употреблять.", "Er zählt die Assistenten.", "5 * 4 = 20 and 3 * * 2", "f*g is a product", "f * * k", "Kunterbunt, Mikunta, Scheißegal?",
]  # fmt: skip
FOUL = [
    "What the fuck is this?", "SHIT happens.", "You asshole!", "sh1t, it is late", "f*ck it", "sh*t", "f u c k this", "s.h.i.t", "shiiiiit", "fuuuck", "F.U.C.K you", "b!tch please", "a$$hole", "Das ist Scheiße.", "So ein Arschloch!",
    "Putain, c'est cher.", "¡Qué mierda!", "Che cazzo dici?", "Que merda é essa?", "Godverdomme zeg.", "Иди нахуй.", "Kurwa mać.", "你这个傻逼。", "このくそったれが。", "motherfucking bullshit", "ｆｕｃｋ",
]  # fmt: skip


def said(text: str, **settings: object) -> str:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text),)))
    verdict = Profanity.model_validate(settings).check(record)
    return verdict.reason or verdict.outcome


@pytest.mark.parametrize("text", CLEAN)
def test_innocent_words_are_kept(text: str) -> None:
    assert said(text) == "keep"


@pytest.mark.parametrize("text", FOUL)
def test_swear_words_are_found_however_they_are_spelled(text: str) -> None:
    assert said(text).startswith("profanity: 1 in the answer: ") or said(text).startswith("profanity: 2 in the answer: ")


def test_the_word_is_not_repeated() -> None:
    assert said("What the fuck") == "profanity: 1 in the answer: f***"


def test_levels() -> None:
    mild, slur = "Damn, it is late.", f"You {WORDS['en']['slur'].split()[4]}!"
    assert said(mild) == "keep"
    assert said(mild, levels=["mild"]).startswith("profanity: ")
    assert said(slur).startswith("slur: 1 ")
    assert said(slur, levels=["strong"]) == "keep"


def test_own_words_allowed_words_and_languages() -> None:
    assert said("Oh, Frell!", words=["frell"]).startswith("profanity: ")
    assert said("What a shit.", allow=["Shit"]) == "keep"
    assert said("sh1t", allow=["shit"]) == "keep"
    assert said("merda", languages=["en", "de"]) == "keep"
    assert said("shit shit", max_hits=2) == "keep"
    with pytest.raises(ValidationError, match="no list"):
        Profanity(languages=("xx",))


def test_code_is_left_out_and_the_prompt_is_read(reply: Callable[..., Record]) -> None:
    assert said("```\nint shit = 3;\n```") == "keep"
    assert Profanity().check(reply("Seven.", prompt="What the fuck?")).evidence["part"] == "prompt"


def test_no_word_is_on_two_levels_of_a_list() -> None:
    for levels in WORDS.values():
        words = [word for level in levels.values() for word in level.split()]
        assert len(words) == len(set(words))
        assert all(len(word) > 1 for word in words)


@given(st.text() | st.lists(st.sampled_from([*CLEAN, *FOUL, "*", "@", "f", "u", " ", "."])).map("".join))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert said(text).startswith(("keep", "profanity: ", "slur: "))


@pytest.mark.parametrize("piece", ["f", "f ", "f*", "*", "@", "a.", "fu", "傻", "\ud800", "f-u-"])
def test_hostile_texts_end(piece: str) -> None:
    said(piece * (500_000 // len(piece)))
