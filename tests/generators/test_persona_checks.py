"""Personas that name somebody, and texts that give their persona away (traps: methods.md 2)."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.generators._persona_checks import DECLINED, flaw_of, unleaked
from datalchemy.generators._persona_tasks import SOLVED
from datalchemy.personas.composed import Composed
from datalchemy.personas.panel import PANEL

FINE = [
    "A curator who wrote about the years 2001-2009 and collects trams",
    "A retired bus driver who restores old radios and explains them to school classes",
    "An African American historian of the Civil War who collects ration cards",
    "A Software Engineer at a High School in New York who maintains the timetable",
    "A beekeeper in the Middle East who measures honey. She sells it at markets",
    "Somebody who looks after lighthouses in the North Atlantic",
    "Someone has to do it: a night porter who reads philosophy",
    "A nurse, aged 34, who works on a children's ward",
    "一位在乡村小学教数学的年轻老师，喜欢观鸟",
    "一位高中生的母亲，程序员，业余研究家谱",
    "程序员，喜欢在周末修理旧收音机，也爱下棋",
    "一位王姓家族的家谱研究者，熟悉地方史料",
]
NAMED = [
    "John Smith, a farmer from the valley who grows beans",
    "A biographer of Marie Curie who writes for radio",
    "A neighbour of Dr. Alvarez who keeps the parish accounts",
    "A young woman named Clara who repairs bicycles",
    "Maria, a nurse who works at night",
    "Maria is a nurse who works at night",
    "A secretary to President Lincoln who copies letters",
    "一位名叫李明的医生，热爱长跑和摄影",
    "张伟，一位在工厂上班的电工，喜欢钓鱼",
    "一位程序员，王老师的学生，爱好下棋和登山",
]
CONTACT = [
    "A plumber who answers at pipes@water.com every day",
    "A poet who posts as @rhymes_all on a network",
    "A tutor whom pupils call at +49 30 1234 5678",
    "A seller with a shop at https://shop.test/x who ships tea",
    "一位卖茶叶的店主，微信：tea888，周末休息",
]


@pytest.mark.parametrize("text", FINE)
def test_nobody_in_particular(text: str) -> None:
    assert flaw_of(text) == ""


@pytest.mark.parametrize(("texts", "reason"), [(NAMED, "name"), (CONTACT, "contact")])
def test_somebody_real_is_refused(texts: list[str], reason: str) -> None:
    assert {text: flaw_of(text) for text in texts} == dict.fromkeys(texts, reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too_short"),
        ("A nurse", "too_short"),
        ("一位护士", "too_short"),
        ("A nurse who " + "works and works " * 40, "too_long"),
        ("I'm sorry, but I cannot describe such a person", "assistant_voice"),
        ("Here is a persona: a nurse who works at night", "assistant_voice"),
        ("A person who is interested in the topics of this text", "vague"),
        ("一位对上述文章的内容感兴趣的普通读者", "vague"),
    ],
)
def test_what_is_no_persona(text: str, reason: str) -> None:
    assert flaw_of(text) == reason


@pytest.mark.parametrize("language", ["en", "zh"])
def test_our_own_personas_pass_our_own_checks(language: str) -> None:
    composed = Composed()
    assert [text for n in range(400) if flaw_of(text := composed.persona(n, language).text)] == []
    assert [view.key for view in PANEL if flaw_of(view.zh if language == "zh" else view.en) not in ("", "too_short")] == []


NURSE = "A nurse in a children's ward who keeps bees and is saving for a greenhouse of her own."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Someone who keeps bees and is saving for a greenhouse buys 4 panes", "persona_copied"),
        ("As a nurse, you give 3 doses of 5 ml. How many ml are that?", "persona_named"),
        ("A ward has 12 beds. As the nurse on duty, I need 3 sheets a bed. How many sheets?", "persona_named"),
        ("I'm a nurse on a ward, and need a rota for six people", "persona_named"),
    ],
)
def test_a_text_that_gives_its_persona_away(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        unleaked(NURSE, text, 6)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "A hive gives 12 kg of honey a year. How much do seven hives give in three years?",
        "As a result, the greenhouse needs 14 panes. As soon as they come, it is built.",
        "As a baker, you sell 40 loaves",
        "I'm a bit confused about what comes with a hive, and who keeps it",
        "Six children share a ward; each bed is 2 m long. How long is the row?",
    ],
)
def test_a_text_that_does_not(text: str) -> None:
    unleaked(NURSE, text, 6)


def test_the_limit_is_a_number_of_words_and_half_as_many_for_a_chinese_character() -> None:
    with pytest.raises(Refused, match="6 words in a row"):
        unleaked(NURSE, "who keeps bees and is saving", 5)
    unleaked(NURSE, "who keeps bees and is saving", 6)
    nurse = "一位住在山谷里的护士，业余喜欢养蜂，正攒钱建温室。"
    unleaked(nurse, "某人正攒钱建温室，要买玻璃。", 6)
    with pytest.raises(Refused, match="persona_copied"):
        unleaked(nurse, "某人业余喜欢养蜂，正攒钱建温室，要买玻璃。", 5)
    unleaked(nurse, "作为一名学住户的人，你要配 3 份药。", 6)
    with pytest.raises(Refused, match="persona_named"):
        unleaked(nurse, "作为一名护士，你要配 3 份药。", 6)


@pytest.mark.parametrize(
    "text", ["\n" * 100_000, "I'm a " * 30_000, "a" * 200_000, "As a " + "x" * 100_000, "answer:" + " " * 100_000, "桥" * 100_000]
)
def test_a_long_reply_costs_no_time_to_speak_of(text: str) -> None:
    assert flaw_of(text)
    unleaked(NURSE, text, 6)
    assert SOLVED.search(text) is None


@pytest.mark.parametrize(
    "text", ["I can't sleep when the neighbours play music. What helps?", "I'm sorry to ask, but how do hives winter?"]
)
def test_what_people_say_is_not_the_assistant(text: str) -> None:
    assert DECLINED.match(text) is None
