"""The command line and the environment of a vLLM server."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .vllm_server import VllmServer

_FLAGS = (
    "revision", "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "dtype", "quantization", "kv_cache_dtype",
    "gpu_memory_utilization", "max_num_seqs", "max_num_batched_tokens", "enable_prefix_caching", "enforce_eager", "max_lora_rank",
    "reasoning_parser", "generation_config", "trust_remote_code",
)  # fmt: skip
"""Settings that are flags of vLLM under the same name; those that are left at their defaults are not written."""
BASE = "base"
"""What the model without its adapter is called, where an adapter is asked."""


def command(settings: VllmServer, python: str, port: int) -> list[str]:
    """What is run, with the port to listen at. The model (or the adapter) is served under its identity."""
    name, folder = settings.stored_as, settings.folder()
    words = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder.absolute()) if folder else settings.path]
    words += ["--served-model-name", name if settings.adapter is None else BASE, "--host", "127.0.0.1", "--port", str(port)]
    for field in _FLAGS:
        value = getattr(settings, field)
        flag = field.replace("_", "-")
        if value == type(settings).model_fields[field].default:
            continue
        words += ([f"--{flag}"] if value else [f"--no-{flag}"]) if isinstance(value, bool) else [f"--{flag}", str(value)]
    if settings.context_length is not None:
        words += ["--max-model-len", str(settings.context_length)]
    if settings.lora:
        names = {own: name if own == settings.adapter else own for own in settings.lora}
        words += ["--enable-lora", "--max-loras", str(len(names)), "--lora-modules"]
        words += [f"{served}={settings.lora[own].expanduser().absolute()}" for own, served in names.items()]
    if settings.tool_parser is not None:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", settings.tool_parser]
    if settings.chat_template is not None:
        file = Path(settings.chat_template).expanduser()
        words += ["--chat-template", str(file.absolute()) if file.exists() else settings.chat_template]
    if settings.task == "embed":
        words += ["--runner", "pooling"]
    else:
        words.append("--enable-prompt-tokens-details")
    if settings.device == "cpu":
        words.append("--no-enable-chunked-prefill")
    return [*words, "--disable-uvicorn-access-log", *settings.arguments]


def environment(settings: VllmServer, index: int, key: str, cores: Sequence[int], base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables of server `index`; `cores` are those that this process may use. The key is none of the words that `ps` shows."""
    kept = {name: value for name, value in base.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VLLM_PORT")}
    own = {"VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if settings.offline:
        own |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if settings.gpus:
        mine = settings.gpus[index * settings.size : (index + 1) * settings.size]
        own["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, mine))
    if settings.device == "cpu":
        if settings.cpu_kv_cache_gb is not None:
            own["VLLM_CPU_KVCACHE_SPACE"] = f"{settings.cpu_kv_cache_gb:g}"
        if settings.count > 1 and len(cores) >= settings.count:
            share = len(cores) // settings.count
            own["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores[index * share : (index + 1) * share]))
    return {**kept, **own, **settings.environment}
