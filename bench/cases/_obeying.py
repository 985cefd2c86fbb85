"""Texts made to follow, or not to follow, an instruction; the labels are known because of how the texts are made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from datalchemy.formats.constraints import Constraint

SENTENCES = (
    "The old mill stands by the water and turns all day long.",
    "Nobody in the house had slept well that night.",
    "A small boat came slowly around the bend.",
    "They talked about the harvest and the price of flour.",
    "Every child in the street knew the sound of her bell.",
    "The path goes up through the trees to a meadow.",
    "Rain fell on the roof while we waited for the train.",
    "He put the letters in order and closed the drawer.",
    "Some of the apples were still green and hard.",
    "The cat looked at the fire and did not move.",
)
"""Without commas, capitals within, numbers, brackets, asterisks, and any of j, q, x and z."""

ABROAD = {
    "de": "Die alte Mühle steht am Wasser und dreht sich den ganzen Tag. Niemand im Haus hatte in dieser Nacht gut geschlafen.",
    "en": "The old mill stands by the water and turns all day long. Nobody in the house had slept well that night.",
    "es": "El viejo molino está junto al agua y gira todo el día. Nadie en la casa había dormido bien aquella noche.",
    "fr": "Le vieux moulin se trouve près de l'eau et tourne toute la journée. Personne dans la maison n'avait bien dormi cette nuit.",
    "hi": "पुरानी चक्की पानी के किनारे खड़ी है और पूरे दिन घूमती रहती है। उस रात घर में कोई ठीक से नहीं सोया था।",
    "it": "Il vecchio mulino sta vicino all'acqua e gira tutto il giorno. Nessuno nella casa aveva dormito bene quella notte.",
    "ja": "古い水車小屋は川のそばに立ち、一日中回っています。その夜、家の中でよく眠れた人はいませんでした。",
    "ko": "오래된 물레방아는 물가에 서서 하루 종일 돌아갑니다. 그날 밤 집에서 잘 잔 사람은 아무도 없었습니다.",
    "pt": "O velho moinho fica junto da água e gira o dia inteiro. Ninguém na casa tinha dormido bem naquela noite.",
    "ru": "Старая мельница стоит у воды и вертится весь день. Той ночью в доме никто не спал хорошо.",
    "th": "โรงสีเก่าตั้งอยู่ริมน้ำและหมุนอยู่ตลอดทั้งวัน คืนนั้นไม่มีใครในบ้านนอนหลับสบาย",
    "vi": "Chiếc cối xay cũ nằm bên bờ nước và quay suốt cả ngày. Đêm đó không ai trong nhà ngủ ngon.",
    "zh": "旧磨坊立在水边，整天转动。那天夜里，家里没有一个人睡得好。",
}


def witness(wanted: Sequence[Constraint], rng: Random) -> str:
    """A text that follows all of them, where they can stand together."""
    by = {one.id.partition(":")[2]: dict(one.kwargs) for one in wanted}
    if "constrained_response" in by:
        return rng.choice(("My answer is yes.", "My answer is no.", "Well: My answer is maybe."))
    if "json_format" in by:
        body = json.dumps({"text": " ".join(by.get("existence", {}).get("keywords", [])) or "mill"})
        return rng.choice((body, f"```json\n{body}\n```"))
    banned = [word.lower() for word in by.get("forbidden_words", {}).get("forbidden_words", [])]
    plain = [one for one in SENTENCES if not any(word in one.lower() for word in banned)]
    if "response_language" in by:
        plain = [ABROAD[by["response_language"]["language"]].replace("，", " "), "."]
    if "repeat_prompt" in by:
        return by["repeat_prompt"]["prompt_to_repeat"] + "\n" + plain[0] + " " + _needed(by) + _titled(by)
    if "two_responses" in by:
        return f"{_titled(by)}{plain[0]} {_needed(by)}\n******\n{plain[1]}"
    sentences = plain[:1] * 5 if "response_language" in by else _sentences(by, plain)
    return _framed([_titled(by), _divided([*_extras(by), *sentences], by, rng)], by)


def _titled(by: dict[str, dict]) -> str:
    return "<<a day by the water>>\n" if "title" in by else ""


def _needed(by: dict[str, dict]) -> str:
    """Keywords, letters and capitals that are asked for, without a full stop."""
    words = list(by.get("existence", {}).get("keywords", []))
    often = by.get("frequency", {})
    if often.get("relation") == "at least":
        words += [often["keyword"]] * often["frequency"]
    letter = by.get("letter_frequency", {})
    if letter.get("let_relation") == "at least":
        words += [letter["letter"]] * letter["let_frequency"]
    loud = by.get("capital_word_frequency", {})
    if loud.get("capital_relation") == "at least":
        words += ["HO"] * loud["capital_frequency"]
    return " ".join(words)


def _sentences(by: dict[str, dict], plain: list[str]) -> list[str]:
    """As many plain sentences as the lengths asked for leave room for."""
    count, words = by.get("number_sentences", {}), by.get("number_words", {})
    made = [plain[i % len(plain)] for i in range(5)]
    if words.get("relation") == "at least":
        made = [plain[i % len(plain)] for i in range(words["num_words"] // 6)]
    if words.get("relation") == "less than":
        made = made[:2]
    if not count:
        return made
    if count["relation"] == "at least":
        made += [plain[0]] * max(0, count["num_sentences"] - len(made))
        if words.get("relation") == "less than":
            made = ["The cat sat."] * count["num_sentences"]
        return made
    return [" and ".join(one.rstrip(".").lower() for one in made) + "."]


def _extras(by: dict[str, dict]) -> list[str]:
    """Pieces that certain types ask for; none ends like a sentence, or begins with an asterisk (a bullet then, as in IFEval)."""
    made = [f"[blank {i}]" for i in range(by.get("number_placeholders", {}).get("num_placeholders", 0))]
    made += [f"(*bright {i}*)" for i in range(by.get("number_highlighted_sections", {}).get("num_highlights", 0))]
    needed = _needed(by)
    return [*([" ".join(made)] if made else []), *([needed] if needed else [])]


def _divided(pieces: list[str], by: dict[str, dict], rng: Random) -> str:
    """The pieces as sections, paragraphs and bullets."""
    if nth := by.get("nth_paragraph_first_word"):
        paragraphs = ["so it goes"] * nth["num_paragraphs"]
        paragraphs[-1] += " " + " ".join(pieces)
        paragraphs[nth["nth_paragraph"] - 1] = f"{nth['first_word'].capitalize()}, {paragraphs[nth['nth_paragraph'] - 1]}"
        if "no_comma" in by:
            paragraphs = [one.replace(",", "") for one in paragraphs]
        text = "\n\n".join(paragraphs)
    elif "number_paragraphs" in by:
        count = by["number_paragraphs"]["num_paragraphs"]
        text = "\n***\n".join([" ".join(pieces), *("and so on" for _ in range(count - 1))])
    else:
        text = " ".join(pieces)
    if "multiple_sections" in by:
        name, count = by["multiple_sections"]["section_spliter"], by["multiple_sections"]["num_sections"]
        text += "".join(f"\n{name} {i}\nthere is more" for i in range(1, count + 1))
    if "number_bullet_lists" in by:
        mark = rng.choice("-*")
        text += "".join(f"\n{mark} point" for _ in range(by["number_bullet_lists"]["num_bullets"]))
    return text


def _framed(pieces: list[str], by: dict[str, dict]) -> str:
    """What stands at the end and around the whole."""
    text = "".join(pieces)
    if "postscript" in by:
        text += "\nP.P.S. more" if by["postscript"]["postscript_marker"] == "P.P.S" else "\nP.S. more"
    if "end_checker" in by:
        text += "\n" + by["end_checker"]["end_phrase"]
    text = text.upper() if "english_capital" in by else text.lower() if "english_lowercase" in by else text
    return f'"{text}"' if "quotation" in by else text


def breach(one: Constraint, rng: Random) -> str:
    """A text that does not follow the constraint, by as little as possible where that means something."""
    given, name, plain = dict(one.kwargs), one.id.partition(":")[2], " ".join(SENTENCES[:3])
    few = given.get("relation", given.get("let_relation", given.get("capital_relation"))) == "less than"
    match name:
        case "existence":
            return f"{plain} {' '.join(given['keywords'][1:])}"
        case "frequency":
            return plain + f" {given['keyword']}" * (given["frequency"] - (not few))
        case "forbidden_words":
            return f"{plain} {rng.choice((given['forbidden_words'][0], given['forbidden_words'][-1].upper()))}."
        case "letter_frequency":
            return (
                (given["letter"] + " ") * given["let_frequency"] if few else (given["letter"] + " ") * (given["let_frequency"] - 1) + "uu"
            )
        case "response_language":
            return ABROAD[rng.choice([code for code in ABROAD if code != given["language"]])]
        case "number_sentences":
            return " ".join([SENTENCES[1]] * (given["num_sentences"] - (not few)))
        case "number_words":
            return " ".join(["mill"] * (given["num_words"] - (not few)))
        case "number_paragraphs":
            return " *** ".join([plain] * (given["num_paragraphs"] + rng.choice((-1, 1))))
        case "nth_paragraph_first_word":
            return "\n\n".join([plain] * given["num_paragraphs"])
        case "number_placeholders":
            return "[a] " * (given["num_placeholders"] - 1) + rng.choice(("b]", "[b", "[b\n]", "(b)"))
        case "number_bullet_lists":
            return plain + "\n- point" * (given["num_bullets"] + rng.choice((-1, 1)))
        case "number_highlighted_sections":
            return "*a* b " * (given["num_highlights"] - 1) + rng.choice(("* *", "**", "*c\nd*", "c"))
        case "multiple_sections":
            return f"\n{given['section_spliter']} 1\nit" * (given["num_sections"] - 1) + f"\n{given['section_spliter']} Two\nit"
        case _:
            return _unlike(name, plain, rng)


def _unlike(name: str, plain: str, rng: Random) -> str:
    wrong = {
        "postscript": ("PS: more", "postscript more", ""),
        "constrained_response": ("yes", "My answer is perhaps.", "my answer is yes"),
        "json_format": ('{"a": 1', "{'a': 1}", 'Here: {"a": 1}', "```json\n{}\n``` so"),
        "title": ("<a day>", "<<>>", "<< \n>>", "a day >> <<"),
        "two_responses": (plain, f"{plain}\n******\n{plain}", "a ****** b ****** c", "a ***** b"),
        "repeat_prompt": ("The answer is easy.", "Sure. Tell me about mills."),
        "end_checker": ("That is all.", ""),
        "quotation": (f'"{plain}', f'{plain}"', f"“{plain}”", '"'),
        "capital_word_frequency": ("HO " * 25 + "ho",),
        "english_capital": (plain, plain.upper() + " a", ABROAD["fr"].upper(), ABROAD["de"].upper()),
        "english_lowercase": (plain, plain.lower() + " A", ABROAD["fr"].lower(), ABROAD["es"].lower()),
        "no_comma": (f"{plain}, then", ",", f"{plain}，"),
    }
    return rng.choice(wrong[name]) or plain
