"""A model run here by vLLM: its AsyncLLM without a server, a port or HTTP (extra `vllm`)."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ._weights import folder_of, identity

PYTHON = "DATALCHEMY_VLLM_PYTHON"
"""Names an interpreter that has vLLM, where it is installed in an environment of its own."""
_EACH = 320
"""Calls in flight for each engine: vLLM's own 256 sequences, and some that wait for one to fall free."""
_OURS = frozenset({"model", "revision", "runner", "tensor_parallel_size", "max_model_len", "dtype", "enable_lora", "trust_remote_code"})
"""Fields of vLLM that are set by settings of ours, or never."""


class Vllm(Endpoint):
    """vLLM's engine, one or several of them, each in a process of its own that ends with the run."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            "chat",
            "complete",
            "token_ids",
            "prompt_logprobs",
            "logprobs",
            "embed",
            "score",
            "json_schema",
            "tools",
            "n",
            "seed",
            "template",
        }
    )

    path: str
    """A folder with the model, or its name on the hub."""
    revision: str | None = None
    """Of a model on the hub: the commit, tag or branch."""
    task: Literal["generate", "embed", "classify"] = "generate"
    """`generate` writes text; `embed` gives vectors; `classify` gives one raw score a conversation, for reward models."""
    engines: int = Field(default=1, ge=1, le=64)
    """Engines with a copy of the model each; a call goes to the one with the least to do."""
    devices: tuple[tuple[int | str, ...], ...] = ()
    """GPUs of each engine (`[[0, 1], [2, 3]]`), as CUDA_VISIBLE_DEVICES numbers or names them; left out: what vLLM finds."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that one copy of the model is spread over."""
    dtype: str = "auto"
    """Precision (`float16`, `bfloat16`, `float32`); `auto`: as the weights are stored."""
    lora: Mapping[str, Path] = {}
    """Folders of LoRA adapters by name."""
    adapter: str | None = None
    """The adapter that is asked, by its name in `lora`; a call whose `extra` holds `model: NAME` asks that one instead."""
    tool_parser: str | None = None
    """How the model writes tool calls, as vLLM's --tool-call-parser names it (`hermes`); without it there are no `tools`."""
    offline: bool = False
    """Whether nothing may be fetched from the hub."""
    options: Mapping[str, Any] = {}
    """Further engine arguments of vLLM (`gpu_memory_utilization: 0.8`, `max_num_seqs: 512`, `enforce_eager: true`)."""
    start_s: float = Field(default=1800, gt=0)
    """How long an engine may take to load."""
    max_in_flight: int = Field(default=_EACH, ge=1)
    """Calls at the same time at most; left out: 320 for each engine, of which vLLM computes 256 and queues the rest."""

    @model_validator(mode="before")
    @classmethod
    def _for_each_engine(cls, given: Any) -> Any:
        if isinstance(given, dict) and "max_in_flight" not in given and isinstance(given.get("engines"), int):
            return {**given, "max_in_flight": max(1, given["engines"]) * _EACH}
        return given

    @model_validator(mode="after")
    def _fits(self) -> Vllm:
        if self.devices and len(self.devices) != self.engines:
            raise ValueError(f"`devices` lists GPUs for {len(self.devices)} engines, and `engines` is {self.engines}")
        if any(len(own) < self.tensor_parallel_size for own in self.devices):
            raise ValueError(f"each entry of `devices` must hold the {self.tensor_parallel_size} GPUs of `tensor_parallel_size`")
        if self.adapter is not None and self.adapter not in self.lora:
            raise ValueError(f"`adapter` names {self.adapter!r}, and `lora` has: {', '.join(self.lora) or 'none'}")
        if taken := sorted(_OURS & set(self.options)):
            raise ValueError(f"`options` may not hold {', '.join(taken)}: there are settings for it, or it is not to be had here")
        return self

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Loads the weights. Raises RecipeError where vLLM or the folder is missing; BackendFatal where vLLM cannot load it."""
        python = os.environ.get(PYTHON) or sys.executable
        if not os.environ.get(PYTHON) and find_spec("vllm") is None:
            raise RecipeError(
                "`use: vllm` needs vLLM, and it is not installed: pip install 'datalchemy[vllm]', "
                f"or name in ${PYTHON} the interpreter of an environment that has it"
            )
        if self.folder() is None and self.path.startswith(("/", ".", "~")):
            raise RecipeError(f"there is no folder {self.path}: set `path` to a folder with the model, or to its name on the hub")
        return self._open(python)

    @asynccontextmanager
    async def _open(self, python: str) -> AsyncGenerator[Backend]:
        from ._vllm_backend import VllmBackend

        async with VllmBackend(self, python) as backend:
            yield backend

    def folder(self) -> Path | None:
        """The folder with the model, where it is one."""
        return folder_of(self.path)

    def who(self) -> str:
        """See `_weights.identity`."""
        return identity(self.path, self.revision, self.options.get("quantization"), self.adapter, self.lora)

    def arguments(self) -> dict[str, Any]:
        """Engine arguments as vLLM spells them."""
        folder = self.folder()
        given: dict[str, Any] = {
            "model": str(folder.absolute()) if folder else self.path,
            "revision": self.revision,
            "runner": "generate" if self.task == "generate" else "pooling",
            "tensor_parallel_size": self.tensor_parallel_size,
            "dtype": self.dtype,
            "disable_log_stats": True,
        }
        if self.context_length is not None:
            given["max_model_len"] = self.context_length
        if self.lora:
            given |= {"enable_lora": True, "max_loras": len(self.lora)}
        return {**given, **self.options}
