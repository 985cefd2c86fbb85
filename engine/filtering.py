"""Filters outside of a run: the same objects on records that somebody else made (`datalchemy judge`, RL rollouts, a script)."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..core.errors import PartError
from ..core.frozen import Frozen
from ..core.part import Edit
from ..core.record import Record, Verdict
from ..formats.columns import BadRow, Columns
from ..formats.seeds import PEEK_ROWS
from .filterrecipe import FilterRecipe
from .gates import Editor, Gate, open_editor, open_gate
from .loops import to_completion
from .opening import open_tools
from .toolbox import Toolbox
from .turnstile import Turnstile

CHUNK = 64
"""Records that go from filter to filter together."""
MOST = 1024
"""Where a chunk is kept open for further rows of the same prompt."""
AT_ONCE = 16
"""Chunks on their way at the same time."""


class Judgement(Frozen):
    """What all filters together say of one record."""

    id: str
    keep: bool
    filter: str | None = None
    """The filter that refused it."""
    score: float | None = None
    """Of that filter; of a record that is kept, of the last filter that gave one."""
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    """Of every filter that judged it; after a refusal no other does."""
    record: str = ""
    """The record's own id (`id` is the row's, where it has one): by it a filter of duplicates names the twin. Of a bad row none."""

    def line(self) -> dict[str, Any]:
        """The verdict as one JSON line has it."""
        return {"id": self.id, "keep": self.keep, "filter": self.filter, "score": self.score, "reason": self.reason}


class OpenFilters:
    """Filters and edits opened together; made by `open_filters`. What ordered ones have seen is remembered from call to call."""

    def __init__(self, stops: Sequence[Gate | Editor | Turnstile], closing: Sequence[Gate]) -> None:
        self._stops = stops
        self._closing = closing
        self._chunks = 0

    async def judge(self, records: Iterable[Record]) -> list[Judgement]:
        """One judgement a record, in the same order. A filter that raises refuses what it raised on; nothing else is lost."""
        return [judgement async for judgement in self.judged(records)]

    async def judged(self, rows: Iterable[Record | Judgement]) -> AsyncGenerator[Judgement]:
        """Judgements as they come, in the order of the rows (a row that is a Judgement already stays what it is)."""
        async for judgement, _ in self.stream(rows):
            yield judgement

    async def stream(self, rows: Iterable[Record | Judgement]) -> AsyncGenerator[tuple[Judgement, Record]]:
        """Judgements with the records as edits left them. Memory is bounded by CHUNK x AT_ONCE records, unless there is a
        closing filter, which needs the whole set."""
        if not self._closing:
            async for pair in self._streamed(rows):
                yield pair
            return
        whole = [pair async for pair in self._streamed(rows)]
        for gate in self._closing:
            await self._close(gate, whole)
        for pair in whole:
            yield pair

    async def _streamed(self, rows: Iterable[Record | Judgement]) -> AsyncGenerator[tuple[Judgement, Record]]:
        under_way: deque[asyncio.Task[list[tuple[Judgement, Record]]]] = deque()
        pieces = _Pieces(rows, whole_prompts=any(isinstance(stop, Turnstile) for stop in self._stops))
        try:
            while chunk := pieces.next():
                under_way.append(asyncio.ensure_future(self._walk(chunk, self._chunks)))
                self._chunks += 1
                if len(under_way) >= AT_ONCE:
                    for pair in await under_way.popleft():
                        yield pair
            while under_way:
                for pair in await under_way.popleft():
                    yield pair
        finally:
            for task in under_way:
                task.cancel()

    async def _walk(self, chunk: Sequence[Record | Judgement], number: int) -> list[tuple[Judgement, Record]]:
        """All stops, for those that are still in; every turnstile is passed, also with nothing in hand."""
        names = ["" if isinstance(row, Judgement) else name_of(row) for row in chunk]
        records = [Record() if isinstance(row, Judgement) else row for row in chunk]
        judged = {at: row for at, row in enumerate(chunk) if isinstance(row, Judgement)}
        for stop in self._stops:
            left = [at for at in range(len(chunk)) if at not in judged]
            if isinstance(stop, Editor):
                changed = await asyncio.gather(*(_changed(stop, records[at]) for at in left))
                for at, after in zip(left, changed, strict=True):
                    if isinstance(after, PartError):
                        judged[at] = _raised(names[at], stop.name, after, records[at])
                    else:
                        records[at] = after
                continue
            gate = stop.gate if isinstance(stop, Turnstile) else stop
            verdicts = await self._verdicts(stop, [records[at] for at in left], number)
            for at, verdict in zip(left, verdicts, strict=True):
                records[at], refused = _passed(gate, names[at], records[at], verdict)
                if refused is not None:
                    judged[at] = refused
        return [(judged.get(at) or _kept(names[at], record), record) for at, record in enumerate(records)]

    async def _verdicts(self, stop: Gate | Turnstile, records: list[Record], ordinal: int) -> Sequence[Verdict | PartError]:
        try:
            if isinstance(stop, Turnstile):
                return await stop.judge(ordinal, records)
            return await stop.verdicts(records) if records else []
        except PartError as error:
            if isinstance(stop, Turnstile) or len(records) == 1:
                return [error] * len(records)
        return [verdict for record in records for verdict in await self._verdicts(stop, [record], ordinal)]

    async def _close(self, gate: Gate, whole: list[tuple[Judgement, Record]]) -> None:
        left = [at for at, (judgement, _) in enumerate(whole) if judgement.keep]
        verdicts = await self._verdicts(gate, [whole[at][1] for at in left], 0)
        for at, verdict in zip(left, verdicts, strict=True):
            name = whole[at][0].id
            record, refused = _passed(gate, name, whole[at][1], verdict)
            whole[at] = (refused or _kept(name, record), record)


class _Pieces:
    """Rows by CHUNK. For ordered filters a chunk goes on to the last of the rows with one prompt that stand together: what they
    say of the answers to one prompt must not depend on where a chunk ends."""

    def __init__(self, rows: Iterable[Record | Judgement], *, whole_prompts: bool) -> None:
        self._rows = iter(rows)
        self._whole = whole_prompts
        self._ahead: list[Record | Judgement] = []

    def next(self) -> list[Record | Judgement]:
        """The next rows; none at the end."""
        chunk = [*self._ahead, *islice(self._rows, CHUNK - len(self._ahead))]
        self._ahead = []
        while self._whole and len(chunk) >= CHUNK and (row := next(self._rows, None)) is not None:
            if len(chunk) >= MOST or not _alike(chunk[-1], row):
                self._ahead = [row]
                break
            chunk.append(row)
        return chunk


def _alike(one: Record | Judgement, other: Record | Judgement) -> bool:
    return isinstance(one, Record) and isinstance(other, Record) and bool(one.prompt) and one.prompt == other.prompt


async def _changed(editor: Editor, record: Record) -> Record | PartError:
    try:
        return await editor.changed(record)
    except PartError as error:
        return error


def _passed(gate: Gate, name: str, record: Record, verdict: Verdict | PartError) -> tuple[Record, Judgement | None]:
    """The record with its verdict, and the judgement where that removes it."""
    if isinstance(verdict, PartError):
        return record, _raised(name, gate.name, verdict, record)
    record = record.judged(verdict)
    if not gate.refuses(verdict):
        return record, None
    reason = verdict.reason or ("abstained" if verdict.outcome == "abstain" else "refused")
    return record, Judgement(
        id=name, keep=False, filter=gate.name, score=verdict.score, reason=reason, verdicts=record.verdicts, record=record.id
    )


def _kept(name: str, record: Record) -> Judgement:
    score = next((verdict.score for verdict in reversed(record.verdicts) if verdict.score is not None), None)
    return Judgement(id=name, keep=True, score=score, verdicts=record.verdicts, record=record.id)


def _raised(name: str, by: str, error: PartError, record: Record) -> Judgement:
    """Of a record that a part could not judge because it raised."""
    return Judgement(id=name, keep=False, filter=by, reason=str(error)[:500], verdicts=record.verdicts, record=record.id)


def bad_row(name: str, reason: str) -> Judgement:
    """Of a row that is no record."""
    return Judgement(id=name, keep=False, reason=f"bad_row: {reason}"[:500])


def name_of(record: Record) -> str:
    """The id that the record's own row gave it (a column `id`), else ours."""
    given = record.fields.get("id")
    return str(given) if isinstance(given, (str, int)) and not isinstance(given, bool) else record.id


@asynccontextmanager
async def open_filters(recipe: FilterRecipe, *, store: Path | None = None) -> AsyncIterator[OpenFilters]:
    """Open all filters, the models they ask, and worker processes. Raises RecipeError before anything is spent.

    `store` is the response store's folder (default: DATALCHEMY_HOME): what a judge model said is not paid for twice.
    """
    async with AsyncExitStack() as stack:
        shared = await open_tools(recipe, stack, store)
        stops: list[Gate | Editor | Turnstile] = []
        closing: list[Gate] = []
        seen: Counter[str] = Counter()
        for number, part in enumerate(recipe.filters):
            name = part.part_name()
            tools = Toolbox(shared, f"{name}@{number}")
            if isinstance(part, Edit):
                stops.append(await open_editor(part, tools, stack))
                continue
            seen[name] += 1
            gate = await open_gate(part, tools, stack, name if seen[name] == 1 else f"{name}#{seen[name]}")
            if part.closing:
                closing.append(gate)
            else:
                stops.append(Turnstile(gate) if part.ordered else gate)
        yield OpenFilters(stops, closing)


async def ajudge(
    records: Iterable[Record | Mapping[str, Any]],
    filters: str | Path | Sequence[Any] | FilterRecipe,
    *,
    models: Mapping[str, Any] | None = None,
    fields: Mapping[str, str] | None = None,
    store: Path | None = None,
) -> list[Judgement]:
    """Judge records outside of a run; one judgement a record, in the same order.

    `records` are Records, or mappings with `messages`, or `prompt`, `response` and `answer` (or what `fields` maps to
    them). `filters` is a recipe's file, the name of a shipped one, names of filters separated by commas, or a list of filters
    (names, mappings with `use:`, or filter objects); `models` are those that filters ask, as in a recipe. A row that is
    no record is refused with the reason `bad_row`. Raises RecipeError for filters that cannot be.
    """
    recipe = FilterRecipe.of(filters, models=models, fields=fields)
    async with open_filters(recipe, store=store) as opened:
        return [judgement async for judgement in opened.judged(read_rows(records, recipe))]


def judge(
    records: Iterable[Record | Mapping[str, Any]], filters: str | Path | Sequence[Any] | FilterRecipe, **options: Any
) -> list[Judgement]:
    """`ajudge` for code without an event loop; inside a running one (a notebook) it works on a thread of its own."""
    return to_completion(ajudge(records, filters, **options))


def read_rows(rows: Iterable[Any], recipe: FilterRecipe) -> Iterator[Record | Judgement]:
    """Records from rows; of a row that is none, the judgement that says so."""
    source = iter(rows)
    head = list(islice(source, PEEK_ROWS))
    columns: Columns | None = None
    for number, row in enumerate(chain(head, source), 1):
        if isinstance(row, Record):
            yield _fit(row, number)
            continue
        try:
            if columns is None:
                seen = [name for one in (*head, row) if isinstance(one, Mapping) for name in one]
                columns = Columns(recipe.fields, seen, "the records", responses=True)
            yield columns.record(row)
        except BadRow as error:
            given = row.get("id") if isinstance(row, Mapping) else None
            yield bad_row(str(given if given is not None else f"row {number}"), str(error))


def _fit(record: Record, number: int) -> Record | Judgement:
    """The record; of one that no JSON can hold, and that has no id, the judgement that says so."""
    try:
        _ = record.id
    except ValueError as error:
        return bad_row(f"row {number}", str(error))
    return record
