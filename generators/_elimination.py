"""Rules by which an evolved question, or the answer to one, counts as failed (WizardLM, arXiv 2304.12244; Auto Evol-Instruct,
arXiv 2406.00770, whose rules look at the answer; and ours). Words of English and Chinese, whatever the run's language is."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import pairwise

from ..core.errors import Refused
from ._overlap import grams, jaccard, units, words

SCAFFOLD = re.compile(
    r"\b(?:given|original|rewritten|evolved|new|created)[ _](?:prompt|instruction)s?\b|(?:原始|给定|改写后的|重写后的)(?:指令|提示|题目)",
    re.I,
)
MISSING = re.compile(
    r"\b(?:following|attached|above)\s+(?:text|passage|table|code|article|data|image|file)s?\b"
    r"|\b(?:text|passage|table|code|article|data|image)\s+below\b|(?:以下|下面|附件)的?(?:文本|文章|表格|代码|数据|图片)",
    re.I,
)
GIVEN = re.compile(r"[\n:：\"“「`]")
APOLOGY = re.compile(r"\bsorry\b|抱歉|对不起", re.I)
OPENING = re.compile(r"(?:understood|thank you|thanks|great|i understand|that is correct|what)\b|(?:明白|谢谢|好的|没错)", re.I)
EAGER = re.compile(r"(?:sure|certainly|of course)\b|当然", re.I)
ASKS_INPUT = re.compile(r"\bplease (?:provide|share|send)\b|请(?:您)?提供", re.I)
FILLER = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "of",
        "to",
        "in",
        "on",
        "at",
        "is",
        "are",
        "was",
        "it",
        "this",
        "that",
        "i",
        "you",
        "so",
        "well",
        "ok",
        "okay",
        "的",
        "了",
        "是",
        "吗",
        "呢",
        "啊",
    ]
)
COMMON = frozenset(
    word[:4]
    for word in [
        "what",
        "when",
        "where",
        "which",
        "does",
        "have",
        "many",
        "much",
        "that",
        "this",
        "with",
        "from",
        "they",
        "their",
        "there",
        "then",
        "these",
        "than",
    ]
)
"""Beginnings of words that are in any question."""
SHORT = 80
"""Words under which an answer that says sorry counts as one that gave up (published)."""


def check_question(parent: str, text: str, *, alike: float = 0.9, growth: float = 3.0) -> None:
    """What is wrong with a question that was made of `parent`; `alike`: share of common words, `growth`: times its length in words.

    Raises Refused: `scaffolding`, `near_duplicate`, `language_switch`, `repetitive`, `too_long`, `missing_input`.
    """
    if (found := SCAFFOLD.search(text)) and not SCAFFOLD.search(parent):
        raise Refused("scaffolding", f"it copies {found[0]!r} from the wording of the request")
    if units(text) == units(parent) or jaccard(grams(text, 2), grams(parent, 2)) >= alike:
        raise Refused("near_duplicate", "it is its parent, or nearly")
    if _script(parent) and _script(text) != _script(parent):
        raise Refused("language_switch", f"the parent is written in {_script(parent)}, it is in {_script(text)}")
    if _loops(text) and not _loops(parent):
        raise Refused("repetitive", "most of it is said again and again")
    if words(text) > growth * max(words(parent), 20):
        raise Refused("too_long", f"more than {growth:g} times the length of its parent")
    found = MISSING.search(text)
    if found and not MISSING.search(parent) and not GIVEN.search(text, found.end()):
        raise Refused("missing_input", f"{found[0]!r} is named and not there")


def check_matter(parent: str, text: str) -> None:
    """Whether a question that was made harder is still about what its parent is about: they have a word, number or pair of
    ideographs in common, however it ends. A parent of fewer than four of them says too little to tell.

    Raises Refused: `unrelated`.
    """
    known = _matter(parent)
    if len(known) >= 4 and not known & _matter(text):
        raise Refused("unrelated", "nothing that its parent speaks of is in it")


def check_answer(question: str, text: str) -> None:
    """What is wrong with the answer to an evolved question.

    Raises Refused: `says_nothing`, `apology`, `asks_input`, `stagnant`, `asks_back`, `answer_in_question`.
    """
    said = text.strip()
    parts = units(said)
    if not set(parts) - FILLER:
        raise Refused("says_nothing", "only punctuation and filler words")
    if APOLOGY.search(said) and words(said) < SHORT:
        raise Refused("apology", f"it says sorry in under {SHORT} words")
    if ASKS_INPUT.search(said):
        raise Refused("asks_input", "it asks for what the question does not have")
    if said.endswith(("?", "？")):
        if OPENING.match(said):
            raise Refused("stagnant", "it confirms, and asks")
        if EAGER.match(said):
            raise Refused("asks_back", "it agrees, and asks what is meant")
    if len(parts) >= 3 and tuple(parts) in grams(question, len(parts)):
        raise Refused("answer_in_question", "the question says all of the answer")


def _loops(text: str) -> bool:
    """Whether under half of its stretches of three words are new; numbers, which tables repeat, do not count."""
    spoken = [unit for unit in units(text) if not unit.isdigit()]
    return len(spoken) >= 12 and len(grams(" ".join(spoken), 3)) * 2 < len(spoken) - 2


def _matter(text: str) -> set[str]:
    """What a text speaks of: its words by their first four letters, its numbers, its pairs of ideographs."""
    found = {unit[:4] for unit in units(text) if unit[0].isdigit() or len(unit) >= 4}
    pairs = {one + other for one, other in pairwise(units(text)) if len(one) == len(other) == 1 and not (one + other).isascii()}
    return (found | pairs) - COMMON


def _script(text: str) -> str:
    """The script of most letters (`LATIN`, `CJK` ...); empty where there are none."""
    names = Counter(unicodedata.name(letter, "").split(" ")[0] for letter in text[:4000] if letter.isalpha())
    return names.most_common(1)[0][0] if names else ""
