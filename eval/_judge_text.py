"""What a judge is shown: plain text between random marks, and what is refused without asking it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

from ..core.part import Tools
from ..core.record import Message
from ._parts import split_message

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_OPENER = re.compile(
    r"""(?:
      (?:(?:so|therefore|thus|hence|then)\s*,?\s+)?(?:the\s+|my\s+|full\s+)?(?:correct\s+|final\s+)?
      (?:solution|answer|response|reply|explanation|proof|conclusion|result|analysis|reasoning|verdict|output|assistant)(?:\s+is)?
    | boxed\s*\{\s*\} | think(?=>)
    | (?:thought|thinking)(?:\s+process)?
    | (?:let(?:['’]s|\s+us|\s+me)|we(?:['’]ll|\s+(?:will|can|have\s+to|need\s+to|must))|i(?:\s+(?:will|can)|\s?['’]ll))
      (?:\s+(?:now\s+|first\s+|carefully\s+)?
        (?:solve|think|work|go|break|reason|start|begin|approach|analy[sz]e|tackle|do|answer|see|understand|look|find|help|explain)
        (?:[\s-]+(?:about|on|through|with|by|this|that|the|it|problem|question|task|down|step|steps|out|solving|carefully|together|in|detail
          |a|first|thinking|at|you))*)?
    | step[\s-]by[\s-]step | step\s+(?:\d{1,2}|one) | first(?:ly)? | okay | ok | sure | certainly | of\s+course | alright | well | hmm+
    | (?:great|good)\s+question
    | here(?:['’]s|\s+is|\s+are)
      (?:\s+(?:the|my|a|full|final|complete|step-by-step|answer|solution|response|explanation|to|this|your|problem|question|task))*
    | to\s+(?:solve|answer)\s+(?:this|the)(?:\s+(?:problem|question|task))?
    | l(?:ö|oe)sung | antwort | réponse | respuesta | solución | soluzione | risposta | resposta | solução | ответ | решение | かいせつ | 解説 | 解答 | 答え
    | 풀이 | 정답 | 답 | 문제를\s*단계별로\s*풀어\s*봅시다 | ステップバイステップで(?:考え|解き)ましょう
    | (?:lass\s+uns|lassen\s+sie\s+uns)(?:\s+(?:dieses|das|die|problem|aufgabe|schritt|für|lösen|denken))+
    | (?:vamos|resolvamos|résolvons|pensemos|réfléchissons)
      (?:\s+(?:a|à|resolver|pensar|este|esse|ce|le|el|o|problema|problème|passo|paso|étape|par|por))*
    | (?:реш(?:им|аем)|разбер[её]м|рассмотрим|давайте)(?:\s+(?:эту|задачу|шаг|за|шагом|по|шагам|решим|подумаем))*
    | (?:让我们|我们|我)?来?(?:一步一步|逐步|一步步)?地?(?:思考|解决|分析|解答|回答)(?:一下)?(?:这个|这道)?(?:问题|题)? | 让我们
    | 解决方案 | 思考过程 | 答案是? | 首先 | 好的 | 解
    )(?!\w)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Phrases that promise an answer and are none: alone, several judges take them for a right one (arXiv 2507.08794)."""
_BLANK = re.compile(r"[\W_]*")
_LONGEST_OPENING = 2000
"""Characters; a text that has said nothing by then says nothing."""


def legible(text: str) -> str:
    """Without lone surrogates, control, invisible and direction characters, which a judge reads otherwise than a person does."""
    return _CONTROL.sub("", text.replace("\r\n", "\n")).encode("utf-8", "replace").decode().strip()


def said(message: Message, *, thinking: bool = False) -> str:
    """What an assistant turn says: its answer and tool calls, with `thinking` what it thought before."""
    reasoning, answer = split_message(message)
    calls = [f"[calls {call.name} with {call.arguments}]" for call in message.tool_calls]
    return legible("\n".join(filter(None, (reasoning if thinking else "", answer.strip(), *calls))))


def told(messages: Sequence[Message]) -> str:
    """The turns before an answer: the bare text of a lone question, else each turn with its role."""
    turns = [(turn.role, said(turn) if turn.role == "assistant" else legible(turn.text)) for turn in messages]
    turns = [(role, text) for role, text in turns if text]
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    return "\n\n".join(f"{role}: {text}" for role, text in turns)


def hollow(text: str, min_chars: int = 1) -> bool:
    """Whether there are fewer than `min_chars` letters and digits beyond punctuation and phrases that only promise an answer (0: never)."""
    if not min_chars:
        return False
    at = _end(_BLANK, text, 0)
    while at < min(len(text), _LONGEST_OPENING) and (opener := _OPENER.match(text, at)):
        at = _end(_BLANK, text, opener.end())
    if at >= min(len(text), _LONGEST_OPENING):
        return True
    return sum(character.isalnum() for character in text[at : at + 40 * min_chars + 40]) < min_chars


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def mark(tools: Tools, *texts: str) -> str:
    """A word that stands in none of the texts: whoever wrote them cannot have known it, as it is drawn from them and the run's seed."""
    digest = blake2b("\0".join(texts).encode("utf-8", "replace"), digest_size=16).hexdigest()
    rng = tools.rng(f"mark:{digest}")
    while True:
        drawn = f"{rng.getrandbits(48):012X}"
        if not any(drawn in text.upper() for text in texts):
            return drawn
