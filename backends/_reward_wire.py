"""What scoring servers are sent and how their answers are read. Pure; readers raise BadResponse, or BackendFatal where no answer can do.

Every reader gives one tuple of numbers a conversation, raw as the server has them, in the order asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import orjson

from ..core.backend import Usage
from ..core.errors import BackendFatal
from ._openai_shape import bad, index_of, number, parse, usages_of

Protocol = Literal["vllm_classify", "vllm_pooling", "vllm_score", "sglang_classify", "v1_classify", "tei_predict", "tei_rerank"]

PATHS: dict[Protocol, str] = {
    "vllm_classify": "/classify",
    "vllm_pooling": "/pooling",
    "vllm_score": "/score",
    "sglang_classify": "/classify",
    "v1_classify": "/v1/classify",
    "tei_predict": "/predict",
    "tei_rerank": "/rerank",
}
CHAT: frozenset[Protocol] = frozenset({"vllm_classify", "vllm_pooling"})
"""The server renders its own chat template: one conversation a call. To the others texts are sent, many a call."""
PAIRS: frozenset[Protocol] = frozenset({"vllm_score", "tei_rerank"})
"""A question and its answer, apart."""
RAW_FIELDS: tuple[dict[str, Any], ...] = ({"use_activation": False}, {"activation": False}, {"softmax": False})
"""How vLLM is asked for raw scores; it was spelled in three ways."""

Row = tuple[float, ...]


def texts_body(protocol: Protocol, texts: Sequence[str], model: str) -> dict[str, Any]:
    """Of whole conversations, rendered."""
    if protocol == "tei_predict":  # a list of two texts would be one pair
        return {"inputs": [[text] for text in texts], "raw_scores": True, "truncate": False}
    return {"model": model, ("text" if protocol == "sglang_classify" else "input"): list(texts)}


def pairs_body(protocol: Protocol, prompts: Sequence[str], answers: Sequence[str], model: str, old: bool) -> dict[str, Any]:
    """Of questions and answers; a reranker has one question a call."""
    if protocol == "tei_rerank":
        return {"query": prompts[0], "texts": list(answers), "raw_scores": True, "truncate": False}
    first, second = ("text_1", "text_2") if old else ("queries", "documents")
    return {"model": model, first: list(prompts), second: list(answers)}


def read_scores(protocol: Protocol, body: bytes, count: int, label: int | str | None) -> tuple[list[Row], Usage]:
    """One row of one raw score a conversation."""
    answer = _parsed(body)
    if protocol in ("tei_predict", "tei_rerank", "sglang_classify"):
        rows = answer if isinstance(answer, list) else [answer] if count == 1 else []
        usage = Usage(prompt_tokens=sum(map(_sglang_tokens, rows)))
    else:
        answer = parse(body)
        data = answer.get("data")
        rows = data if isinstance(data, list) else []
        usage = usages_of(answer.get("usage"), 1)[0]
    if len(rows) != count:
        raise bad("wrong_n", f"{len(rows)} scores for {count} conversations", body)
    if protocol != "tei_predict":
        if not all(isinstance(row, dict) for row in rows):
            raise bad("bad_shape", "a score is no object", body)
        rows = sorted(rows, key=index_of)  # a reranker puts the best first
    return [(_one(row, label, body),) for row in rows], usage


def _one(row: Any, label: int | str | None, body: bytes) -> float:
    """The score that counts, of one conversation."""
    if isinstance(row, dict) and "score" in row:
        return number(row["score"], body)
    if isinstance(row, list) and row and all(isinstance(one, dict) for one in row):  # TEI: an object a label, best first
        if len(row) == 1:
            return number(row[0].get("score"), body)
        named = {one.get("label"): one.get("score") for one in row}
        if label not in named:
            raise _which(sorted(map(str, named)), "by its name")
        return number(named[label], body)
    values = next((row[name] for name in ("probs", "embedding", "data") if name in row), None) if isinstance(row, dict) else None
    if not isinstance(values, list) or not values:
        raise bad("bad_shape", "no score in the answer", body)
    if len(values) == 1:
        return number(values[0], body)
    if not isinstance(label, int) or not -len(values) <= label < len(values):
        raise _which([str(at) for at in range(len(values))], "by its number")
    return number(values[label], body)


def _which(there: list[str], how: str) -> BackendFatal:
    return BackendFatal(
        f"the model has {len(there)} labels, so it is no plain reward model: name the one that counts {how} in `label`: {', '.join(there[:20])}"
    )


def read_steps(body: bytes) -> tuple[list[Row], Usage]:
    """The rows of a /pooling answer with the task `token_classify`: one a step, or one a token where the server does not pick."""
    answer = parse(body)
    data = answer.get("data")
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict) or not isinstance(data[0].get("data"), list):
        raise bad("bad_shape", "expected one list `data` of rows", body)
    rows = [row if isinstance(row, list) else [row] for row in data[0]["data"]]
    if not all(rows) or len({len(row) for row in rows}) > 1:
        raise bad("bad_shape", "the rows of a process reward model are of one length", body)
    return [tuple(number(value, body) for value in row) for row in rows], usages_of(answer.get("usage"), 1)[0]


def chances(rows: Sequence[Row], label: int | str | None) -> Row:
    """How likely each step is good, from 0 to 1: rows of one or several labels, as probabilities or still as logits."""
    if not rows:
        return ()
    width = len(rows[0])
    unit = all(0 <= value <= 1 for row in rows for value in row)
    if width == 1:
        return tuple(row[0] if unit else _sigmoid(row[0]) for row in rows)
    if label is None and width != 2:
        raise _which([str(at) for at in range(width)], "by its number")
    at = label if isinstance(label, int) else 1
    if not -width <= at < width:
        raise _which([str(at) for at in range(width)], "by its number")
    if unit and all(abs(sum(row) - 1) < 1e-2 for row in rows):
        return tuple(row[at] for row in rows)
    return tuple(_softmax(row)[at] for row in rows)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _softmax(row: Row) -> Row:
    top = max(row)
    parts = [math.exp(value - top) for value in row]
    return tuple(part / sum(parts) for part in parts)


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        parse(body)  # raises with the reason
        raise


def _sglang_tokens(row: Any) -> int:
    meta = row.get("meta_info") if isinstance(row, dict) else None
    told = meta.get("prompt_tokens") if isinstance(meta, dict) else None
    return told if type(told) is int and 0 <= told < 1 << 53 else 0


def shared_out(usage: Usage, count: int) -> list[Usage]:
    """One an item, adding up to the whole."""
    each, rest = divmod(usage.prompt_tokens, count)
    return [Usage(prompt_tokens=each + (at < rest)) for at in range(count)]
