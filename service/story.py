"""The whole story of one record, as text: outcome, steps, verdicts, messages, what the model really wrote."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import RecipeError
from .terminal import clean, indented, one_line

if TYPE_CHECKING:
    from ..core.backend import Reply
    from ..core.record import Message, Record, Step, Verdict
    from ..engine.ledger import Settled

MANY = 20
"""Candidates listed where the beginning of an id fits several."""


def tell(out: Path, record_id: str, *, responses: bool = True) -> str:
    """The story of the candidates whose record id begins with `record_id`.

    Raises RecipeError where the id is no id or fits nothing, StorageError where OUT holds no run.
    """
    if not re.fullmatch(r"[0-9a-f]{1,16}", record_id):
        raise RecipeError(f"{record_id!r} is no record id: an id is 16 hex digits, or the first few of them")
    from ..engine.ledger import LedgerReader

    with LedgerReader(out / ".run" / "ledger.db") as ledger:
        found = ledger.find(record_id)
    if not found:
        raise RecipeError(f"no candidate of {out} has an id that begins with {record_id}; ids are in data/, refused/ and failed/")
    if len({row.id for row in found}) > 1:
        lines = [f"{row.id}  {outcome(row)}" for row in found[:MANY]]
        more = f"\n... and {len(found) - MANY} more" if len(found) > MANY else ""
        return clean(f"{record_id} fits {len(found)} candidates; give more of the id:\n" + "\n".join(lines) + more)
    return "\n\n".join("\n".join(_story(row, responses)) for row in found)


def outcome(row: Settled) -> str:
    """`refused by math_answer: wrong_answer: got 7, expected 8 (score 0.0)`."""
    if row.status == "accepted":
        return "accepted"
    by = f" by {row.filter}" if row.status == "refused" else f" ({row.filter})"
    score = f" (score {row.score:g})" if row.score is not None else ""
    return one_line(f"{row.status}{by}: {row.reason}{score}", 300)


def _story(row: Settled, responses: bool) -> Iterator[str]:
    from ..core.record import Record

    record = Record.load(row.body)
    note: dict[str, Any] = json.loads(row.note) if row.note else {}
    yield f"{row.id}  {outcome(row)}"
    yield f"  stage {row.stage + 1}, strategy {row.strategy or 'none'}, seed {row.path[0]}" + "".join(f", yield {n}" for n in row.path[1:])
    if record.origin:
        yield f"  origin {clean(record.origin)}"
    if row.id == record.id and row.status == "failed":
        yield "  the record shown is the seed: its candidate came to nothing"
    yield from _steps(record.lineage)
    yield from _verdicts(record.verdicts)
    if record.labels:
        yield "\nlabels: " + ", ".join(f"{clean(name)} {_short(value)}" for name, value in record.labels.items())
    yield from _content(record)
    yield from _noted(note)
    if responses:
        keys = [key for step in record.lineage for key in step.keys] + [reply["key"] for reply in note.get("replies", ()) if reply["key"]]
        yield from _responses(list(dict.fromkeys(keys)))


def _steps(lineage: Sequence[Step]) -> Iterator[str]:
    for number, step in enumerate(lineage, 1):
        yield f"\nstep {number}: {clean(step.by)}, from {clean(step.parent)}"
        if step.model:
            yield f"    model     {clean(step.model)}"
        if step.sampling:
            yield f"    sampling  {_pairs(step.sampling)}"
        if step.seed is not None:
            yield f"    seed      {step.seed}"
        if step.prompt:
            yield f"    wording   {clean(step.prompt)} ({clean(step.template)})"
        if step.usage.total:
            yield f"    tokens    {step.usage.prompt_tokens:,} in, {step.usage.completion_tokens:,} out"
        if step.keys:
            yield f"    responses {', '.join(map(clean, step.keys))}"
        if step.detail:
            yield f"    detail    {_pairs(step.detail)}"


def _verdicts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if verdicts:
        yield "\nverdicts"
    for verdict in verdicts:
        score = f", score {verdict.score:g}" if verdict.score is not None else ""
        reason = f": {one_line(verdict.reason, 300)}" if verdict.reason else ""
        yield f"    {clean(verdict.by)} {verdict.outcome}{score}{reason}"
        if verdict.evidence:
            yield f"        {_pairs(verdict.evidence)}"


def _content(record: Record) -> Iterator[str]:
    from ..core.record import PlainText, Preference, ScoredSteps

    content = record.content
    match content:
        case Preference():
            yield from _messages(content.prompt)
            yield "\n[chosen]"
            yield from _messages(content.chosen)
            yield "\n[rejected]"
            yield from _messages(content.rejected)
        case ScoredSteps():
            yield from _messages(content.prompt)
            for number, step in enumerate(content.steps, 1):
                yield f"\n[step {number}: label {step.label}, score {step.score}]\n{indented(step.text)}"
        case PlainText():
            yield f"\n[text]\n{indented(content.text)}"
        case _:
            yield from _messages(content.messages)
    if record.answer is not None:
        yield f"\n[reference answer]\n{indented(record.answer)}"
    if record.tests is not None:
        yield f"\n[reference tests]\n{indented(record.tests)}"


def _messages(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if message.reasoning:
            yield f"\n[{message.role}, thinking]\n{indented(message.reasoning)}"
        yield f"\n[{message.role}]\n{indented(message.text)}"
        for call in message.tool_calls:
            yield f"    calls {clean(call.name)} {one_line(call.arguments, 300)}"


def _noted(note: Mapping[str, Any]) -> Iterator[str]:
    """Of a candidate that came to nothing: the message, the raw bytes, the last replies."""
    if note.get("message"):
        yield f"\n[message]\n{indented(str(note['message']))}"
    if note.get("raw"):
        yield f"\n[raw response, as it came]\n{indented(str(note['raw']))}"


def _responses(keys: list[str]) -> Iterator[str]:
    for key, reply in _stored(keys) if keys else ():
        if reply is None:
            yield f"\n[response {clean(key)}] is not in this machine's response store"
            continue
        yield f"\n[response {clean(key)}: {reply.finish_reason}, {reply.usage.completion_tokens:,} tokens]"
        if reply.reasoning:
            yield indented(f"(split off by the server as reasoning)\n{reply.reasoning}\n(answer)")
        yield indented(reply.text)


def _stored(keys: list[str]) -> list[tuple[str, Reply | None]]:
    from ..core.home import home
    from ..engine.store import ResponseStore

    async def look() -> list[tuple[str, Reply | None]]:
        async with ResponseStore() as store:
            found = [(key, store.get(bytes.fromhex(key))) for key in keys]
        return [(key, stored[0] if stored else None) for key, stored in found]

    return asyncio.run(look()) if (home() / "responses.db").exists() else [(key, None) for key in keys]


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{clean(str(name))} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False), 200)
