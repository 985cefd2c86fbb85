"""The process that holds llama.cpp, so that a native abort ends it and nothing else. Run as a script, never imported.

One JSON line on stdin: `key` (of the port on 127.0.0.1), `alias`, `path`, `context` (tokens a slot), `slots`, `threads`,
`http_threads`, `gpu_layers`, `parent` (its process id). One JSON line on stdout once it listens: `url`. The log of llama.cpp
(errors only) goes to stderr. It ends when stdin does, and on Linux with its parent's death.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from typing import Any


def main() -> int:
    """Serve until stdin ends; exit status 1 where the model does not load, 3 where xllamacpp is missing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.readline())
    _die_with(settings["parent"])
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        import xllamacpp
    except ImportError as error:
        print(f"xllamacpp cannot be imported: {error}", file=sys.stderr)  # noqa: T201
        return 3
    try:
        server = xllamacpp.Server(_params(xllamacpp, settings))
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.stderr.flush()
        os._exit(1)
    os.write(answers, json.dumps({"url": server.listening_address}).encode() + b"\n")
    os.close(answers)
    threading.Event().wait()
    return 0


def _end_with_stdin() -> None:
    """The parent closes stdin, or dies: end at once (the tear-down of llama.cpp waits for answers that nobody reads)."""
    sys.stdin.read()
    os._exit(0)


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies (PR_SET_PDEATHSIG); no core dump, which could hold prompts."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _params(xllamacpp: Any, settings: dict[str, Any]) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = settings["path"], {settings["alias"]}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [settings["key"]]
    params.n_threads_http = settings["http_threads"]
    params.verbosity, params.ui, params.endpoint_slots, params.offline = 1, False, False, True
    params.n_parallel, params.n_ctx = settings["slots"], settings["slots"] * settings["context"]
    params.kv_unified, params.fit_params, params.warmup = False, False, False
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = settings["threads"]
    _make_repeatable(xllamacpp, params, on_cpu=settings["gpu_layers"] == 0)
    params.n_gpu_layers = settings["gpu_layers"] if settings["gpu_layers"] >= 0 else -2
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    sampling = params.sampling
    sampling.temp, sampling.top_k, sampling.top_p, sampling.min_p, sampling.penalty_last_n = 1.0, 0, 1.0, 0.0, -1
    return params


def _make_repeatable(xllamacpp: Any, params: Any, *, on_cpu: bool) -> None:
    """Nothing of one request may reach another: no prompt cache, a KV cache a slot, attention row by row.

    On the CPU a BF16 cache keeps flash attention on its row-wise path; with F16, long prompts take a tiled one whose sums
    depend on how prompts were cut into batches.
    """
    params.cache_prompt, params.cache_ram_mib, params.cache_idle_slots, params.n_ctx_checkpoints = False, 0, False, 0
    if on_cpu:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_BF16


if __name__ == "__main__":
    sys.exit(main())
