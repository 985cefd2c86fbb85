"""What `use: vllm` settles without vLLM: settings, identity, the environment of its process (the rest: tests/real)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from datalchemy.backends._vllm_child import environment
from datalchemy.backends.vllm import PYTHON, Vllm
from datalchemy.core.errors import BackendFatal, RecipeError
from datalchemy.engine.modelnames import settings
from pydantic import ValidationError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"engines": 2, "devices": [[0]]}, "`devices` lists GPUs for 1 engines"),
        ({"devices": [[0]], "tensor_parallel_size": 2}, "must hold the 2 GPUs"),
        ({"adapter": "a", "lora": {"b": "x"}}, "`lora` has: b"),
        ({"options": {"trust_remote_code": True}}, "may not hold trust_remote_code"),
        ({"options": {"model": "other"}}, "may not hold model"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Vllm(path="a/b", **given)


def test_identity_is_the_name_or_what_the_folder_holds(model: Path) -> None:
    assert Vllm(path="Qwen/Qwen3-8B").who() == "Qwen/Qwen3-8B"
    assert Vllm(path="Qwen/Qwen3-8B", revision="v1").who() == "Qwen/Qwen3-8B@v1"
    plain = Vllm(path=str(model)).who()
    assert plain == Vllm(path=f"{model}/", engines=2, options={"max_num_seqs": 8}).who(), "how it is run does not count"
    assert Vllm(path=str(model), options={"quantization": "fp8"}).who() == f"{plain}+fp8"
    adapted = Vllm(path=str(model), lora={"a": model}, adapter="a").who()
    assert adapted.startswith(f"{plain}+a@")
    (model / "model.safetensors").write_bytes(b"other weights")
    assert Vllm(path=str(model)).who() != plain


def test_arguments_are_vllms_own(model: Path) -> None:
    told = Vllm(
        path=str(model), task="embed", context_length=512, tensor_parallel_size=2, lora={"a": model}, options={"max_num_seqs": 8}
    ).arguments()
    assert told == {
        "model": str(model),
        "revision": None,
        "runner": "pooling",
        "tensor_parallel_size": 2,
        "dtype": "auto",
        "disable_log_stats": True,
        "max_model_len": 512,
        "enable_lora": True,
        "max_loras": 1,
        "max_num_seqs": 8,
    }


def test_calls_in_flight_follow_the_engines() -> None:
    assert [Vllm(path="a/b").max_in_flight, Vllm(path="a/b", engines=2).max_in_flight] == [320, 640]
    assert Vllm(path="a/b", engines=2, max_in_flight=5).max_in_flight == 5


def test_without_vllm_or_a_folder_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(RecipeError, match=r"pip install 'datalchemy\[vllm\]'"):
        Vllm(path="a/b").open()
    monkeypatch.setenv(PYTHON, sys.executable)
    with pytest.raises(RecipeError, match="there is no folder"):
        Vllm(path="/no/such/folder").open()


async def test_an_interpreter_without_vllm_is_told_from_one_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real process, in an environment that lacks vLLM."""
    for python, error, why in (
        (sys.executable, RecipeError, "vLLM cannot be imported"),
        ("/no/python", RecipeError, "cannot be started"),
        ("/bin/false", BackendFatal, "ended with status"),
    ):
        monkeypatch.setenv(PYTHON, python)
        with pytest.raises(error, match=why):
            async with Vllm(path="a/b").open():
                pass


def test_the_process_sees_its_gpus_and_nothing_of_our_python() -> None:
    told = environment({"PATH": "/bin", "PYTHONPATH": "/ours", "VLLM_LOGGING_LEVEL": "INFO"}, devices="2,3", offline=True)
    assert "PYTHONPATH" not in told
    assert (told["CUDA_VISIBLE_DEVICES"], told["HF_HUB_OFFLINE"], told["VLLM_LOGGING_LEVEL"]) == ("2,3", "1", "INFO")
    assert (told["VLLM_NO_USAGE_STATS"], told["DO_NOT_TRACK"]) == ("1", "1")
    assert "CUDA_VISIBLE_DEVICES" not in environment({"PATH": "/bin"}, devices="", offline=False)


def test_the_command_line_names_it() -> None:
    assert settings("vllm:Qwen/Qwen3-8B") == {"use": "vllm", "path": "Qwen/Qwen3-8B"}
