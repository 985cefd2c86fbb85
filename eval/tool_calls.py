"""Refuse answers whose tool calls are broken, do not fit the declared tools, or are not the ones wanted."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..core.errors import WorkerFault
from ..core.part import Filter, Judge, Tools
from ..core.record import Conversation, Message, Record, Verdict
from ._parts import split_message
from ._worked import answers, textual


class ToolCalls(Filter):
    """Compare tool calls with the ones wanted and with the tools that the record declares.

    Read are the calls of all assistant turns after the last user turn: those that are fields of the message, and, where a
    message has none, those written in its text (`<tool_call>{...}</tool_call>` of Hermes and Qwen, `<function=name>{...}</function>` and
    the JSON object of Llama 3). Wanted calls stand in the record's `tests` or `answer` as JSON: `[{name: {argument: [allowed values]}}]`
    as the Berkeley leaderboard has them (`""` among the values: may be left out), or plain calls `[{"name", "arguments"}]`; an
    empty list wants no call. Parallel calls may come in any order. Score: the share of calls that match.
    """

    batch: ClassVar[int] = 64

    expect: Literal["gold", "valid", "none"] = "gold"
    """`gold`: the wanted calls; `valid`: any calls that fit the declared tools; `none`: no call at all."""
    loose_strings: bool = True
    """Whether texts are compared without case, spaces and the marks `, . / - _ * ^`."""
    timeout_s: float = Field(default=5, gt=0)
    """Seconds that one check, or one batch of them, may take."""
    on_abstain: Literal["keep", "refuse"] = "refuse"
    """What happens to a record without wanted calls or (`valid`) without declared tools, or with unusable ones."""

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncGenerator[Judge]:
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            read = [self._question(record) for record in records]
            questions = [one for one in read if isinstance(one, dict)]
            said = iter(await answers(tools.workers, f"{__package__}._tool_worker:judged", questions, self.timeout_s))
            return [self._verdict(next(said)) if isinstance(one, dict) else self._said("abstain", None, one) for one in read]

        yield judge

    def _question(self, record: Record) -> dict[str, Any] | str:
        """What the worker is asked, or why there is nothing to ask."""
        turns = _answering(record)
        if not turns:
            return "no_response: no assistant turn follows the last user turn"
        gold = next((text for text in (record.tests, record.answer) if text and text.strip()), None)
        if self.expect == "gold" and gold is None:
            return "no_gold: the record says nowhere which calls are wanted"
        tools = record.content.tools if isinstance(record.content, Conversation) else ()
        try:
            declared = json.dumps(tools)
        except (TypeError, ValueError, RecursionError) as error:
            return f"bad_tools: the declared tools are not JSON: {error}"[:200]
        return {
            "calls": [(textual(call.name), textual(call.arguments)) for turn in turns for call in turn.tool_calls],
            "texts": [textual(split_message(turn)[1]) for turn in turns if not turn.tool_calls],
            "tools": declared,
            "gold": textual(gold or "[]"),
            "expect": self.expect,
            "loose": self.loose_strings,
        }

    def _verdict(self, answer: tuple[Literal["keep", "refuse", "abstain"], float | None, str] | WorkerFault) -> Verdict:
        if isinstance(answer, WorkerFault):
            word = "check_timeout" if answer.reason == "timeout" else "check_failed"
            return self._said("abstain", None, f"{word}: {answer}"[:300])
        return self._said(*answer)

    def _said(self, outcome: Literal["keep", "refuse", "abstain"], score: float | None, reason: str) -> Verdict:
        return Verdict(by=self.part_name(), outcome=outcome, score=score, reason=reason[:400])


def _answering(record: Record) -> list[Message]:
    """The assistant turns after the last user turn."""
    turns: list[Message] = []
    for message in reversed(record.messages):
        if message.role == "user":
            break
        if message.role == "assistant":
            turns.append(message)
    return turns[::-1]
