"""What OpenAI's own service and its reasoning models want otherwise than vLLM does. Pure functions over request bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..core.backend import Request

_REASONING = re.compile(r"(?:^|[/:])(?:o[1-9]\d*(?![\w.])|gpt-(?:[5-9]|[1-9]\d)(?![\w])(?!.*-chat))", re.IGNORECASE)
_FIXED = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "logprobs", "top_logprobs")
"""What reasoning models refuse; they draw in their own way."""
_DEEPEST = 64


def reasons(name: str) -> bool:
    """Whether a name is that of a reasoning model of OpenAI's: o1, o3-mini, gpt-5, ft:o4-mini:..., not gpt-5-chat-latest."""
    return _REASONING.search(name) is not None


def hosted(body: dict[str, Any], request: Request, *, official: bool, reasoning: bool, service_tier: str | None) -> dict[str, Any]:
    """A chat's or completion's body as the service wants it; `sampling.extra` stays as it was given."""
    extra = request.sampling.extra
    chat = request.kind == "chat"
    if chat and (official or reasoning) and "max_tokens" in body and "max_tokens" not in extra:
        body.setdefault("max_completion_tokens", body["max_tokens"])
        del body["max_tokens"]
    if official and "add_special_tokens" not in extra:
        body.pop("add_special_tokens", None)  # of vLLM
    if reasoning:
        for field in _FIXED:
            if field not in extra:
                body.pop(field, None)
        if chat:
            body["messages"] = [_instructing(message) for message in request.messages]
    if service_tier is not None:
        body.setdefault("service_tier", service_tier)
    if request.json_schema is not None and "response_format" not in extra:
        body["response_format"]["json_schema"]["strict"] = strict(request.json_schema)
    return body


def _instructing(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**message, "role": "developer"} if message.get("role") == "system" else message


def strict(schema: Any, depth: int = 0) -> bool:
    """Whether a schema keeps to what `strict` asks for: objects name all of their fields as required and allow no others."""
    if isinstance(schema, list | tuple):
        return depth < _DEEPEST and all(strict(part, depth + 1) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    if depth >= _DEEPEST:
        return False
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        names = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(required, list | tuple) or set(map(str, required)) != names:
            return False
    inner = [value for name, value in schema.items() if name not in ("properties", "$defs", "enum", "const", "default", "examples")]
    named = [part for name in ("properties", "$defs") if isinstance(found := schema.get(name), Mapping) for part in found.values()]
    return all(strict(part, depth + 1) for part in (*inner, *named))
