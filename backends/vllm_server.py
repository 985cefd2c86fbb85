"""vLLM servers that are started for a run and end with it: one for each GPU, or for each group of GPUs."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.backend import Backend, Capability, Reasoning
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ._weights import folder_of, identity

PYTHON = "DATALCHEMY_VLLM_PYTHON"
"""Names an interpreter that has vLLM, where it is installed in an environment of its own."""
_EACH = 320
"""Calls in flight for each server: vLLM's own 256 sequences, and some that wait for one to fall free."""


class VllmServer(Endpoint):
    """A model behind vLLM servers of one's own; a call goes to the server with the least to do."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {"chat", "complete", "token_ids", "prompt_logprobs", "logprobs", "embed", "json_schema", "tools", "n", "seed", "template"}
    )

    path: str = Field(min_length=1)
    """A folder with the model, or its name on the hub."""
    revision: str | None = None
    """Of a model on the hub: the commit, tag or branch."""
    task: Literal["generate", "embed"] = "generate"
    """`generate` writes text; `embed` gives vectors."""
    device: Literal["gpu", "cpu"] = "gpu"
    """`cpu` for vLLM's CPU wheel: cores are divided among the servers, and chunked prefill is off, which seeded requests need there."""
    gpus: tuple[int | str, ...] = ()
    """GPUs to use, as CUDA_VISIBLE_DEVICES numbers or names them; in order, so many for each server as one copy of the model takes."""
    servers: int | None = Field(default=None, ge=1, le=64)
    """Servers; left out: as many as `gpus` has room for, without `gpus` one."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that one copy of the model is spread over, layer by layer cut into parts."""
    pipeline_parallel_size: int = Field(default=1, ge=1)
    """Groups of GPUs that each hold some of the layers."""
    data_parallel_size: int = Field(default=1, ge=1)
    """Copies of the model behind one server, with GPUs of their own."""
    dtype: str = "auto"
    """Precision (`float16`, `bfloat16`, `float32`); `auto`: as the weights are stored."""
    quantization: str | None = None
    """How weights are quantized while they load (`fp8`, `bitsandbytes`); part of the identity. Quantized checkpoints need no word."""
    kv_cache_dtype: str | None = None
    """Precision of the KV cache (`fp8`)."""
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    """Share of a GPU's memory that vLLM takes; its own default is 0.9 or so."""
    max_num_seqs: int | None = Field(default=None, ge=1)
    """Sequences that one server computes at the same time."""
    max_num_batched_tokens: int | None = Field(default=None, ge=1)
    """Tokens of one step."""
    enable_prefix_caching: bool | None = None
    """Whether equal beginnings of prompts are computed once; vLLM's default is yes."""
    enforce_eager: bool | None = None
    """Without compiled graphs: starts faster, runs slower."""
    lora: Mapping[str, Path] = {}
    """Folders of LoRA adapters by name."""
    adapter: str | None = None
    """The adapter that is asked, by its name in `lora`; a call whose `extra` holds `model: NAME` asks that one instead."""
    max_lora_rank: int | None = Field(default=None, ge=1)
    """Of the largest adapter; vLLM's default is 16."""
    reasoning_parser: str | None = None
    """Splits thinking off in the server (`qwen3`, `deepseek_r1`); not needed, `<think>` is split here too."""
    tool_parser: str | None = None
    """How the model writes tool calls, as --tool-call-parser names it (`hermes`); without it there are no `tools`."""
    chat_template: str | None = None
    """A file with another chat template."""
    generation_config: str | None = None
    """`vllm`: sampling that a recipe leaves out takes vLLM's defaults, not those of the model's generation_config.json."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""
    arguments: tuple[str, ...] = ()
    """Further words of the command line, as they are."""
    environment: Mapping[str, str] = {}
    """Further variables for the servers."""
    offline: bool = False
    """Whether nothing may be fetched from the hub."""
    python: Path | None = None
    """Interpreter that has vLLM; left out: what $DATALCHEMY_VLLM_PYTHON names, else this one."""
    cpu_kv_cache_gb: float | None = Field(default=None, gt=0)
    """With `device: cpu`: memory for the KV cache of one server, in GiB."""
    start_s: float = Field(default=1800, gt=0)
    """How long a server may take until it answers."""
    restarts: int = Field(default=5, ge=0)
    """Deaths of one server within half an hour after which it is not started again."""
    logs: Path | None = None
    """Folder for the servers' logs; left out: a temporary one, kept only where a server died or did not start."""
    max_in_flight: int = Field(default=_EACH, ge=1)
    """Calls at the same time at most; left out: 320 for each server (or a quarter more than its `max_num_seqs`)."""
    patience_s: float = Field(default=1800, ge=0)
    """How long no server may be there before the run stops; a restart takes as long as a start."""

    @model_validator(mode="after")
    def _fits(self) -> VllmServer:
        if self.gpus and len(self.gpus) % self.size:
            raise ValueError(f"{len(self.gpus)} `gpus` do not divide into servers of {self.size} (tensor x pipeline x data parallel size)")
        if self.gpus and self.servers not in (None, len(self.gpus) // self.size):
            raise ValueError(f"{len(self.gpus)} `gpus` are {len(self.gpus) // self.size} servers of {self.size}: leave `servers` out")
        if self.gpus and self.device == "cpu":
            raise ValueError("`device: cpu` uses no `gpus`")
        if self.device == "gpu" and not self.gpus and self.count > 1:
            raise ValueError("several servers must not share a GPU: list them as `gpus` (or say `device: cpu`)")
        if self.adapter is not None and self.adapter not in self.lora:
            raise ValueError(f"`adapter` names {self.adapter!r}, and `lora` has: {', '.join(self.lora) or 'none'}")
        if "max_in_flight" not in self.model_fields_set:  # frozen only for those who get to see it
            each = _EACH if self.max_num_seqs is None else max(8, self.max_num_seqs * 5 // 4)
            object.__setattr__(self, "max_in_flight", self.count * each)
        return self

    @property
    def size(self) -> int:
        """GPUs of one server."""
        return self.tensor_parallel_size * self.pipeline_parallel_size * self.data_parallel_size

    @property
    def count(self) -> int:
        """Servers that are started."""
        return self.servers or max(1, len(self.gpus) // self.size)

    @property
    def reasoning_told(self) -> Reasoning | None:
        return "field" if self.reasoning_parser else None

    def able(self) -> frozenset[Capability]:
        if self.task == "embed":
            return frozenset({"embed", "template"})
        return self.capabilities - ({"embed"} if self.tool_parser else {"embed", "tools"})

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Starts the servers. Raises RecipeError where vLLM or the folder is missing; BackendFatal where one does not come up."""
        python = str(self.python.expanduser().absolute()) if self.python is not None else os.environ.get(PYTHON) or sys.executable
        if python == sys.executable and find_spec("vllm") is None:
            raise RecipeError(
                "`use: vllm_server` needs vLLM, and it is not installed here: name the interpreter of an environment that has it "
                f"as `python` or in ${PYTHON}, or pip install 'datalchemy[vllm]'"
            )
        if not os.access(python, os.X_OK):
            raise RecipeError(f"there is no interpreter {python}: set `python` (or ${PYTHON}) to that of an environment that has vLLM")
        for name, place in (("path", self.path), *(("lora", str(own)) for own in self.lora.values())):
            if place.startswith(("/", ".", "~")) and not Path(place).expanduser().exists():
                raise RecipeError(f"there is no folder {place}: set `{name}` to a folder that is there, or to a name on the hub")
        return self._open(python)

    @asynccontextmanager
    async def _open(self, python: str) -> AsyncGenerator[Backend]:
        from ._vllm_servers import servers

        async with servers(self, python) as backend:
            yield backend

    def folder(self) -> Path | None:
        """The folder with the model, where it is one."""
        return folder_of(self.path)

    def who(self) -> str:
        """See `_weights.identity`."""
        return identity(self.path, self.revision, self.quantization, self.adapter, self.lora)

    def redacted(self) -> dict[str, Any]:
        return {**super().redacted(), "environment": sorted(self.environment)}
