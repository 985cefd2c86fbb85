"""Where a model's thinking ends and its answer begins.

Servers differ: some split the reasoning off (`reasoning_content`, newer `reasoning`), some leave `<think>...</think>` in
the text, and where the chat template opens the block the text holds only the closing tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .backend import Reply

OPEN, CLOSE = "<think>", "</think>"


class Thought(NamedTuple):
    """A reply taken apart."""

    reasoning: str | None
    """None where the model did not think."""
    answer: str
    closed: bool = True
    """False where a thinking block was opened and never closed: there is no answer then."""


def split(reply: Reply, *, opened: bool = False) -> Thought:
    """Thinking and answer of a reply; `opened` says that the prompt itself already opened the block.

    Splits on the first closing tag after the opening one, so that a quoted tag in the answer stays where it is.
    """
    if reply.reasoning is not None:
        return Thought(reasoning=reply.reasoning.strip(), answer=reply.text.strip())
    text = reply.text.lstrip()
    if text.startswith(OPEN):
        text = text[len(OPEN) :]
    elif not opened and CLOSE not in text:
        return Thought(reasoning=None, answer=text.strip())
    thinking, tag, answer = text.partition(CLOSE)
    if not tag:
        return Thought(reasoning=thinking.strip(), answer="", closed=False)
    return Thought(reasoning=thinking.strip(), answer=answer.strip())
