"""Further answers in the OpenAI wire shape: prompt log-probabilities, embeddings, token ids. Pure, like `_openai_shape`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.backend import Reply, Vectors
from ._openai_shape import bad, choices_of, ids_of, index_of, model_of, number, parse, usages_of


def read_prompt_logprobs(body: bytes, prompt: str | Sequence[int]) -> Reply:
    """One log-probability a prompt token (the first is None), of the token that stands there. Raises BadResponse."""
    answer = parse(body)
    choice = choices_of(answer, 1, body)[0]
    entries = choice.get("prompt_logprobs")
    if not isinstance(entries, list) or not entries:
        raise bad("bad_shape", "the answer holds no prompt_logprobs: this server cannot give them", body)
    known = prompt if not isinstance(prompt, str) else choice.get("prompt_token_ids")
    ids = ids_of(known, body) if known is not None else ()
    if ids and len(ids) != len(entries):
        raise bad("bad_shape", f"{len(entries)} prompt log-probabilities for {len(ids)} prompt tokens", body)
    values = tuple(_chosen(entry, ids[at] if ids else None, body) for at, entry in enumerate(entries))
    if any(value is None for value in values[1:]):
        raise bad("bad_number", "a prompt token after the first has no log-probability", body)
    return Reply(logprobs=values, token_ids=ids, usage=usages_of(answer.get("usage"), 1)[0], model=model_of(answer))


def _chosen(entry: Any, token: int | None, body: bytes) -> float | None:
    """vLLM: {token id: {logprob, rank, ...}}, the prompt's own token first; None for the first position."""
    if entry is None:
        return None
    if not isinstance(entry, dict) or not entry:
        raise bad("bad_shape", "a prompt log-probability is no object", body)
    found = entry.get(str(token)) if token is not None else next(iter(entry.values()))
    return number(found.get("logprob") if isinstance(found, dict) else found, body)


def read_embeddings(body: bytes, count: int) -> Vectors:
    """`count` vectors of equal length, in the order asked. Raises BadResponse."""
    answer = parse(body)
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise bad("bad_shape", "expected a list `data` of embeddings", body)
    if len(rows) != count:
        raise bad("wrong_n", f"{len(rows)} embeddings for {count} texts", body)
    vectors = [row.get("embedding") for row in sorted(rows, key=index_of)]
    if not all(isinstance(vector, list) and vector for vector in vectors) or len({len(vector or ()) for vector in vectors}) > 1:
        raise bad("bad_shape", "embeddings must be lists of numbers of one length", body)
    return Vectors([[number(value, body) for value in vector or ()] for vector in vectors], usages_of(answer.get("usage"), 1)[0])


def read_tokens(body: bytes) -> list[int]:
    """The ids of a /tokenize answer (vLLM and llama.cpp write them alike). Raises BadResponse."""
    return list(ids_of(parse(body).get("tokens"), body))
