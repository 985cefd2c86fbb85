"""The OpenAI wire shape: request bodies out of a Request, replies out of an answer's bytes.

Pure functions. The readers take any bytes and give replies or raise BadResponse with a stable reason: `bad_json`,
`not_json`, `bad_text`, `bad_number`, `bad_shape`, `error_body`, `no_choices`, `wrong_n`, `null_content`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from ..core.backend import FinishReason, Reply, Request, Sampling, Usage
from ..core.errors import BadResponse

RAW_CAP = 64 * 1024
"""Bytes of a bad answer that an error keeps."""

_PLAIN = frozenset(
    {"temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty", "reasoning_effort"}
)
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def chat_body(request: Request, model: str, *, seed: int | None, n: int = 1) -> dict[str, Any]:
    """Body of POST /chat/completions. `max_tokens: auto` is left out: servers then fill the context."""
    body = {"model": model, "messages": request.messages, **_common(request, seed, n)}
    if request.tools:
        body["tools"] = [tool if "function" in tool else {"type": "function", "function": tool} for tool in request.tools]
    if request.logprobs:
        body["logprobs"] = True
    return body


def completion_body(request: Request, model: str, *, seed: int | None, n: int = 1, room: int | None = None) -> dict[str, Any]:
    """Body of POST /completions; `room` is what `max_tokens: auto` stands for, left out where it is None.

    vLLM puts BOS before a text prompt. A text that opens with a control token already holds what its template wants,
    so there (and only there) `add_special_tokens: false` is sent; token ids are never touched.
    """
    if request.kind == "prompt_logprobs":
        body = {"model": model, "prompt": request.prompt, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0, "return_token_ids": True}
    else:
        body = {"model": model, "prompt": request.prompt, **_common(request, seed, n)}
        if request.sampling.max_tokens == "auto" and room is not None:
            body["max_tokens"] = room
        if request.logprobs:
            body["logprobs"] = 1
    if isinstance(request.prompt, str) and request.prompt.startswith(("<|", "<｜", "<s>", "<bos>", "[INST]")):
        body["add_special_tokens"] = False
    return body


def _common(request: Request, seed: int | None, n: int) -> dict[str, Any]:
    body = sampling_fields(request.sampling)
    if seed is not None:
        body["seed"] = seed & 0x7FFFFFFF
    if n != 1:
        body["n"] = n
    if request.json_schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": request.json_schema, "strict": True}}
    return body


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """The fields that are set, as vLLM and llama.cpp spell them; `extra` comes last and may override."""
    given: dict[str, Any] = {}
    for name in sampling.model_fields_set:
        value = getattr(sampling, name)
        if value is None or value == ():
            continue
        if name in _PLAIN or (name == "max_tokens" and value != "auto"):
            given[name] = value
        elif name in ("stop", "stop_token_ids"):
            given[name] = list(value)
    given.update(sampling.extra)
    return given


def bad(reason: str, message: str, raw: bytes = b"") -> BadResponse:
    """A BadResponse that keeps the raw bytes, capped."""
    return BadResponse(f"{reason}: {message}", reason=reason, raw=raw[:RAW_CAP])


def parse(body: bytes) -> dict[str, Any]:
    """An answer's JSON object. Raises BadResponse(`bad_json` | `not_json` | `bad_text` | `bad_number` | `bad_shape` | `error_body`)."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad(_why(body, str(error), error.pos), str(error)[:200], body) from error
    if not isinstance(parsed, dict):
        raise bad("bad_shape", f"expected a JSON object, got {type(parsed).__name__}", body)
    if parsed.get("error") and "choices" not in parsed and "data" not in parsed:
        raise bad("error_body", f"an error with a 2xx status: {str(parsed['error'])[:200]}", body)
    return parsed


def _why(body: bytes, complaint: str, at: int) -> str:
    start = body.lstrip()[:1]
    if start and start not in b'{["-0123456789':
        return "not_json"
    if "surrogate" in complaint or "UTF-8" in complaint:
        return "bad_text"
    near = body[max(0, at - 9) : at + 9]
    if "infinity" in complaint or b"NaN" in near or b"Infinity" in near:
        return "bad_number"
    return "bad_json"


def read_chat(body: bytes, n: int = 1) -> list[Reply]:
    """Exactly `n` replies of a chat completion. Raises BadResponse."""
    answer = parse(body)
    choices = choices_of(answer, n, body)
    usages, model = usages_of(answer.get("usage"), n), model_of(answer)
    return [_chat_reply(choice, usage, model, body) for choice, usage in zip(choices, usages, strict=True)]


def read_completion(body: bytes, n: int = 1) -> list[Reply]:
    """Exactly `n` replies of a raw completion. Raises BadResponse."""
    answer = parse(body)
    choices = choices_of(answer, n, body)
    usages, model = usages_of(answer.get("usage"), n), model_of(answer)
    return [_completion_reply(choice, usage, model, body) for choice, usage in zip(choices, usages, strict=True)]


def choices_of(answer: Mapping[str, Any], n: int, body: bytes) -> list[dict[str, Any]]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise bad("no_choices", "the answer holds no choices", body)
    if not all(isinstance(choice, dict) for choice in choices):
        raise bad("bad_shape", "a choice is no object", body)
    if len(choices) != n:
        raise bad("wrong_n", f"{len(choices)} choices where {n} were asked for", body)
    return choices if n == 1 else sorted(choices, key=index_of)


def index_of(row: Mapping[str, Any]) -> int:
    index = row.get("index")
    return index if isinstance(index, int) else 0


def _chat_reply(choice: Mapping[str, Any], usage: Usage, model: str, body: bytes) -> Reply:
    message = choice.get("message")
    if not isinstance(message, dict):
        raise bad("bad_shape", "a choice holds no message", body)
    reasoning = message.get("reasoning_content")
    if reasoning is None:
        reasoning = message.get("reasoning")
    if reasoning is not None and not isinstance(reasoning, str):
        raise bad("bad_shape", "reasoning is no text", body)
    calls = _tool_calls(message.get("tool_calls"), body)
    content = message.get("content")
    if content is None and isinstance(refusal := message.get("refusal"), str) and refusal:
        return Reply(text=refusal, finish_reason="content_filter", usage=usage, model=model)
    if content is None and not calls and not reasoning:
        raise bad("null_content", "content is null, without tool calls or reasoning", body)
    return Reply(
        text=_text(content, body),
        reasoning=reasoning,
        tool_calls=calls,
        finish_reason=_finish(choice),
        usage=usage,
        model=model,
        token_ids=ids_of(choice.get("token_ids") or (), body),
        logprobs=_logprobs(choice.get("logprobs"), body),
        sampling={},
    )


def _completion_reply(choice: Mapping[str, Any], usage: Usage, model: str, body: bytes) -> Reply:
    if choice.get("text") is None:
        raise bad("null_content", "text is null", body)
    return Reply(
        text=_text(choice["text"], body),
        finish_reason=_finish(choice),
        usage=usage,
        model=model,
        token_ids=ids_of(choice.get("token_ids") or (), body),
        logprobs=_logprobs(choice.get("logprobs"), body),
        sampling={},
    )


def _text(content: Any, body: bytes) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") or "" for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
    raise bad("bad_shape", f"content is no text but {type(content).__name__}", body)


def _finish(choice: Mapping[str, Any]) -> FinishReason:
    reason = choice.get("finish_reason")
    return _FINISH.get(reason, "other") if isinstance(reason, str) else "other"


def _tool_calls(raw: Any, body: bytes) -> tuple[Mapping[str, Any], ...]:
    if not raw:
        return ()
    if not isinstance(raw, list):
        raise bad("bad_shape", "tool_calls is no list", body)
    return tuple(_tool_call(call, body) for call in raw)


def _tool_call(call: Any, body: bytes) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise bad("bad_shape", "a tool call names no function", body)
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = _as_json({} if arguments is None else arguments, body)
    return {"id": str(call.get("id") or ""), "name": function["name"], "arguments": arguments}


def _as_json(value: Any, body: bytes) -> str:
    """Some servers send parsed arguments; ours are JSON text."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise bad("bad_shape", f"arguments of a tool call: {error}", body) from error


def _logprobs(raw: Any, body: bytes) -> tuple[float, ...]:
    """Of the generated tokens: `content` as in chat, or the `token_logprobs` of completions."""
    if not raw:
        return ()
    if not isinstance(raw, dict):
        raise bad("bad_shape", "logprobs is no object", body)
    content = raw.get("content")
    values = (
        [row.get("logprob") if isinstance(row, dict) else row for row in content]
        if isinstance(content, list)
        else raw.get("token_logprobs")
    )
    if values is None:
        return ()
    if not isinstance(values, list):
        raise bad("bad_shape", "logprobs is no list", body)
    return tuple(number(value, body) for value in values)


def number(value: Any, body: bytes) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise bad("bad_number", f"expected a finite number, got {str(value)[:40]!r}", body)
    return float(value)


def ids_of(raw: Any, body: bytes) -> tuple[int, ...]:
    if not isinstance(raw, list | tuple) or not all(type(value) is int for value in raw):
        raise bad("bad_shape", "token ids must be a list of integers", body)
    return tuple(raw)


def usages_of(raw: Any, n: int) -> list[Usage]:
    """One a reply, adding up to what the server counted: the prompt goes to the first, completion tokens in equal parts."""
    if not isinstance(raw, dict):
        return [Usage()] * n
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    reasoning = _count(raw.get("completion_tokens_details"), "reasoning_tokens")
    cached = _count(raw.get("prompt_tokens_details"), "cached_tokens")
    if n == 1:
        return [Usage(prompt_tokens=prompt, completion_tokens=completion, reasoning_tokens=reasoning, cached_tokens=cached)]
    first = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion // n + completion % n,
        reasoning_tokens=reasoning // n + reasoning % n,
        cached_tokens=cached,
    )
    return [first, *[Usage(completion_tokens=completion // n, reasoning_tokens=reasoning // n)] * (n - 1)]


def _count(raw: Any, name: str) -> int:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def model_of(answer: Mapping[str, Any]) -> str:
    name, revision = answer.get("model"), answer.get("system_fingerprint")
    text = name if isinstance(name, str) else ""
    return f"{text}@{revision}" if isinstance(revision, str) and revision else text
