"""What an HTTP error status means: which of our errors it is, and whether asking again can help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import orjson

from ..core.errors import BackendFatal, CallError, RateLimited, Rejected, ServerFault
from ._openai_shape import RAW_CAP

_MESSAGE_CAP = 500
QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_credits", "credit_exhausted"})
_NO_MODEL = frozenset({"model_not_found", "invalid_model", "model_not_supported"})
_MISSING = re.compile(r"does not exist|not found|not supported|no such", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_PASSING = frozenset({408, 409, 425})
"""4xx that are worth another try."""


def status_error(status: int, headers: Mapping[str, str], body: bytes, *, key_name: str) -> CallError | BackendFatal:
    """The error that an answer with this status stands for; `key_name` is the environment variable that holds the key.

    The unknown model is told apart by `unknown_model`, which the caller asks first (it can list the models there are).
    """
    message, codes = complaint(body)
    what = f"{status}: {message}" if message else f"status {status}"
    if status in (401, 403):
        key = f"the key in ${key_name}" if key_name else "a request without a key (name its environment variable in `api_key_env`)"
        return BackendFatal(f"the server refused {key}: {what}")
    if status == 402 or codes & QUOTA:
        return BackendFatal(f"the account's quota is used up: {what}")
    raw = body[:RAW_CAP]
    if status == 429:
        return RateLimited(what, retry_after=retry_after(headers), raw=raw)
    if status >= 500 or status in _PASSING:
        return ServerFault(what, retry_after=retry_after(headers), raw=raw)
    if 300 <= status < 400:
        place = printable(headers.get("Location", "nowhere"))
        return BackendFatal(f"the server redirects to {place}, and redirects are not followed: write the final address into `url`")
    return Rejected(what, raw=raw)


def unknown_model(status: int, body: bytes, model: str) -> bool:
    """Whether the answer says that the model (or the path) does not exist."""
    if status == 404:
        return True
    message, codes = complaint(body)
    return 400 <= status < 500 and (bool(codes & _NO_MODEL) or (status in (400, 422) and _names(message, model)))


def _names(message: str, model: str) -> bool:
    """Messages may quote the prompt, so nothing but `model NAME ... does not exist` counts."""
    told = (
        re.search(rf"\bmodel\W{{0,4}}(?:named|id|name)?\W{{0,4}}{re.escape(model)}(?!\w)(.{{0,40}})", message, re.IGNORECASE)
        if model
        else None
    )
    return told is not None and _MISSING.search(told[1]) is not None


def complaint(body: bytes) -> tuple[str, frozenset[str]]:
    """Message (printable, capped) and codes of an error body: OpenAI's, vLLM's, FastAPI's `detail`, or plain text."""
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return printable(body[:RAW_CAP].decode("utf-8", "replace")), frozenset()
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    if not isinstance(error, dict):
        return printable(str(error)), frozenset()
    message = error.get("message") or error.get("detail") or error.get("error") or ""
    codes = frozenset(value for value in (error.get("code"), error.get("type")) if isinstance(value, str))
    return printable(str(message)), codes


def printable(text: str) -> str:
    """On one line, without control characters, capped."""
    return _CONTROL.sub(" ", text[: 2 * _MESSAGE_CAP]).strip()[:_MESSAGE_CAP]


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `Retry-After` (seconds or an HTTP date); None where absent or unreadable."""
    millis, value = _seconds(headers.get("retry-after-ms")), headers.get("Retry-After")
    if millis is not None:
        return millis / 1000
    if value is None:
        return None
    if (seconds := _seconds(value)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) and number >= 0 else None
