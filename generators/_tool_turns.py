"""Rules for conversations with tools: what is trained on, which calls are sound, what a simulated user gave away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.errors import Refused
from ..core.record import Message
from ._overlap import units

_INVENTED = re.compile(
    r"<\s{0,3}/?\s{0,3}(?:tool_response|tool_result|function_results?|tool_output)\b|<\|(?:ipython|tool)\|>", re.IGNORECASE
)


def trained(turns: Sequence[Message]) -> list[int]:
    """Indices of the turns that a loss may see: the assistant's; never those of users, systems and tools."""
    return [at for at, turn in enumerate(turns) if turn.role == "assistant"]


def sound(turns: Sequence[Message]) -> None:
    """Raises Refused: `invented_result` (the assistant wrote a tool's answer itself), `bad_call_id` (none, or one that was there
    before), `unanswered_call` (no result before the next turn of another kind), `stray_result` (a result that nobody asked for)."""
    seen: set[str] = set()
    waiting: set[str] = set()
    for turn in turns:
        if turn.role == "tool":
            if turn.tool_call_id not in waiting:
                raise Refused("stray_result", f"no open call has the id {str(turn.tool_call_id)[:40]!r}")
            waiting.discard(turn.tool_call_id)
            continue
        if waiting:
            raise Refused("unanswered_call", f"{len(waiting)} calls have no result")
        if turn.role == "assistant" and (found := _INVENTED.search(turn.text)):
            raise Refused("invented_result", f"the assistant wrote {found[0]!r}")
        for call in turn.tool_calls:
            if not call.id or call.id in seen:
                raise Refused("bad_call_id", f"{call.id[:40]!r} is empty or not new")
            seen.add(call.id)
            waiting.add(call.id)
    if waiting:
        raise Refused("unanswered_call", f"{len(waiting)} calls have no result")


def given_away(text: str, details: Sequence[str]) -> list[str]:
    """Those of the private details whose words all stand in `text`, one behind the other."""
    said = "\0".join(("", *units(text), ""))
    return [one for one in details if (words := units(one)) and "\0".join(("", *words, "")) in said]
