"""A model in a GGUF file, run here by llama.cpp (the `xllamacpp` wheel) in a process of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ._gguf_header import digest, header

_SPARE = 16
"""Calls in flight beyond the slots: one waits for each slot that falls free."""
_ROOT = __name__.rpartition(".backends")[0]


class Embedded(Endpoint):
    """A GGUF file, served by llama.cpp with continuous batching; without `path` the small model that is shipped, ember."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {"chat", "complete", "token_ids", "logprobs", "json_schema", "tools", "seed", "template"}
    )

    path: Path | None = None
    """The GGUF file; left out: ember."""
    threads: int | None = Field(default=None, ge=1)
    """Threads that compute; left out: the cores this process may use less one, which the run itself needs."""
    slots: int = Field(default=64, ge=1, le=1024)
    """Sequences computed at the same time."""
    context: int | None = Field(default=None, ge=64)
    """Tokens of one sequence, prompt and answer; left out: what the model was trained with, at most 4096."""
    gpu_layers: int = Field(default=0, ge=-1)
    """Layers on the GPU, where the wheel is built for one; -1: all. Texts then depend on what else is in flight."""
    max_in_flight: int = Field(default=64 + _SPARE, ge=1)
    """Calls at the same time at most; left out: the slots and 16 more, which keeps the slots full."""

    @model_validator(mode="before")
    @classmethod
    def _above_the_slots(cls, given: Any) -> Any:
        if isinstance(given, dict) and "max_in_flight" not in given and isinstance(given.get("slots"), int):
            return {**given, "max_in_flight": given["slots"] + _SPARE}
        return given

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the file, the wheel or the memory is missing; BackendFatal where llama.cpp cannot load it."""
        if find_spec("xllamacpp") is None:
            raise RecipeError("`use: embedded` needs llama.cpp, and the package xllamacpp is not installed: pip install datalchemy")
        return self._open(self._settings())

    @asynccontextmanager
    async def _open(self, settings: dict[str, Any]) -> AsyncGenerator[Backend]:
        from ._llama_backend import LlamaBackend

        async with LlamaBackend(self, settings) as backend:
            yield backend

    def who(self) -> str:
        """`gguf:NAME@HASH`: the name in the file (else the file's) and 16 hex digits of its sha256. Raises RecipeError.

        Of a file above 256 MiB only the first and last MiB and the size are hashed: reading 20 GB would take minutes.
        """
        file = self.file()
        return f"gguf:{header(file).get('general.name') or file.stem}@{digest(file)}"

    def file(self) -> Path:
        """The GGUF file that is meant."""
        return self.path.expanduser() if self.path is not None else Path(import_module(f"{_ROOT}.ember").weights())

    def _settings(self) -> dict[str, Any]:
        """What the process is told. Raises RecipeError."""
        file = self.file().absolute()
        told = header(file)
        trained = told.get(f"{told.get('general.architecture')}.context_length")
        context = self.context or min(trained if isinstance(trained, int) else 4096, 4096)
        _check_memory(file, told, self.slots, context, on_gpu=self.gpu_layers != 0)
        return {
            "path": str(file),
            "alias": self.who(),
            "context": context,
            "slots": self.slots,
            "threads": self.threads or max(1, cores() - 1),
            "http_threads": max(self.slots, self.max_in_flight) + 8,
            "gpu_layers": self.gpu_layers,
        }


def cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its container (cgroup v2)."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    try:
        limit, period = quota.read_text().split()
        return max(1, min(usable, int(limit) // int(period)))
    except (OSError, ValueError):
        return usable


def cache_bytes(told: Mapping[str, Any], tokens: int) -> int:
    """Bytes of a 16-bit KV cache for `tokens`, from a GGUF header; 0 where the attention is of a kind this cannot tell."""
    if any(name in key for key in told for name in (".ssm.", "kv_lora_rank", "sliding_window")):
        return 0
    kind = told.get("general.architecture")
    layers, width, heads = (_count(told, f"{kind}.{name}") for name in ("block_count", "embedding_length", "attention.head_count"))
    if not (layers and width and heads):
        return 0
    shared = _count(told, f"{kind}.attention.head_count_kv") or heads
    keys, values = (_count(told, f"{kind}.attention.{name}_length") or width // heads for name in ("key", "value"))
    return 2 * layers * shared * (keys + values) * tokens


def _count(told: Mapping[str, Any], key: str) -> int:
    value = told.get(key)
    return value if isinstance(value, int) else 0


def _check_memory(file: Path, told: Mapping[str, Any], slots: int, context: int, *, on_gpu: bool) -> None:
    """Refuse here what the kernel would kill later. Raises RecipeError; says nothing where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    cache, weights = cache_bytes(told, slots * context), file.stat().st_size
    if on_gpu or free is None or cache + weights <= free:
        return
    raise RecipeError(
        f"{file.name} needs {weights / 1e9:.1f} GB and {cache / 1e9:.1f} GB for {slots} slots of {context} tokens; "
        f"{free / 1e9:.1f} GB are free: lower `slots` or `context`"
    )
