"""The words of constraints: how each type is put in English and Chinese, and how its parameters are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Draw = Callable[[Random, Sequence[str], str, str], dict[str, Any]]
"""(randomness, keywords to choose from, language, prompt) -> parameters."""

TEXTS: dict[str, dict[str, str]] = {
    "keywords:existence": {
        "en": "Use each of these words at least once: {keywords}.",
        "zh": "请在回答中用到以下每个词语：{keywords}。",
    },
    "keywords:frequency": {
        "en": 'The word "{keyword}" should occur {relation} {frequency} times.',
        "zh": "“{keyword}”一词在回答中应出现{relation}{frequency}次。",
    },
    "keywords:forbidden_words": {
        "en": "Do without these words: {forbidden_words}.",
        "zh": "回答中不要出现以下词语：{forbidden_words}。",
    },
    "keywords:letter_frequency": {
        "en": 'Write so that the letter "{letter}" occurs {let_relation} {let_frequency} times.',
        "zh": "字母“{letter}”在回答中应出现{let_relation}{let_frequency}次。",
    },
    "language:response_language": {
        "en": "Write the whole answer in {language} and in no other language.",
        "zh": "请全部用{language}作答，不要夹杂其他语言。",
    },
    "length_constraints:number_sentences": {
        "en": "The answer should have {relation} {num_sentences} sentences.",
        "zh": "回答的句子数应{relation}{num_sentences}句。",
    },
    "length_constraints:number_paragraphs": {
        "en": "Write exactly {num_paragraphs} paragraphs and put the divider *** between them.",
        "zh": "请写正好{num_paragraphs}段，段与段之间用 *** 隔开。",
    },
    "length_constraints:number_words": {
        "en": "The answer should have {relation} {num_words} words.",
        "zh": "回答应{relation}{num_words}个单词。",
    },
    "length_constraints:nth_paragraph_first_word": {
        "en": "Write {num_paragraphs} paragraphs with one blank line between any two, and let paragraph {nth_paragraph} begin with the word {first_word}.",
        "zh": "请写{num_paragraphs}段，段间空一行，第{nth_paragraph}段以单词 {first_word} 开头。",
    },
    "detectable_content:number_placeholders": {
        "en": "Leave at least {num_placeholders} placeholders in square brackets to be filled in later, like [name].",
        "zh": "请至少留出{num_placeholders}个方括号占位符，例如 [姓名]。",
    },
    "detectable_content:postscript": {
        "en": "Close with a postscript that begins with {postscript_marker}",
        "zh": "请在结尾加上以 {postscript_marker} 开头的附言。",
    },
    "detectable_format:number_bullet_lists": {
        "en": "The answer should hold exactly {num_bullets} bullet points, written in markdown as lines that start with an asterisk or a hyphen.",
        "zh": "回答中应正好有{num_bullets}个要点，用 markdown 的星号或连字符列出。",
    },
    "detectable_format:constrained_response": {
        "en": 'Say one of these three things: "My answer is yes.", "My answer is no.", "My answer is maybe."',
        "zh": "请从以下三句中选一句作答：“My answer is yes.”、“My answer is no.”、“My answer is maybe.”",
    },
    "detectable_format:number_highlighted_sections": {
        "en": "Set off at least {num_highlights} passages with markdown, *like this*.",
        "zh": "请用 markdown 至少突出{num_highlights}处文字，例如 *这样*。",
    },
    "detectable_format:multiple_sections": {
        "en": "Divide the answer into {num_sections} sections, each headed by {section_spliter} and its number ({section_spliter} 1, {section_spliter} 2 and so on).",
        "zh": "请把回答分为{num_sections}个部分，每部分以 {section_spliter} 加序号开头（{section_spliter} 1、{section_spliter} 2……）。",
    },
    "detectable_format:json_format": {
        "en": "The whole answer should be one JSON value; it may stand in a fenced block.",
        "zh": "整个回答应是一个 JSON 值，可以放在代码块中。",
    },
    "detectable_format:title": {
        "en": "Give the answer a title in double angle brackets, such as <<a day at sea>>.",
        "zh": "请给回答加一个标题，放在双尖括号中，例如 <<海上的一天>>。",
    },
    "combination:two_responses": {
        "en": "Give two different answers, with six asterisks (******) between them and nowhere else.",
        "zh": "请给出两个不同的回答，中间只用六个星号（******）隔开。",
    },
    "combination:repeat_prompt": {
        "en": "Before you answer, repeat the following word for word, with nothing in front of it: {prompt_to_repeat}",
        "zh": "回答之前，请先一字不差地重复下面的话，前面不要加任何内容：{prompt_to_repeat}",
    },
    "startend:end_checker": {
        "en": 'End with exactly these words and let nothing follow them: "{end_phrase}"',
        "zh": "请以这句话结尾，其后不要再写任何内容：“{end_phrase}”",
    },
    "startend:quotation": {
        "en": "Put the whole answer in double quotation marks.",
        "zh": '请把整个回答放在一对英文双引号（"）中。',
    },
    "change_case:capital_word_frequency": {
        "en": "Words written all in capital letters should occur {capital_relation} {capital_frequency} times.",
        "zh": "全部大写的单词应出现{capital_relation}{capital_frequency}次。",
    },
    "change_case:english_capital": {
        "en": "Answer in English and in capital letters only.",
        "zh": "请用英语作答，且全部使用大写字母。",
    },
    "change_case:english_lowercase": {
        "en": "Answer in English and without a single capital letter.",
        "zh": "请用英语作答，且不使用任何大写字母。",
    },
    "punctuation:no_comma": {
        "en": "Do not use a comma anywhere in the answer.",
        "zh": "回答中不要使用任何逗号（包括全角逗号）。",
    },
}

LANGUAGE_NAMES: dict[str, tuple[str, str]] = {
    "de": ("German", "德语"),
    "en": ("English", "英语"),
    "es": ("Spanish", "西班牙语"),
    "fr": ("French", "法语"),
    "hi": ("Hindi", "印地语"),
    "it": ("Italian", "意大利语"),
    "ja": ("Japanese", "日语"),
    "ko": ("Korean", "韩语"),
    "pt": ("Portuguese", "葡萄牙语"),
    "ru": ("Russian", "俄语"),
    "th": ("Thai", "泰语"),
    "vi": ("Vietnamese", "越南语"),
    "zh": ("Chinese", "中文"),
}
"""Languages that are drawn, in English and in Chinese."""

VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "words": (
            "balance", "bridge", "careful", "choice", "common", "distance", "early", "effort", "example", "garden", "history",
            "method", "moment", "morning", "natural", "pattern", "people", "practice", "problem", "reason", "result", "river",
            "season", "simple", "station", "strong", "teacher", "village", "weather", "window",
        ),
        "ends": ("That is all there is to say.", "I hope this is of some use.", "What would you do next?", "Let me know how it goes!"),
    },
    "zh": {
        "words": ("方法", "历史", "自然", "桥梁", "努力", "季节", "问题", "结果", "老师", "村庄", "天气", "早晨", "选择", "习惯", "道理"),
        "ends": ("以上就是全部内容。", "希望对你有所帮助。", "你还想了解什么？"),
    },
}  # fmt: skip
"""What is drawn from where nothing else is given."""

ENGLISH_ONLY = frozenset(
    {
        "change_case:capital_word_frequency",
        "change_case:english_capital",
        "change_case:english_lowercase",
        "detectable_format:constrained_response",
        "keywords:letter_frequency",
        "length_constraints:nth_paragraph_first_word",
        "length_constraints:number_words",
    }
)
"""Types that count English words or letters."""

_RARE, _FREQUENT = "jqxz", "aeinorst"


def _relation(rng: Random) -> str:
    return rng.choice(("less than", "at least"))


def _number(name: str, least: int, most: int) -> Draw:
    return lambda rng, pool, language, prompt: {name: rng.randint(least, most)}


def _nothing(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    return {}


def _keywords(name: str) -> Draw:
    return lambda rng, pool, language, prompt: {name: sorted(rng.sample(list(pool), min(2, len(pool))))}


def _frequency(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    return {"relation": _relation(rng), "keyword": rng.choice(list(pool)), "frequency": rng.randint(2, 4)}


def _letters(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    relation = _relation(rng)
    letter = rng.choice(_RARE if relation == "less than" else _FREQUENT)
    return {"let_relation": relation, "letter": letter, "let_frequency": rng.randint(2, 10)}


def _language(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    return {"language": rng.choice([code for code in LANGUAGE_NAMES if code != language])}


def _sentences(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    relation = _relation(rng)
    return {"relation": relation, "num_sentences": rng.randint(*((3, 20) if relation == "less than" else (2, 12)))}


def _words(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    return {"relation": _relation(rng), "num_words": rng.randrange(100, 501, 10)}


def _nth(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    count = rng.randint(2, 5)
    return {"num_paragraphs": count, "nth_paragraph": rng.randint(1, count), "first_word": rng.choice(list(pool)).split()[0].lower()}


def _capitals(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    relation = _relation(rng)
    return {"capital_relation": relation, "capital_frequency": rng.randint(*((10, 20) if relation == "less than" else (1, 10)))}


def _sections(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    return {"section_spliter": rng.choice(("Section", "SECTION")), "num_sections": rng.randint(2, 5)}


def _end(rng: Random, pool: Sequence[str], language: str, prompt: str) -> dict[str, Any]:
    return {"end_phrase": rng.choice(VALUES[language if language in VALUES else "en"]["ends"])}


DRAWS: dict[str, Draw] = {
    "keywords:existence": _keywords("keywords"),
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _keywords("forbidden_words"),
    "keywords:letter_frequency": _letters,
    "language:response_language": _language,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _number("num_paragraphs", 2, 5),
    "length_constraints:number_words": _words,
    "length_constraints:nth_paragraph_first_word": _nth,
    "detectable_content:number_placeholders": _number("num_placeholders", 1, 4),
    "detectable_content:postscript": lambda rng, pool, language, prompt: {"postscript_marker": rng.choice(("P.S.", "P.P.S"))},
    "detectable_format:number_bullet_lists": _number("num_bullets", 2, 5),
    "detectable_format:constrained_response": _nothing,
    "detectable_format:number_highlighted_sections": _number("num_highlights", 1, 4),
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _nothing,
    "detectable_format:title": _nothing,
    "combination:two_responses": _nothing,
    "combination:repeat_prompt": lambda rng, pool, language, prompt: {"prompt_to_repeat": prompt},
    "startend:end_checker": _end,
    "startend:quotation": _nothing,
    "change_case:capital_word_frequency": _capitals,
    "change_case:english_capital": _nothing,
    "change_case:english_lowercase": _nothing,
    "punctuation:no_comma": _nothing,
}
