"""What went wrong within LiteLLM, as one of our errors.

LiteLLM names errors by providers' habits: a broken connection is an `InternalServerError`, an exhausted quota a
`RateLimitError`. So what really happened is looked for first, in the chain of causes: the answer with its status, then the
connection's own error; only where neither is there its own word counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import aiohttp
import orjson

from ..core.endpoint import Deadlines
from ..core.errors import BackendFatal, CallError, DeadlineExceeded, Disconnected, Rejected
from ._openai_sdk import refusal
from ._openai_shape import RAW_CAP, bad
from ._status import complaint, printable, unknown_model
from ._transport import connection_error

_TOLD = {"ContextWindowExceededError": "context_length", "ContentPolicyViolationError": "content_filter"}
"""Of LiteLLM's errors those that say more than their status."""


def mapped(error: BaseException, limits: Deadlines, *, name: str, key_name: str) -> CallError | BackendFatal:
    """The error that a call's exception stands for."""
    httpx: Any = import_module("httpx")
    links = list(_chain(error))
    if (answer := next((link.response for link in links if isinstance(link, httpx.HTTPStatusError)), None)) is not None:
        return _refused(error, answer.status_code, answer.headers, _body(answer), name, key_name)
    if (root := next((link for link in links if isinstance(link, aiohttp.ClientError)), None)) is not None:
        return connection_error(root, limits, answered=isinstance(root, aiohttp.ClientPayloadError), raw=b"")
    if any(isinstance(link, httpx.ConnectTimeout) for link in links):
        return DeadlineExceeded(f"no connection within {limits.connect_s:g} s", reason="connect_deadline")
    if any(isinstance(link, httpx.TimeoutException) for link in links):
        return DeadlineExceeded(f"no answer within {limits.first_byte_s:g} s", reason="first_byte_deadline")
    if any(isinstance(link, httpx.DecodingError) for link in links):
        return bad("cut_body", f"the body cannot be unpacked: {links[-1]}")
    if (broken := next((link for link in links if isinstance(link, httpx.TransportError)), None)) is not None:
        return Disconnected(f"the connection broke: {broken or type(broken).__name__}")
    if any(isinstance(link, UnicodeEncodeError) for link in links):
        return Rejected(f"the request cannot be written as JSON: {printable(str(error))}", reason="bad_request")
    return _own(error, name, key_name)


def _own(error: BaseException, name: str, key_name: str) -> CallError | BackendFatal:
    """What LiteLLM found wrong by itself, or read from something else than an HTTP answer."""
    kind, status, message = type(error).__name__, getattr(error, "status_code", None), printable(str(error))
    if kind == "UnsupportedParamsError":
        return BackendFatal(
            f"{name} does not take what it was asked with: {message}; take it out of `sampling`, or set `drop_params: true`"
        )
    headers = dict(getattr(getattr(error, "response", None), "headers", None) or {})
    if isinstance(status, int) and (400 <= status < 500 or (status >= 500 and headers)):
        return _refused(error, status, headers, orjson.dumps({"error": {"message": message}}), name, key_name)
    return bad("bad_shape", f"LiteLLM cannot read the answer: {kind}: {message}", str(error).encode("utf-8", "replace"))


def _refused(
    error: BaseException, status: int, headers: Mapping[str, str], body: bytes, name: str, key_name: str
) -> CallError | BackendFatal:
    message = complaint(body)[0] or printable(str(error))
    if reason := _TOLD.get(type(error).__name__):
        return Rejected(f"{status}: {message}", reason=reason, raw=body[:RAW_CAP])
    if unknown_model(status, body, name.partition("/")[2]):
        return BackendFatal(f"the provider answers {status} for the model {name!r}: {message}")
    if status in (401, 403) and not key_name:
        return BackendFatal(f"the provider refused the key, or there is none: {status}: {message}; name its variable in `api_key_env`")
    return refusal(status, headers, body, key_name)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _body(answer: Any) -> bytes:
    """As far as it was read: a body that the transport left alone is none."""
    content = getattr(answer, "_content", b"")
    return content[:RAW_CAP] if isinstance(content, bytes) else b""
