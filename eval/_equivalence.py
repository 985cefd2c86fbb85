"""A second opinion on an answer that the rules call wrong: which answers a model may be shown, and what it said."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

from ..core import think
from ..core.record import Record, user

if TYPE_CHECKING:
    from ..core.part import Tools

MOST_CHARS = 4000
"""Of the question that the judge is shown."""
MOST_WORDS = 12
"""An answer of more words is a text that argues, not an answer."""
_OBJECT = re.compile(r"\{[^{}]*\}")
_OPENERS = re.compile(
    r"(?:the |a |my |our |final |correct |complete |full |detailed |step by step )*"
    r"(?:solution|answer|result|thought process|thoughts?|reasoning|explanation|analysis|proof|steps?|step by step|response|output|conclusion"
    r"|let'?s (?:solve|think|see|begin|start|work|find|calculate|compute)\b.*|to solve\b.*|here(?: is|'?s)?\b.*|we (?:need|can|have|will|must|start)\b.*"
    r"|first(?:ly)?|okay|ok|sure|yes|correct|right|true|equivalent|same|as (?:above|expected|given|requested)|see (?:above|below)|n/?a|none|unknown|any"
    r"|解|解答|解析|解法|答|答案|思路|过程|分析|正确|かいせつ|解説|respuesta|soluci[oó]n|r[eé]ponse|antwort|l[oö]sung)(?: (?:is|process|follows|below|above|steps?))*",
    re.IGNORECASE | re.DOTALL,
)
_FORMAL = re.compile(
    r"\d|\\[A-Za-z]|[=<>^_+*/|√∞π]|(?<![A-Za-z])[A-Za-z](?![A-Za-z])"
    r"|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hal(?:f|ves)|thirds?|quarters?)\b",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|equivalent|verdict|judge|grade|grader|instruction|system|prompt|output|reference)\w*\b|</?\w+>|\"",
    re.IGNORECASE,
)


def may_be_asked(got: str, gold: str) -> bool:
    """Whether a judge may be shown this answer.

    Empty phrases (":", "Solution", "Thought process:") make judges say yes to anything; so do answers that give orders. They are
    wrong without asking, and so is an answer without a number or symbol where the reference has one.
    """
    bare = "".join(char if unicodedata.category(char)[0] in "LNS" or char in "\\'%/" else " " for char in got)
    bare = " ".join(bare.split())
    if not any(char.isalnum() for char in bare) or len(bare.split()) > MOST_WORDS:
        return False
    if _OPENERS.fullmatch(bare) or (_ORDERS.search(got) and not _ORDERS.search(gold)):
        return False
    return not (_is_formal(gold) and not _is_formal(got))


def _is_formal(text: str) -> bool:
    """Whether there is a digit, a command of LaTeX, a sign of mathematics, a single letter or a number in words."""
    return bool(_FORMAL.search(text))


async def equivalent(record: Record, got: str, golds: list[str], judge: str, tools: Tools) -> bool | None:
    """What the judge says; None where that cannot be read."""
    values = {"question": record.prompt[:MOST_CHARS], "reference": " / ".join(golds), "answer": got}
    wording = tools.render("math.equivalent", **values)
    reply = await tools.model(judge).chat((user(wording.text),), path="equivalent")
    return verdict(think.split(reply).answer)


def verdict(said: str) -> bool | None:
    """The last JSON object of a judge's answer must be `{"equivalent": true}` or `{"equivalent": false}`, and nothing follows it."""
    objects = list(_OBJECT.finditer(said[-2000:]))
    if not objects or said[-2000:][objects[-1].end() :].strip().strip("`*. \n"):
        return None
    try:
        told = json.loads(objects[-1].group())
    except ValueError:
        return None
    if not isinstance(told, dict) or set(told) != {"equivalent"} or not isinstance(told["equivalent"], bool):
        return None
    return told["equivalent"]
