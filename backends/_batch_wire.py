"""The Files and Batches part of the API: a file up, a batch made, looked at and found again, its results read line by line."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..core.errors import BackendFatal, BadResponse, CallError, DeadlineExceeded, RateLimited, Rejected, ServerFault
from ._openai_sdk import Sdk, UnknownModel, refusal
from ._openai_shape import RAW_CAP, bad, parse
from ._status import complaint, printable, unknown_model

ENDED = frozenset({"completed", "expired", "cancelled", "failed"})
MARK = "datalchemy"
"""Key of a batch's metadata that holds its name in our journal."""
DAY_S = 86400.0


class Seen(NamedTuple):
    """A batch as the service tells of it."""

    id: str
    status: str
    files: tuple[str, ...]
    """Of its results and of its errors, where it has them."""
    errors: tuple[Mapping[str, Any], ...]
    """Why it was not taken."""

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Result(NamedTuple):
    """One line of a batch's files."""

    id: str
    body: bytes
    error: CallError | BackendFatal | None


class BatchWire:
    """Speaks for one account. Raises CallError and BackendFatal as calls do."""

    def __init__(self, sdk: Sdk, key_name: str, model: str) -> None:
        self._sdk, self._key_name, self._model = sdk, key_name, model

    async def upload(self, name: str, content: bytes) -> str:
        """The file's id."""
        return _id(await self._sdk.upload(f"{MARK}-{name}.jsonl", content))

    async def create(self, name: str, file: str, path: str, window: str) -> str:
        """The batch's id."""
        body = {"input_file_id": file, "endpoint": f"/v1{path}", "completion_window": window, "metadata": {MARK: name}}
        return _id(await self._sdk.post("/batches", orjson.dumps(body)))

    async def look(self, batch: str) -> Seen:
        return _seen(await self._sdk.get(f"/batches/{batch}"))

    async def find(self, name: str, file: str, since: float) -> str:
        """The id of the batch of that name (or made from that file), among those made since; "" where there is none."""
        after = ""
        while True:
            answer = await self._sdk.get("/batches", limit=100, **({"after": after} if after else {}))
            page = parse(answer)
            rows = [row for row in page.get("data") or () if isinstance(row, dict) and isinstance(row.get("id"), str)]
            for row in rows:
                if _metadata(row).get(MARK) == name or (file and row.get("input_file_id") == file):
                    return str(row["id"])
            made = [row["created_at"] for row in rows if isinstance(row.get("created_at"), int | float)]
            last = rows[-1]["id"] if rows else ""
            if not page.get("has_more") or not rows or last == after or (made and min(made) < since - DAY_S):
                return ""
            after = last

    async def results(self, file: str) -> AsyncIterator[Result]:
        async for line in self._sdk.lines(f"/files/{file}/content"):
            if line.strip() and (result := self._result(line)) is not None:
                yield result

    def _result(self, line: bytes) -> Result | None:
        """None for a line that names no call: whoever misses an answer hears of it in the end."""
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(row, dict) or not isinstance(id_ := row.get("custom_id"), str):
            return None
        answer, error = row.get("response"), row.get("error")
        if isinstance(answer, dict) and type(status := answer.get("status_code")) is int:
            body = orjson.dumps(answer.get("body"))
            return Result(id_, body, None if 200 <= status < 300 else self._failed(status, body))
        return Result(id_, b"", _unanswered(error, line))

    def _failed(self, status: int, body: bytes) -> CallError | BackendFatal:
        """What elsewhere tells of an overloaded or dead server tells nothing of the next batch: it is raised as a bad answer,
        which is tried again and neither lowers the in-flight limit nor opens the breaker."""
        if unknown_model(status, body, self._model):
            return UnknownModel(f"a batch answers {status} for the model {self._model!r}: {complaint(body)[0]}")
        error = refusal(status, {}, body, self._key_name)
        if isinstance(error, RateLimited | ServerFault):
            return BadResponse(str(error), reason=error.reason, raw=error.raw)
        return error


def expired() -> DeadlineExceeded:
    return DeadlineExceeded("the batch's window ended before this request was done", reason="batch_expired")


def _unanswered(error: Any, line: bytes) -> CallError:
    code = str(error.get("code") or "") if isinstance(error, dict) else ""
    if code == "batch_expired":
        return expired()
    if code == "batch_cancelled":
        return BadResponse("the batch was cancelled before this request was done", reason="batch_cancelled")
    message = printable(str(error.get("message") or code)) if isinstance(error, dict) else "a result without an answer"
    return BadResponse(f"batch_item: {message}", reason="batch_item", raw=line[:RAW_CAP])


def not_taken(seen: Seen) -> str:
    """Why a batch failed, in words."""
    told = "; ".join(f"{error.get('code')}: {error.get('message')}" for error in seen.errors[:3])
    return printable(told) or "no reason given"


def line_of(id_: str, path: str, body: bytes) -> bytes:
    """One request of a batch's file."""
    return b'{"custom_id":"%b","method":"POST","url":"/v1%b","body":%b}\n' % (id_.encode(), path.encode(), body)


def refused_lines(errors: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Lines (from 0) that were found at fault, with the complaint."""
    return {
        error["line"] - 1: printable(str(error.get("message") or error.get("code"))) for error in errors if type(error.get("line")) is int
    }


def old(created: float) -> bool:
    """Whether the service has deleted the results of a batch by now."""
    return time.time() - created > 29 * DAY_S


def gone(error: CallError | BackendFatal) -> bool:
    return isinstance(error, Rejected) and str(error).startswith("404")


def _id(answer: bytes) -> str:
    made = parse(answer).get("id")
    if not isinstance(made, str) or not made or not made.replace("-", "").replace("_", "").isalnum():
        raise bad("bad_shape", "the answer names no id", answer)
    return made


def _seen(answer: bytes) -> Seen:
    row = parse(answer)
    files = tuple(id_ for id_ in (row.get("output_file_id"), row.get("error_file_id")) if isinstance(id_, str) and id_)
    told = row.get("errors")
    errors = told.get("data") if isinstance(told, dict) else ()
    status = row.get("status")
    if not isinstance(status, str):
        raise bad("bad_shape", "a batch without a status", answer)
    return Seen(str(row.get("id")), status, files, tuple(error for error in errors or () if isinstance(error, dict)))


def _metadata(row: Mapping[str, Any]) -> Mapping[str, Any]:
    found = row.get("metadata")
    return found if isinstance(found, dict) else {}
