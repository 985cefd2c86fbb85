"""What is wrong with a message that a simulated user wrote: it speaks as the assistant, says everything at once, or nothing new.

Rules in English and Chinese. They look at one message at a time; a message that breaks one is asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.errors import Refused
from ..core.record import Message
from ._numbers import says
from ._numbers import values as numbers
from ._overlap import grams, longest_run, shared, units, words
from ._tool_turns import given_away

LABEL = re.compile(r"^\s*(?:\*\*)?(?:user|human|person|customer|me|用户|本人)(?:\*\*)?\s*[:：]\s*(?:\*\*)?\s*", re.IGNORECASE)
"""A label before the message itself, which goes."""
_TOKENS = r"<\|(?:im_start|im_end|assistant|user|start_header_id|eot_id)\b|</?s>|\[/?INST\]"
BOTH = re.compile(
    rf"^\s*(?:\*\*)?(?:assistant|ai|bot|chatbot|user|human|person|customer|助手|助理|用户|本人)(?:\*\*)?\s*[:：]|{_TOKENS}",
    re.IGNORECASE | re.MULTILINE,
)
"""The label of a turn in a user's message: whoever writes it writes more than one side."""
NEXT_TURN = re.compile(rf"^\s*(?:\*\*)?(?:user|human|用户)(?:\*\*)?\s*[:：]|{_TOKENS}", re.IGNORECASE | re.MULTILINE)
"""The same in an answer, where scripts and dialogues of other people may have been asked for."""
AS_ASSISTANT = re.compile(
    r"\bas an (?:ai|artificial)\b|\bas (?:your|an ai) assistant\b|\bas a (?:large )?language model\b|\bi(?:'m| am) (?:just |only )?(?:an? )?(?:ai\b|ai |virtual |language model|assistant)"
    r"|\bhow (?:can|may|could) i (?:help|assist)\b|\b(?:happy|glad) to (?:help|assist)\b|\bhere to (?:help|assist) you\b|\bglad i could\b|\bis there anything else\b|\byou(?:'re| are) (?:very |most )?welcome\b"
    r"|\blet me know if you have any\b|\bdon'?t hesitate to\b|^(?:sure|certainly|of course|absolutely)\b[,!.]? (?:here|i(?:'d| would| can|'ll)|let(?:'s| me))|^great question"
    r"|^here(?:'s| is| are) (?:a|an|the|some|your)\b"
    r"|作为一?个?(?:AI|人工智能|语言模型|智能助手)|我是一?个?(?:AI|人工智能|语言模型|智能助手)|(?:可以|能)(?:帮|为)(?:到|助)?[你您](?:做)?(?:些)?什么|有什么(?:可以|能)(?:帮|为)"
    r"|很高兴(?:能)?(?:帮|为)|[你您]还有(?:什么|其他|任何)?(?:别的)?问题|^不客气",
    re.IGNORECASE,
)
"""What an assistant says and who asks one does not."""
COPIED = 12
"""Words in a row of the assistant's last answer from which a message repeats it, if they are most of the message."""
SAME = 0.9
"""Share of trigrams from which a message repeats an earlier one."""
MOST_OF = 0.8
"""Share of a short goal's words in a row that is all of it."""


def message_of(said: str | None) -> str:
    """The message without a label. Raises Refused(`empty_message`)."""
    text = LABEL.sub("", said or "").strip().strip('"“”').strip()
    if not units(text):
        raise Refused("empty_message", "the simulated user says nothing")
    return text


def as_user(text: str, before: Sequence[Message]) -> None:
    """Raises Refused where the message is none of a user who has said and heard the turns `before`.

    `both_sides`, `role_confusion`, `assistant_copied`, `repeats_itself`.
    """
    if found := BOTH.search(text):
        raise Refused("both_sides", f"the message goes on to another turn: {found[0].strip()!r}")
    if found := AS_ASSISTANT.search(text):
        raise Refused("role_confusion", f"the simulated user speaks as the assistant: {found[0]!r}")
    heard = next((turn.text for turn in reversed(before) if turn.role == "assistant"), "")
    run = longest_run(text, heard)
    if run.words >= COPIED and run.words * 2 > words(text):
        raise Refused("assistant_copied", f"{run.words:g} words in a row of the last answer: {run.text[:160]!r}")
    mine = units(text)
    for turn in before:
        if turn.role == "user" and (units(turn.text) == mine or (len(mine) > 4 and shared(grams(text, 3), grams(turn.text, 3)) >= SAME)):
            raise Refused("repeats_itself", f"as before: {text[:160]!r}")


def unrevealed(text: str, goal: str, details: Sequence[str], most: int) -> None:
    """Raises Refused where a first message tells the goal: `goal_leaked` (more than `most` of its words in a row, or nearly all of a short one),
    `details_leaked` (all of what is only known to the user: the details, or where there are none the goal's numbers)."""
    run = longest_run(text, goal)
    if run.words > most or run.words >= max(3.0, MOST_OF * words(goal)):
        raise Refused("goal_leaked", f"{run.words:g} words of the goal in a row: {run.text[:160]!r}")
    told = given_away(text, details) if details else [one for one in numbers(goal) if one in numbers(text)]
    if len(told) >= max(2, len(details) if details else len(numbers(goal))):
        raise Refused("details_leaked", f"all of it is said at once: {', '.join(told)[:160]}")


def unanswered(text: str, gold: str | None, goal: str, before: Sequence[Message]) -> None:
    """Raises Refused(`answers_itself`) where the user says the reference answer before the assistant has.

    Only of an answer that can be told by its looks: one with a digit in it, or of three words and more.
    """
    if not gold or len(gold) > 200 or not (any(letter.isdigit() for letter in gold) or len(units(gold)) >= 3):
        return
    if says(text, gold) and not says(goal, gold) and not any(turn.role == "assistant" and says(turn.text, gold) for turn in before):
        raise Refused("answers_itself", f"the simulated user says the answer: {gold[:80]!r}")


def as_assistant(text: str) -> None:
    """Raises Refused(`speaks_for_user`) where an answer goes on to write the user's next turn."""
    if found := NEXT_TURN.search(text):
        raise Refused("speaks_for_user", f"the answer goes on to another turn: {found[0].strip()!r}")
