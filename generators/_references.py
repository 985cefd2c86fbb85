"""Whether a question speaks of a text that whoever reads it does not have (`according to the passage`)."""

from __future__ import annotations

import re

_TEXT = r"(?:text|passage|excerpt|document|article|paragraph|extract|snippet|transcript|code|story|chapter|section|material|source|author|speaker)s?"
_ENGLISH = re.compile(
    rf"\b(?:this|these|above|given|provided|following|preceding|aforementioned)\s+{_TEXT}\b"
    rf"|\b(?:according\s+to|based\s+on|as\s+\w+\s+in|\w+ed\s+in|in|from)\s+the\s+(?:\w+\s+)?{_TEXT}\b(?!\s+(?:of|for|that|which|behind)\b)"
    rf"|\b{_TEXT}\s+(?:above|below|provided|given)\b"
    r"|\b(?:mentioned|described|stated|shown|listed|discussed)\s+(?:above|below|here)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?:上文|下文|上述|文中|本文|原文|(?:这|该|以上|以下|上面|下面|给定|根据)(?:的)?(?:[一这该]?[段篇份个])?的?(?:文字|文章|文本|短文|段落|材料|内容|代码|文档))"
)
LONGEST = 20_000
"""Characters that are looked at."""


def points_away(question: str) -> str:
    """The words by which it speaks of a text that is not there; empty: none were found.

    A rule on English and Chinese phrases, which errs on the side of finding some. Of a question that carries its text, ask about the rest.
    """
    match = _ENGLISH.search(question, 0, LONGEST) or _CHINESE.search(question, 0, LONGEST)
    return match[0] if match else ""
