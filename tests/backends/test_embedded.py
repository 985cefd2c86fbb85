"""The embedded model for real: ember's GGUF in llama.cpp, its process killed, its port knocked at."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from contract import CHECKS, asking
from datalchemy.backends._gguf_header import digest
from datalchemy.backends._llama_backend import LlamaBackend
from datalchemy.backends.embedded import Embedded, cache_bytes, cores
from datalchemy.core.backend import Reply, Request, Sampling
from datalchemy.core.errors import BackendFatal, Disconnected, RecipeError, Rejected

EMBER = Embedded().file()
pytestmark = [
    pytest.mark.skipif(not EMBER.exists(), reason="ember's weights are not there: make ember"),
    pytest.mark.asyncio(loop_scope="module"),
]
ENDLESS = Sampling(max_tokens="auto", extra={"ignore_eos": True})
PRE_QUERY = "<|im_start|>user\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ember() -> AsyncGenerator[LlamaBackend]:
    async with Embedded().open() as backend:
        assert isinstance(backend, LlamaBackend)
        yield backend


def process(backend: LlamaBackend):
    return backend._served.child


def problem(i: int) -> Request:
    text = f"Tom has {i + 3} apples and buys {2 * i + 1} more. He gives {i % 5} to his sister. How many apples does Tom have now?"
    return asking(text, Sampling(temperature=0.6, top_p=0.95, max_tokens=60))


async def ask_all(backend: LlamaBackend, requests: list[Request], in_flight: int, first_seed: int = 100) -> list[Reply]:
    places = asyncio.Semaphore(in_flight)

    async def one(i: int) -> Reply:
        async with places:
            return (await backend.send(requests[i], seed=first_seed + i))[0]

    return await asyncio.gather(*(one(i) for i in range(len(requests))))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(ember: LlamaBackend, check) -> None:
    await check(ember)


async def test_a_chat_keeps_its_raw_thinking(ember: LlamaBackend) -> None:
    replies = await ask_all(ember, [problem(i).model_copy(update={"sampling": Sampling(temperature=0.6)}) for i in range(4)], 4)
    assert all(reply.text.startswith("<think>") and "</think>" in reply.text and reply.reasoning is None for reply in replies)
    assert {reply.model for reply in replies} == {Embedded().who()}
    assert {reply.finish_reason for reply in replies} == {"stop"}


async def test_same_request_and_seed_same_text_at_4_and_at_64_in_flight(ember: LlamaBackend) -> None:
    """Bit by bit: the log-probabilities are compared too, where a rounding shows long before it tips a token."""
    ids = tuple(await ember.tokenize(PRE_QUERY))
    magpie = Request(kind="complete", prompt=ids, sampling=Sampling(temperature=0.6, max_tokens=60))
    long = magpie.model_copy(update={"prompt": ids * 120})
    requests = [(long if i % 9 == 4 else magpie if i % 2 else problem(i)).model_copy(update={"logprobs": True}) for i in range(96)]
    few, many = await ask_all(ember, requests, 4), await ask_all(ember, requests, 64)
    differing = sum(one != other for one, other in zip(few, many, strict=True))
    assert differing == 0, f"{differing} of 96 replies differ (ember must be Q8_0: float weights are rounded by the batch they are in)"
    others = await ask_all(ember, requests[1::2], 64, first_seed=5000)
    assert [reply.text for reply in others] != [reply.text for reply in few[1::2]], "another seed must give another text"


async def test_token_ids_are_continued_without_bos_and_stop_at_ids(ember: LlamaBackend) -> None:
    ids = tuple(await ember.tokenize(PRE_QUERY))
    [opening] = await ember.tokenize("<|im_start|>")
    bias = {"logit_bias": [[opening, 50]]}
    stopped = Request(kind="complete", prompt=ids, sampling=Sampling(max_tokens=8, stop_token_ids=(opening,), extra=bias))
    [reply] = await ember.send(stopped, seed=1)
    assert (reply.text, reply.finish_reason, reply.usage.prompt_tokens) == ("", "stop", len(ids))
    [control] = await ember.send(
        stopped.model_copy(update={"sampling": stopped.sampling.model_copy(update={"stop_token_ids": ()})}), seed=1
    )
    assert (control.finish_reason, control.usage.completion_tokens) == ("length", 8)


async def test_a_chat_stops_at_ids_too(ember: LlamaBackend) -> None:
    [closing] = await ember.tokenize("</think>")
    [reply] = await ember.send(asking("How much is 3 plus 4?", Sampling(temperature=0, stop_token_ids=(closing,))), seed=1)
    assert reply.text.startswith("<think>") and "</think>" not in reply.text


async def test_auto_fills_the_context_and_a_longer_prompt_is_rejected(ember: LlamaBackend) -> None:
    context = (await ember.probe()).context
    assert context == Embedded()._settings()["context"]
    prompt = tuple([ord("a")] * (context - 9))
    [reply] = await ember.send(Request(kind="complete", prompt=prompt, sampling=ENDLESS), seed=1)
    assert (reply.finish_reason, reply.usage.total) == ("length", context)
    with pytest.raises(Rejected, match="longer than a slot") as caught:
        await ember.send(Request(kind="complete", prompt=prompt * 2), seed=1)
    assert caught.value.reason == "context_length"


async def test_logprobs_and_json_schema(ember: LlamaBackend) -> None:
    request = asking("How much is 3 plus 4?", Sampling(max_tokens=6))
    [reply] = await ember.send(request.model_copy(update={"logprobs": True}), seed=1)
    assert len(reply.logprobs) == reply.usage.completion_tokens
    schema = {"type": "object", "properties": {"even": {"type": "boolean"}}, "required": ["even"], "additionalProperties": False}
    [reply] = await ember.send(
        asking("Is 4 even?", Sampling(max_tokens=40, temperature=0)).model_copy(update={"json_schema": schema}), seed=1
    )
    assert reply.text.replace(" ", "").replace("\n", "").startswith('{"even":')


async def test_what_llama_cpp_cannot_do_is_refused(ember: LlamaBackend) -> None:
    assert "prompt_logprobs" not in ember.capabilities
    assert "tools" not in ember.capabilities, "ember's template knows no tools"
    for request in (
        Request(kind="prompt_logprobs", prompt=(1, 2)),
        asking("add").model_copy(update={"tools": ({"name": "add", "parameters": {}},)}),
    ):
        with pytest.raises(Rejected):
            await ember.send(request, seed=1)


async def test_the_port_answers_only_to_its_key(ember: LlamaBackend) -> None:
    child = process(ember)
    async with aiohttp.ClientSession() as session:
        for path in ("/v1/chat/completions", "/v1/completions", "/completion", "/tokenize", "/detokenize", "/apply-template", "/infill"):
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                async with session.post(child.url + path, json={}, headers=headers) as response:
                    assert response.status == 401, path
        for path in ("/v1/models", "/props", "/slots"):
            async with session.get(child.url + path) as response:
                assert response.status == 401, path
        async with session.get(child.url + "/v1/models", headers={"Authorization": f"Bearer {child.key}"}) as response:
            assert response.status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_key_is_no_argument_and_no_variable_of_the_process(ember: LlamaBackend) -> None:
    child = process(ember)
    seen = [Path(f"/proc/{child.process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    assert b"_llama_process" in seen[0]
    assert not any(child.key.encode() in text for text in seen)


async def test_a_native_abort_is_an_error_and_the_next_call_goes_on() -> None:
    async with Embedded(slots=8).open() as backend:
        calls = asyncio.gather(*(backend.send(asking("Count.", ENDLESS), seed=i) for i in range(12)), return_exceptions=True)
        await asyncio.sleep(0.3)
        os.kill(process(backend).process.pid, signal.SIGABRT)
        failed = await calls
        assert all(isinstance(error, Disconnected) and error.reason == "backend_died" and error.retryable for error in failed), failed
        assert "SIGABRT" in str(failed[0])
        assert process(backend).key not in str(failed)
        for _ in range(3):
            assert await backend.send(problem(1), seed=1)
            process(backend).process.kill()
            await process(backend).died(5)
        with pytest.raises(BackendFatal, match="died 4 times within a minute"):
            await backend.send(problem(1), seed=1)
        assert not (await backend.probe()).reachable


PARENT = """
import asyncio, subprocess, sys
from datalchemy.backends.embedded import Embedded

async def main(how):
    async with Embedded(slots=2, context=64).open() as backend:
        bystander = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(backend._served.child.process.pid, bystander.pid, flush=True)
        if how == "raises":
            raise SystemExit(3)
        await asyncio.sleep(0 if how == "returns" else 600)

asyncio.run(main(sys.argv[1]))
"""


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_no_process_is_left_however_the_parent_ends() -> None:
    endings = {"returns": 0, "raises": 0, "interrupted": signal.SIGINT, "killed": signal.SIGKILL}
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parents = [await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, how, env=environment, **pipes) for how in endings]
    told = [await parent.stdout.readline() for parent in parents]
    pids = [tuple(map(int, line.split())) for line in told]
    for parent, number in zip(parents, endings.values(), strict=True):
        if number:
            parent.send_signal(number)
        await parent.wait()
    for how, (child, bystander) in zip(endings, pids, strict=True):
        assert lives(bystander), "the control: an ordinary child outlives its parent"
        os.kill(bystander, signal.SIGKILL)
        for _ in range(100):
            if not lives(child):
                break
            await asyncio.sleep(0.1)
        assert not lives(child), f"llama.cpp was left when its parent {how}"


async def test_the_process_ends_by_itself_when_its_stdin_does() -> None:
    async with Embedded(slots=1, context=64).open() as backend:
        child = process(backend)
        child.process.stdin.close()
        assert await child.died(10)
        assert child.process.returncode == 0


async def test_missing_and_broken_files_say_what_to_do(tmp_path: Path) -> None:
    garbage, short, cut = tmp_path / "garbage.gguf", tmp_path / "short.gguf", tmp_path / "cut.gguf"
    garbage.write_bytes(b"not a model at all")
    short.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 1 << 60))
    cut.write_bytes(EMBER.read_bytes()[: EMBER.stat().st_size // 2])
    for path, words in ((tmp_path / "none.gguf", "cannot be read"), (tmp_path, "no file"), (garbage, "no GGUF"), (short, "no GGUF")):
        with pytest.raises(RecipeError, match=words):
            Embedded(path=path).open()
        with pytest.raises(RecipeError, match="`path`"):
            Embedded(path=path).who()
    with pytest.raises(BackendFatal, match=r"did not start with .*cut\.gguf .*check that the file is whole"):
        async with Embedded(path=cut).open():
            pass


async def test_too_little_memory_is_told_before_anything_is_loaded() -> None:
    with pytest.raises(RecipeError, match="lower `slots` or `context`"):
        Embedded(slots=1024, context=1_000_000).open()


async def test_without_the_wheel_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(RecipeError, match="pip install datalchemy"):
        Embedded().open()


async def test_identity_follows_the_bytes_and_not_the_place(tmp_path: Path) -> None:
    moved, changed = tmp_path / "other.gguf", tmp_path / "changed.gguf"
    body = EMBER.read_bytes()
    moved.write_bytes(body)
    changed.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert Embedded(path=moved).who() == Embedded().who()
    assert Embedded(path=changed).who() != Embedded().who()
    huge = tmp_path / "huge.gguf"
    with huge.open("wb") as file:
        file.truncate(300 << 20)
    before = digest(huge)
    os.truncate(huge, 301 << 20)
    assert digest(huge) != before


async def test_settings_follow_the_slots_and_the_machine() -> None:
    assert Embedded().max_in_flight == 80
    assert Embedded(slots=8).max_in_flight == 24
    assert Embedded(slots=8, max_in_flight=4).max_in_flight == 4
    assert Embedded()._settings()["threads"] == max(1, cores() - 1)
    llama = {"general.architecture": "llama", "llama.block_count": 32, "llama.embedding_length": 4096, "llama.attention.head_count": 32}
    assert cache_bytes({**llama, "llama.attention.head_count_kv": 8}, 1) == 32 * 8 * 128 * 2 * 2
    assert cache_bytes({**llama, "llama.attention.sliding_window": 1024}, 1) == 0
