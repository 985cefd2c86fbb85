"""Seeds and keys: what a call is, apart from when and where it was made."""

from __future__ import annotations

import json
from hashlib import blake2b
from random import Random

from ..core.backend import Request

WIRE_BITS = 31
"""Seeds go over the wire as 31-bit integers, which every server takes."""


class Identity:
    """What decides the random seeds of one part working on one seed record."""

    __slots__ = ("_hash",)

    def __init__(self, run_seed: int, part: str, record_id: str) -> None:
        self._hash = blake2b(f"{run_seed}|{part}|{record_id}|".encode(), digest_size=8)

    def call_seed(self, path: str, sample: int) -> bytes:
        """8 bytes that stand for one call of the part."""
        hashed = self._hash.copy()
        hashed.update(f"{path}|{sample}".encode())
        return hashed.digest()

    def rng(self, path: str) -> Random:
        return Random(self.call_seed(f"rng:{path}", 0))


def wire_seed(call_seed: bytes) -> int:
    """The seed that is sent to the server."""
    return int.from_bytes(call_seed) >> (64 - WIRE_BITS)


def store_key(tenant: str, identity: str, request: Request, call_seed: bytes) -> bytes:
    """16 bytes: namespace, the model's identity (not its URL), the whole request, the call's seed."""
    hashed = blake2b(f"{tenant}\0{identity}\0".encode(), digest_size=16)
    try:
        body = request.model_dump_json(exclude_defaults=True)
    except ValueError:  # a lone surrogate: whoever sends it refuses it, and this one request only
        body = json.dumps(request.model_dump(exclude_defaults=True), default=str)
    hashed.update(body.encode())
    hashed.update(call_seed)
    return hashed.digest()
