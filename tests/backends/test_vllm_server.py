"""`use: vllm_server`: the command lines it makes, and its servers' lives with a script that stands for vLLM."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from contract import asking
from datalchemy.backends._balance import Balance
from datalchemy.backends._guard import Guard
from datalchemy.backends._vllm_command import command, environment
from datalchemy.backends._weights import template_in
from datalchemy.backends.vllm_server import PYTHON, VllmServer
from datalchemy.core.errors import BackendFatal, RecipeError
from datalchemy.engine.modelnames import settings as named
from pydantic import ValidationError

STAND_IN = Path(__file__).with_name("stand_in_vllm.py")


def words(**given: Any) -> str:
    return " ".join(command(VllmServer(**{"path": "org/Model-8B", **given}), "py", 8000)[3:])


def test_the_plainest_command_line() -> None:
    assert words() == (
        "--model org/Model-8B --served-model-name org/Model-8B --host 127.0.0.1 --port 8000 "
        "--enable-prompt-tokens-details --disable-uvicorn-access-log"
    )
    assert command(VllmServer(path="m"), "/v/python", 1)[:3] == ["/v/python", "-m", "vllm.entrypoints.openai.api_server"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"dtype": "float16"}, "--dtype float16"),
        ({"quantization": "fp8"}, "--quantization fp8"),
        ({"kv_cache_dtype": "fp8"}, "--kv-cache-dtype fp8"),
        ({"gpu_memory_utilization": 0.8}, "--gpu-memory-utilization 0.8"),
        ({"context_length": 8192}, "--max-model-len 8192"),
        ({"max_num_seqs": 512}, "--max-num-seqs 512"),
        ({"max_num_batched_tokens": 16384}, "--max-num-batched-tokens 16384"),
        ({"enable_prefix_caching": True}, "--enable-prefix-caching"),
        ({"enable_prefix_caching": False}, "--no-enable-prefix-caching"),
        ({"enforce_eager": True}, "--enforce-eager"),
        ({"tensor_parallel_size": 4}, "--tensor-parallel-size 4"),
        ({"pipeline_parallel_size": 2}, "--pipeline-parallel-size 2"),
        ({"data_parallel_size": 2}, "--data-parallel-size 2"),
        ({"revision": "abc"}, "--revision abc"),
        ({"reasoning_parser": "qwen3"}, "--reasoning-parser qwen3"),
        ({"tool_parser": "hermes"}, "--enable-auto-tool-choice --tool-call-parser hermes"),
        ({"generation_config": "vllm"}, "--generation-config vllm"),
        ({"trust_remote_code": True}, "--trust-remote-code"),
        ({"task": "embed"}, "--runner pooling"),
        ({"device": "cpu"}, "--no-enable-chunked-prefill"),
        ({"arguments": ["--swap-space", "8"]}, "--swap-space 8"),
    ],
)
def test_settings_on_the_command_line(given: dict[str, Any], wanted: str) -> None:
    assert f" {wanted} " in f" {words(**given)} "
    assert f" {wanted} " not in f" {words()} ", "the control: it comes from the setting"


def test_an_adapter_is_served_under_the_identity(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_model.safetensors").write_bytes(name.encode())
    lora = {name: tmp_path / name for name in ("one", "two")}
    server = VllmServer(path="org/Model-8B", lora=lora, adapter="two", max_lora_rank=64)
    line = words(lora=lora, adapter="two", max_lora_rank=64)
    assert "--served-model-name base " in line
    assert f"--enable-lora --max-loras 2 --lora-modules one={tmp_path}/one {server.stored_as}={tmp_path}/two" in line
    assert "--max-lora-rank 64" in line
    assert server.stored_as.startswith("org/Model-8B+two@")
    assert len({VllmServer(path="org/Model-8B", lora=lora, adapter=name).stored_as for name in (None, "one", "two")}) == 3
    with pytest.raises(ValidationError, match="`adapter` names 'three'"):
        VllmServer(path="org/Model-8B", lora=lora, adapter="three")


def test_gpus_are_divided_among_servers() -> None:
    def devices(**given: Any) -> list[str]:
        server = VllmServer(path="m", **given)
        return [environment(server, i, "k", (), {})["CUDA_VISIBLE_DEVICES"] for i in range(server.count)]

    assert devices(gpus=[0, 1, 2, 3]) == ["0", "1", "2", "3"]
    assert devices(gpus=[4, 5, 6, 7], tensor_parallel_size=2) == ["4,5", "6,7"]
    assert devices(gpus=[0, 1, 2, 3], tensor_parallel_size=2, data_parallel_size=2) == ["0,1,2,3"]
    assert devices(gpus=["GPU-a", "MIG-b"]) == ["GPU-a", "MIG-b"]
    assert "CUDA_VISIBLE_DEVICES" not in environment(VllmServer(path="m"), 0, "k", (), {}), "what the process was given stays"
    for given, told in (
        ({"gpus": [0, 1, 2], "tensor_parallel_size": 2}, "do not divide"),
        ({"gpus": [0, 1], "servers": 3}, "leave `servers` out"),
        ({"servers": 2}, "must not share a GPU"),
        ({"gpus": [0], "device": "cpu"}, "uses no `gpus`"),
    ):
        with pytest.raises(ValidationError, match=told):
            VllmServer(path="m", **given)


def test_the_environment_of_a_server() -> None:
    base = {"PATH": "/bin", "HF_TOKEN": "t", "PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "VLLM_PORT": "1"}
    server = VllmServer(path="m", device="cpu", servers=2, cpu_kv_cache_gb=1.5, offline=True, environment={"DO_NOT_TRACK": "0", "A": "b"})
    first, second = (environment(server, i, "secret", range(5), base) for i in range(2))
    assert {"PATH", "HF_TOKEN"} <= set(first)
    assert not {"PYTHONPATH", "VIRTUAL_ENV", "VLLM_PORT"} & set(first)
    assert (first["VLLM_API_KEY"], first["VLLM_NO_USAGE_STATS"], first["VLLM_CPU_KVCACHE_SPACE"]) == ("secret", "1", "1.5")
    assert (first["VLLM_CPU_OMP_THREADS_BIND"], second["VLLM_CPU_OMP_THREADS_BIND"]) == ("0,1", "2,3")
    assert (first["HF_HUB_OFFLINE"], first["DO_NOT_TRACK"], first["A"]) == ("1", "0", "b")


def test_identity_capabilities_and_how_much_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    one = VllmServer(path=str(folder)).stored_as
    assert one.startswith("model@")
    (folder / "model.safetensors").write_bytes(b"others!")
    assert VllmServer(path=str(folder)).stored_as != one
    assert VllmServer(path="org/M", revision="r", quantization="fp8").stored_as == "org/M@r+fp8"
    assert VllmServer(path="org/M", gpus=[0, 1], dtype="float16", max_num_seqs=8).stored_as == "org/M"
    assert "tools" not in VllmServer(path="m").able()
    assert "tools" in VllmServer(path="m", tool_parser="hermes").able()
    assert VllmServer(path="m", task="embed").able() == {"embed", "template"}
    assert [VllmServer(path="m", gpus=[0, 1], **more).max_in_flight for more in ({}, {"max_num_seqs": 512}, {"max_in_flight": 9})] == [
        640,
        1280,
        9,
    ]


def test_the_identity_is_that_of_vllm_in_process(tmp_path: Path) -> None:
    from datalchemy.backends.vllm import Vllm

    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert VllmServer(path=str(tmp_path)).stored_as == Vllm(path=str(tmp_path)).stored_as
    assert VllmServer(path="org/M", revision="r").stored_as == Vllm(path="org/M", revision="r").stored_as


def test_on_the_command_line_of_datalchemy() -> None:
    assert named("vllm-server:org/Model-8B") == {"use": "vllm_server", "path": "org/Model-8B"}


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(RecipeError, match="`python` or in"):
        VllmServer(path="org/M").open()
    with pytest.raises(RecipeError, match="no interpreter"):
        VllmServer(path="org/M", python=tmp_path / "none").open()
    with pytest.raises(RecipeError, match="`path`"):
        VllmServer(path=str(tmp_path / "none"), python=_interpreter(tmp_path)).open()


def _interpreter(folder: Path) -> Path:
    """An `interpreter` that runs the stand-in whatever module it is told to."""
    file = folder / "python"
    file.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" -S -E "{STAND_IN}" "$@"\n')
    file.chmod(0o700)
    return file


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., VllmServer]:
    def make(plan: str = "", **given: Any) -> VllmServer:
        told = f"told={tmp_path / 'told'};{plan}"
        return VllmServer(**{
            "path": "org/Model-8B", "python": _interpreter(tmp_path), "device": "cpu", "start_s": 30,
            "logs": tmp_path / "logs", "environment": {"STAND_IN": told}, **given,
        })  # fmt: skip

    return make


def told(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]


def lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def gone(*pids: int) -> bool:
    for _ in range(100):
        if not any(map(lives, pids)):
            return True
        await asyncio.sleep(0.1)
    return False


def processes(tmp_path: Path) -> list[int]:
    return [pid for line in told(tmp_path) for pid in (line["pid"], line["child"])]


async def answers(guard: Guard, count: int, first: int = 0) -> list[str]:
    replies = await asyncio.gather(*(guard.send(asking(f"p{i}"), seed=i) for i in range(first, first + count)))
    return [reply.text for [reply] in replies]


async def test_servers_are_started_asked_and_ended(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    endpoint = stand_in("start_s=0.5", servers=2)
    async with endpoint.open() as backend:
        assert isinstance(backend, Balance)
        said = await answers(Guard(backend, endpoint, rng=Random(1)), 40)
        assert said == [f"p{i} {i}" for i in range(40)]
        assert [lane.sent for lane in backend.lanes] == [20, 20]
        probe = await backend.probe()
        assert (probe.reachable, probe.models, probe.context) == (True, ("org/Model-8B",), 2048)
        one, two = told(tmp_path)
        assert one["env"]["VLLM_API_KEY"] != two["env"]["VLLM_API_KEY"]
        assert one["env"]["VLLM_API_KEY"] not in str(one["words"])
        assert one["words"][one["words"].index("--port") + 1] != two["words"][two["words"].index("--port") + 1]
        assert one["cwd"] == str(tmp_path / "logs"), "no folder of the run is where Python looks for modules"
        assert all(map(lives, processes(tmp_path)))
    assert await gone(*processes(tmp_path))


async def test_the_template_is_told_that_no_server_tells(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "chat_template.jinja").write_text("<|im_start|>")
    for given, wanted in (({}, ("<|im_start|>", "tokenizer files")), ({"chat_template": "other.jinja"}, ("", ""))):
        async with stand_in(path=str(tmp_path / "model"), **given).open() as backend:
            probe = await backend.probe()
        assert (probe.chat_template, probe.template_from) == wanted


async def test_one_that_does_not_start_is_told_with_its_log_and_ends_the_others(
    stand_in: Callable[..., VllmServer], tmp_path: Path
) -> None:
    with pytest.raises(
        BackendFatal, match=r"did not start: it ended with status 1; .*ValueError: no kernel .* \| Traceback noise"
    ) as caught:
        async with stand_in("fail=1", servers=2).open():
            pass
    assert told(tmp_path)[0]["env"]["VLLM_API_KEY"] not in str(caught.value)
    assert "(***)" in str(caught.value)
    assert await gone(*processes(tmp_path))


async def test_logs_of_its_own_are_kept_only_where_something_went_wrong(
    stand_in: Callable[..., VllmServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with suppress(ZeroDivisionError):
        async with stand_in(logs=None).open():
            assert list(tmp_path.glob("datalchemy-vllm-*/*.log"))
            raise ZeroDivisionError
    assert not list(tmp_path.glob("datalchemy-vllm-*"))
    with pytest.raises(BackendFatal, match="datalchemy-vllm-"):
        async with stand_in("fail=1", logs=None).open():
            pass
    assert list(tmp_path.glob("datalchemy-vllm-*/*.log"))


async def test_one_that_takes_too_long_is_ended(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    with pytest.raises(BackendFatal, match=r"did not answer within 1 s \(start_s\)"):
        async with stand_in("start_s=60", start_s=1).open():
            pass
    assert await gone(*processes(tmp_path))


async def test_one_of_two_dies_its_calls_go_on_and_it_comes_back(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    endpoint = stand_in(f"die_after=15;lives={tmp_path / 'first'}", servers=2, attempts=1, max_in_flight=16)
    heard: list[str] = []
    async with endpoint.open() as backend:
        guard = Guard(backend, endpoint, rng=Random(1), on_event=lambda what, details: heard.append(f"{what} {details}"))
        assert await answers(guard, 200) == [f"p{i} {i}" for i in range(200)]
        assert guard.attempts == 200, "no attempt was lost"
        for _ in range(100):
            if any(line.startswith("endpoint_up") for line in heard):
                break
            await asyncio.sleep(0.1)
        assert await answers(guard, 60, 200) == [f"p{i} {i}" for i in range(200, 260)]
        assert min(lane.sent for lane in backend.lanes) > 30
    assert heard[0].startswith("endpoint_down")
    assert "SIGKILL" in heard[0]
    assert "the engine core is dead" in heard[0]
    assert len(told(tmp_path)) == 3, "two, and one that was started again"
    assert await gone(*processes(tmp_path))


async def test_the_only_one_dies_and_calls_wait_until_it_is_back(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    endpoint = stand_in(f"die_after=10;lives={tmp_path / 'first'}", max_in_flight=8)
    async with endpoint.open() as backend:
        assert await answers(Guard(backend, endpoint, rng=Random(1)), 60) == [f"p{i} {i}" for i in range(60)]
    assert await gone(*processes(tmp_path))


async def test_one_that_dies_again_and_again_ends_the_run(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    endpoint = stand_in("die_after=3", restarts=1, max_in_flight=4)
    async with endpoint.open() as backend:
        with pytest.raises(BackendFatal, match=r"no endpoint .* is left: server 0: 2 times within half an hour.*engine core is dead"):
            await answers(Guard(backend, endpoint, rng=Random(1)), 60)
    assert await gone(*processes(tmp_path))


async def test_a_server_that_does_not_listen_to_sigterm_is_killed(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    async with stand_in("deaf=1").open():
        pass
    assert await gone(*processes(tmp_path))


async def test_a_killed_keeper_leaves_nothing(stand_in: Callable[..., VllmServer], tmp_path: Path) -> None:
    endpoint = stand_in()
    async with endpoint.open() as backend:
        first = backend.lanes[0].backend.life
        os.kill(first._keeper.pid, signal.SIGKILL)
        assert await gone(*processes(tmp_path)[:2])
        assert await answers(Guard(backend, endpoint, rng=Random(1)), 4), "it was started again"
        assert "keeper was killed" in first.epitaph()
    assert await gone(*processes(tmp_path))


PARENT = """
import asyncio, sys
from pathlib import Path
from datalchemy.backends.vllm_server import VllmServer

async def main(how, python, told):
    endpoint = VllmServer(path="org/M", python=python, device="cpu", environment={"STAND_IN": f"told={told}"})
    async with endpoint.open():
        print("up", flush=True)
        if how == "raises":
            raise SystemExit(3)
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("how", ["raises", "interrupted", "killed"])
async def test_nothing_is_left_however_the_parent_ends(how: str, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, how, str(_interpreter(tmp_path)), str(tmp_path / "told"),
        env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"up\n"
    assert all(map(lives, processes(tmp_path)))
    if how != "raises":
        parent.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
    await parent.wait()
    assert await gone(*processes(tmp_path))


JINJA, NAMED = "{{ own }}", [{"name": "tool_use", "template": "{{ t }}"}, {"name": "default", "template": "{{ d }}"}]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"tokenizer_config.json": json.dumps({"chat_template": "{{ x }}"})}, "{{ x }}"),
        ({"tokenizer_config.json": json.dumps({"chat_template": "{{ x }}"}), "chat_template.jinja": JINJA}, JINJA),
        ({"tokenizer_config.json": json.dumps({"chat_template": NAMED})}, "{{ d }}"),
        ({"tokenizer_config.json": json.dumps({"chat_template": [1, {"name": []}]})}, ""),
        ({"tokenizer_config.json": "[" * 100_000}, ""),
        ({"tokenizer_config.json": '"x"'}, ""),
        ({"chat_template.jinja": b"\xff"}, ""),
        ({}, ""),
    ],
)
def test_the_template_is_read_from_the_tokenizers_files(files: dict[str, str | bytes], found: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert template_in(tmp_path) == found
