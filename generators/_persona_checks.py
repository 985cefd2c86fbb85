"""What is wrong with a persona that a model wrote, and with a text that gives its persona away. Rules, in English and Chinese.

They err on the side of refusing: a refused persona costs one call, a real person in the data costs more.
"""

from __future__ import annotations

import re
from itertools import pairwise

from ..core.errors import Refused
from ..core.part import Tools
from ..core.record import Record
from ._overlap import longest_run, units, words

CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w+|https?://|\bwww\.|(?<![\w@])@[A-Za-z_]\w{2,}|(?<!\w)\+?\d(?:[\s().-]{0,2}\d){8,}|微信号?[:：]|QQ\s*[:：]?\s*\d{5,}",
    re.IGNORECASE,
)
"""Addresses, links, handles, telephone numbers."""
_CAPITAL = r"[A-Z][a-zà-öø-ÿ'’-]+"
_NO_NAME = (
    "African|American|Asian|Australian|British|Central|Chinese|Civil|Cold|Eastern|English|European|French|German|Great|High|Indian|Italian|"
    "Japanese|Korean|Latin|Mediterranean|Middle|Native|New|North|Northern|Old|Pacific|Roman|Russian|South|Southern|Spanish|United|Upper|"
    "Victorian|West|Western|World|January|February|March|April|May|June|July|August|September|October|November|December"
)
_NO_SURNAME = (
    "Academy|Age|Ages|Agent|Analyst|Architect|Army|Artist|Assistant|Association|Biologist|Center|Centre|Chemist|Church|Club|Coach|College|Consultant|"
    "Council|County|Department|Designer|Developer|Director|East|Editor|Education|Engineer|Engineering|Farmer|Fighter|Health|Historian|History|"
    "Hospital|Institute|Intelligence|Lawyer|Learning|Leader|League|Manager|Marketing|Mechanic|Music|Nurse|Officer|Physicist|Planner|Player|Producer|"
    "Professional|Professor|Programmer|Psychologist|Research|Researcher|School|Science|Sciences|Scientist|Security|Society|Specialist|Studies|Student|"
    "Teacher|Technician|Technology|Therapist|Trainer|University|Volunteer|War|Worker|Writer"
)
"""Second words of what models write with capitals though nobody is called so: `Software Engineer`, `High School`."""
NAME = re.compile(
    rf"\b(?:named|called)\s+{_CAPITAL}"
    rf"|\b(?:Mr|Mrs|Ms|Mx|Dr|Prof|Professor|Sir|Dame|Saint|President|Senator|King|Queen)\.?\s+{_CAPITAL}"
    rf"|(?<![.!?:] )(?<!^)\b(?!(?:{_NO_NAME})\b){_CAPITAL}\s+(?:[A-Z]\.\s+)?(?:(?:de|von|van|bin|al)\s+)?(?!(?:{_NO_SURNAME})\b){_CAPITAL}"
    rf"|^(?!(?:A|An|The|This|That|Some|Any|One|Every|Each|Retired|Former|Young|Old)\b){_CAPITAL}\s+(?!(?:{_NO_NAME}|{_NO_SURNAME})\b){_CAPITAL}\b"
    rf"|^(?!(?:Somebody|Someone|Anyone|Anybody|This|He|She|They|Who|One|It|Everyone|Nobody)\b){_CAPITAL}(?:,\s+(?:an?|the|aged|\d)\b|\s+(?:is|has|was|works|lives)\b)"
)
"""Two words with capitals that are no known pair (`South African`), a title with a name, a text that begins with one."""
_SURNAME = "王李张刘陈杨赵黄周吴徐孙朱胡郭何林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶苏魏吕丁沈姚卢姜崔谭陆汪范廖贾夏韦付邹孟熊秦邱尹薛闫段侯"
NAME_ZH = re.compile(
    r"(?:名叫|名为|叫做|叫作|姓名[是为：:])\s*[\u4e00-\u9fff]{2,4}"
    rf"|(?:^|[，。、])[{_SURNAME}][\u4e00-\u9fff]{{0,2}}(?:先生|女士|小姐|老师|教授|博士|医生|律师|总统|主席)"
    rf"|^[{_SURNAME}][\u4e00-\u9fff]{{1,2}}[，,](?=一[位名个]|\d|男|女|是)"
)
VAGUE = re.compile(
    r"\b(?:this|the|given|above|provided)\s+(?:\w+\s+)?(?:text|article|passage|document|paragraph|excerpt|description)\b|(?:这篇|该|上述|本)(?:文章|文本|段落|文档|材料)",
    re.IGNORECASE,
)
"""A persona that only points at the material."""
DECLINED = re.compile(
    r"^(?:(?:sure|certainly|of course|absolutely)[,!]|as an ai\b|i(?:'m| am) sorry,? (?:but )?i\b|i (?:cannot|can'?t|won'?t|am unable to|am not able to) "
    r"(?:help|assist|write|create|provide|generate|fulfil|comply|do that|invent|describe)|当然[，,！!可]|好的[，,！!]|作为一个?(?:人工智能|AI)|很?抱歉，?我)",
    re.IGNORECASE,
)
"""The assistant speaks where somebody else should. `I can't sleep` is what people ask about."""
PREAMBLE = re.compile(r"^(?:here(?:'s| is| are)\b|persona\s?[:：]|以下是|人物[:：])", re.IGNORECASE)
"""A persona that is announced, not described."""
SELF_NAMED = re.compile(
    r"(?:^|[.!?\n]\s{0,3})As (?:an? |the )?([^,.\n]{3,80}),|(?:^|[。！？\n]\s{0,3})作为(?:一[名位个])?([^，。\n]{2,30})，|\bI(?:'m| am) an? ([^,.\n]{3,80})|我是一[名位个]([^，。\n]{2,30})",
    re.IGNORECASE,
)
"""`As a nurse, ...`: the text announces who speaks."""
MIN_WORDS, MAX_WORDS, MAX_CHARS = 3, 80, 1000
_PLAIN = frozenset(
    [
        "about",
        "also",
        "from",
        "have",
        "into",
        "just",
        "know",
        "like",
        "more",
        "much",
        "once",
        "only",
        "over",
        "people",
        "person",
        "some",
        "somebody",
        "someone",
        "than",
        "that",
        "their",
        "them",
        "then",
        "they",
        "this",
        "very",
        "what",
        "when",
        "where",
        "which",
        "while",
        "with",
        "would",
        "year",
        "years",
        "your",
    ]
)


def flaw_of(persona: str) -> str:
    """Why a text is no persona to keep: a stable word, or empty."""
    size = words(persona)
    if size < MIN_WORDS:
        return "too_short"
    if size > MAX_WORDS or len(persona) > MAX_CHARS:
        return "too_long"
    checks = {
        "assistant_voice": DECLINED.search(persona) or PREAMBLE.search(persona),
        "contact": CONTACT.search(persona),
        "name": NAME.search(persona) or NAME_ZH.search(persona),
        "vague": VAGUE.search(persona),
    }
    return next((reason for reason, found in checks.items() if found), "")


async def kept_private(records: list[Record], tools: Tools) -> list[bool]:
    """Whether the recipe's `privacy` lets each pass; all do where the recipe has none."""
    if not records or not tools.has_filter("privacy"):
        return [True] * len(records)
    return [verdict.outcome != "refuse" for verdict in await tools.judge("privacy", records)]


def unleaked(persona: str, text: str, most: int) -> None:
    """Raises Refused where the text repeats more than `most` words of its persona in a row, or announces who speaks."""
    run = longest_run(text, persona)
    if run.words > most:
        raise Refused("persona_copied", f"{run.words:g} words in a row: {run.text[:200]!r}")
    known = _marks(units(persona))
    for found in SELF_NAMED.finditer(text):
        said = next(group for group in found.groups() if group)
        if known & _marks(units(said)[:6]):
            raise Refused("persona_named", f"the text announces who speaks: {said[:100]!r}")


def _marks(found: list[str]) -> set[str]:
    """What tells one description from another: longer words, and pairs of characters of the languages without spaces."""
    pairs = {one + other for one, other in pairwise(found) if len(one) == len(other) == 1 and not one.isascii() and not other.isascii()}
    return pairs | {unit for unit in found if len(unit) > 3 and unit not in _PLAIN}
