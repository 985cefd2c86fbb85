"""Servers that a run starts itself (`use: vllm_server`), with a real vLLM on the CPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from datalchemy.backends._vllm_command import command as words_of
from datalchemy.backends.vllm_server import VllmServer
from runs import Command
from vllm_server import MODEL

pytestmark = pytest.mark.real

ENOUGH = 30
"""Stored answers after which one of the two is killed."""
LIMIT_S = 240

PARSE = """
import json, sys
try:
    from vllm.entrypoints.openai.cli_args import make_arg_parser
except ImportError:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for words in json.load(sys.stdin):
    known, unknown = parser.parse_known_args(words)
    assert not unknown, unknown
    shown = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "dtype", "quantization", "kv_cache_dtype",
             "gpu_memory_utilization", "max_model_len", "max_num_seqs", "max_num_batched_tokens", "enable_prefix_caching",
             "enforce_eager", "max_lora_rank", "reasoning_parser", "tool_call_parser", "enable_lora", "runner", "revision")
    print("READ " + json.dumps({name: getattr(known, name) for name in shown}))
"""


def test_vllm_reads_every_setting_as_it_was_meant(vllm_python: Path, tmp_path: Path) -> None:
    """What needs a GPU to run is at least taken by vLLM's own parser, with the values given."""
    given = {
        "tensor_parallel_size": 2, "pipeline_parallel_size": 2, "data_parallel_size": 2, "dtype": "bfloat16", "quantization": "fp8",
        "kv_cache_dtype": "fp8", "gpu_memory_utilization": 0.8, "max_num_seqs": 512, "max_num_batched_tokens": 16384,
        "enable_prefix_caching": True, "enforce_eager": False, "max_lora_rank": 64, "reasoning_parser": "qwen3", "revision": "main",
    }  # fmt: skip
    server = VllmServer(
        path="org/M", context_length=8192, tool_parser="hermes", lora={"one": tmp_path}, adapter="one",
        generation_config="vllm", trust_remote_code=True, **given,
    )  # fmt: skip
    small = VllmServer(path="org/M", task="embed", device="cpu", enable_prefix_caching=False)
    lines = [words_of(one, "python", 8000)[3:] for one in (server, small)]
    ended = subprocess.run(
        [vllm_python, "-c", PARSE], input=json.dumps(lines), capture_output=True, text=True, timeout=180, cwd=tmp_path, check=False
    )
    read = [json.loads(line.removeprefix("READ ")) for line in ended.stdout.splitlines() if line.startswith("READ ")]
    assert len(read) == 2, ended.stderr[-3000:]
    assert {name: read[0][name] for name in given} == given
    assert (read[0]["max_model_len"], read[0]["tool_call_parser"], read[0]["enable_lora"]) == (8192, "hermes", True)
    assert (read[1]["runner"], read[1]["enable_prefix_caching"]) == ("pooling", False)


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def servers(run: int) -> list[int]:
    """vLLM's processes: each the child of a keeper, which is a child of the run."""
    keepers = [pid for pid in children(run) if b"_vllm_keeper" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return [pid for keeper in keepers for pid in children(keeper)]


def gone(pids: list[int]) -> bool:
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.1)
    return False


def test_one_of_two_servers_is_killed_and_the_run_completes(vllm_python: Path, command: Command) -> None:
    teacher = {
        "use": "vllm_server", "path": str(MODEL), "python": str(vllm_python), "device": "cpu", "servers": 2, "cpu_kv_cache_gb": 1,
        "enforce_eager": True, "offline": True, "max_in_flight": 32, "logs": str(command.folder / "logs"),
        "arguments": ["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'],
    }  # fmt: skip
    words = ("cold-start-cot", "--set", f"models.teacher={json.dumps(teacher)}", "--target", "60", "--out", "out")
    running = command.start("run", *words)
    deadline = time.monotonic() + LIMIT_S
    while command.stored() < ENOUGH:
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < deadline, "too slow to be killed in the middle"
        time.sleep(0.1)
    both = servers(running.pid)
    engines = [pid for server in both for pid in children(server)]
    assert len(both) == 2
    assert engines, "the control: a server has processes of its own"
    os.kill(both[0], signal.SIGKILL)
    ended = command.end(running)
    assert ended.code == 0, ended.told
    assert (ended.result["status"], ended.result["accepted"], ended.result["counts"]["failed"]) == ("complete", 60, 0)
    assert ended.spent["calls"] == command.stored(), "an answer was paid for twice"
    assert len({row["id"] for row in command.rows("out")}) == 60
    assert gone([*both, *engines]), "a server outlived its run"
