"""`use: vllm` for real: AsyncLLM on the CPU with ember's weights; its processes are killed, and nothing may be left of them."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from contract import CHECKS, asking
from datalchemy.backends._vllm_backend import VllmBackend
from datalchemy.backends.vllm import PYTHON, Vllm
from datalchemy.core.backend import Request, Sampling
from datalchemy.core.endpoint import Deadlines
from datalchemy.core.errors import BackendFatal, DeadlineExceeded, Disconnected, RecipeError, Rejected
from datalchemy.ember import weights
from runs import Command
from tokenizers import Tokenizer
from vllm_server import environment

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

EMBER = Path(weights()).parent / "hf"
EAGER = {"enforce_eager": True, "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True}}
PROBLEM = "Ann has 3 apples and buys 4 more. How many apples does she have now?"
ENDLESS = Sampling(max_tokens=900, temperature=1.0, extra={"ignore_eos": True})
ASSISTANT = "<|im_start|>assistant\n"
TOOL = {
    "name": "weather",
    "description": "The weather of a town.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}


@pytest.fixture(scope="module")
def here(vllm_python: Path) -> AsyncIterator[None]:
    """vLLM is in an environment of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(vllm_python))
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        yield None


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter with random weights, strong enough to be noticed."""
    folder = tmp_path_factory.mktemp("adapter")
    rng = np.random.default_rng(5)
    tensors: dict[str, np.ndarray] = {}
    for layer in range(6):
        for name, width in (("q_proj", 192), ("v_proj", 64)):
            at = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{at}.lora_A.weight"] = rng.normal(size=(8, 192)).astype(np.float32)
            tensors[f"{at}.lora_B.weight"] = rng.normal(size=(width, 8)).astype(np.float32) * 0.2
    header, body = {}, b""
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + tensor.nbytes]}
        body += tensor.tobytes()
    told = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(told)) + told + body)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 8,
        "lora_alpha": 16,
        "bias": "none",
        "target_modules": ["q_proj", "v_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(EMBER)}))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(here: None, lora: Path) -> AsyncIterator[VllmBackend]:
    endpoint = Vllm(path=str(EMBER), options=EAGER, lora={"random": lora}, tool_parser="hermes", max_in_flight=64)
    async with endpoint.open() as opened:
        assert isinstance(opened, VllmBackend)
        yield opened


def encoded(text: str) -> list[int]:
    """Ids by the `tokenizers` library, without vLLM."""
    return Tokenizer.from_file(str(EMBER / "tokenizer.json")).encode(text, add_special_tokens=False).ids


async def look(backend: VllmBackend, at: int = 0) -> dict[str, Any]:
    """What an engine's process says of itself."""
    child = backend._seats[at].child
    assert child is not None
    return await child.call({"kind": "look"})


def session(leader: int) -> list[int]:
    """Processes of a session that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


async def until(what: Callable[[], bool], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, "it does not come about"
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check, backend: VllmBackend) -> None:
    await check(backend)


@pytest.mark.parametrize("text", ["Two and two", "", " lead and trail ", "äöü 中文 🜁", "<|im_end|><think>\n3 * 4</think>", "a\r\n\tb"])
async def test_a_chat_is_the_templates_own_ids_and_nothing_before_them(text: str, backend: VllmBackend) -> None:
    assert await backend.tokenize(text) == encoded(text)
    turns = [{"role": "system", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}]
    rendered = "".join(f"<|im_start|>{turn}\n{text}<|im_end|>\n" for turn in ("system", "user"))
    assert await backend.tokenize(turns, add_generation_prompt=False) == encoded(rendered)
    assert await backend.tokenize(turns) == encoded(rendered + ASSISTANT)


async def test_chat_text_and_ids_are_the_same_prompt(backend: VllmBackend) -> None:
    text = f"<|im_start|>user\n{PROBLEM}<|im_end|>\n{ASSISTANT}"
    sampling = Sampling(max_tokens=30, temperature=0)
    [chatted] = await backend.send(asking(PROBLEM, sampling), seed=1)
    for prompt in (text, tuple(encoded(text))):
        [raw] = await backend.send(Request(kind="complete", prompt=prompt, sampling=sampling), seed=1)
        assert raw.text == chatted.text
        assert raw.usage.prompt_tokens == chatted.usage.prompt_tokens == len(encoded(text)), "something was put before the ids"


async def test_a_text_is_given_one_bos_where_the_tokenizer_has_one(here: None, tmp_path: Path) -> None:
    """ember has none; with one it stands before plain text once, before nothing that a template wrote, and never before ids."""
    for file in EMBER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    bos = "<|endoftext|>"
    tokenizer = Tokenizer.from_file(str(EMBER / "tokenizer.json"))
    from tokenizers.processors import TemplateProcessing

    tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    told = json.loads((EMBER / "tokenizer_config.json").read_text())
    told |= {"bos_token": bos, "add_bos_token": True, "chat_template": bos + told["chat_template"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    [first] = encoded(bos)
    async with Vllm(path=str(tmp_path), options=EAGER).open() as backend:
        assert (await backend.tokenize([{"role": "user", "content": "Hi"}])).count(first) == 1
        sampling = Sampling(max_tokens=2, temperature=0)
        counts = {}
        for name, prompt in (("text", "Hi there"), ("bos", f"{bos}Hi there"), ("ids", tuple(encoded("Hi there")))):
            [reply] = await backend.send(Request(kind="complete", prompt=prompt, sampling=sampling), seed=1)
            counts[name] = reply.usage.prompt_tokens
    plain = len(encoded("Hi there"))
    assert counts == {"text": plain + 1, "bos": plain + 1, "ids": plain}


async def test_seeds_and_samples(backend: VllmBackend) -> None:
    request = asking(PROBLEM, Sampling(max_tokens=60, temperature=1.0))
    [first], [second] = [await backend.send(request, seed=11) for _ in range(2)]
    assert first.text == second.text
    replies = await backend.send(request, seed=5, n=4)
    assert len({reply.text for reply in replies}) > 1
    prompt = len(await backend.tokenize(request.messages))
    assert [reply.usage.prompt_tokens for reply in replies] == [prompt, 0, 0, 0]
    greedy = await backend.send(request.model_copy(update={"sampling": Sampling(max_tokens=9, temperature=0)}), seed=5, n=3)
    assert len({reply.text for reply in greedy}) == 1
    assert [reply.usage.completion_tokens > 0 for reply in greedy] == [True, False, False], "asked for once, counted once"


async def test_thinking_stays_in_the_text(backend: VllmBackend) -> None:
    [reply] = await backend.send(asking(PROBLEM, Sampling(temperature=0)), seed=1)
    assert reply.text.startswith("<think>") and "</think>" in reply.text
    assert (reply.reasoning, reply.finish_reason) == (None, "stop")


async def test_logprobs_of_prompt_and_answer(backend: VllmBackend) -> None:
    text = f"<|im_start|>user\n{PROBLEM}<|im_end|>\n{ASSISTANT}"
    sampling = Sampling(max_tokens=8, temperature=0)
    [made] = await backend.send(Request(kind="complete", prompt=text, sampling=sampling, logprobs=True), seed=1)
    assert len(made.logprobs) == len(made.token_ids) == made.usage.completion_tokens == 8
    ids = (*encoded(text), *made.token_ids)
    [whole] = await backend.send(Request(kind="prompt_logprobs", prompt=ids), seed=None)
    assert whole.logprobs[0] is None and len(whole.logprobs) == len(ids) and whole.token_ids == ids
    assert whole.logprobs[-8:] == pytest.approx(made.logprobs, abs=2e-2), "the same tokens, once written and once read"


async def test_a_schema_holds(backend: VllmBackend) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": ["good", "bad"]}, "sure": {"type": "boolean"}},
        "required": ["verdict", "sure"],
        "additionalProperties": False,
    }
    for seed in range(3):
        request = asking("Is this good?", Sampling(max_tokens=60, temperature=1.0)).model_copy(update={"json_schema": schema})
        answer = json.loads((await backend.send(request, seed=seed))[0].text)
        assert answer["verdict"] in ("good", "bad") and type(answer["sure"]) is bool


async def test_tool_calls_are_read_as_vllms_server_reads_them(backend: VllmBackend) -> None:
    """ember knows no tools: a grammar makes it write a call."""
    written = '<tool_call>\n{"name": "weather", "arguments": {"town": "Łódź"}}\n</tool_call>'
    sampling = Sampling(max_tokens=200, temperature=0, extra={"structured_outputs": {"choice": [written]}})
    request = asking("How is the weather in Łódź?", sampling).model_copy(update={"tools": (TOOL,)})
    [reply] = await backend.send(request, seed=1)
    assert reply.finish_reason == "tool_calls"
    assert [(call["name"], json.loads(call["arguments"])) for call in reply.tool_calls] == [("weather", {"town": "Łódź"})]
    assert reply.text == "" and reply.tool_calls[0]["id"]
    [control] = await backend.send(asking("How is the weather in Łódź?", sampling), seed=1)
    assert (control.text, control.tool_calls) == (written, ()), "without tools it is text"


async def test_an_adapter_is_asked_by_its_name(backend: VllmBackend) -> None:
    def named(name: str) -> Request:
        return asking(PROBLEM, Sampling(max_tokens=20, temperature=0, extra={"model": name} if name else {}))

    [plain], [again] = await backend.send(named(""), seed=1), await backend.send(named(str(EMBER)), seed=1)
    [adapted] = await backend.send(named("random"), seed=1)
    assert plain.text == again.text != adapted.text
    with pytest.raises(Rejected, match=r"no model 'other'.*random"):
        await backend.send(named("other"), seed=1)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (asking("Hi", Sampling(max_tokens=100_000)), "context holds 1024"),
        (asking("Hi", Sampling(max_tokens=0)), "max_tokens"),
        (asking("Hi", Sampling(max_tokens=4, extra={"temperature": -1})), "temperature"),
        (asking("Hi", Sampling(max_tokens=4, extra={"temprature": 1})), "temprature"),
        (asking("word " * 3000, Sampling(max_tokens=4)), "context holds 1024"),
        (Request(kind="complete", prompt=(10**6,), sampling=Sampling(max_tokens=4)), "vocabulary"),
        (Request(kind="complete", prompt=()), "no tokens"),
        (Request(kind="chat", messages=({"role": "user", "content": {"no": "text"}},)), "no text"),
        (Request(kind="chat", messages=({"role": "user", "content": [{"type": "image_url"}]},)), "only text"),
        (asking("Hi").model_copy(update={"json_schema": {"type": "no such type"}}), "(?i)json|schema|type"),
    ],
    ids=["context", "none", "temperature", "unknown field", "prompt", "vocabulary", "empty", "content", "picture", "schema"],
)
async def test_what_cannot_be_answered_is_rejected_with_its_reason(request_: Request, why: str, backend: VllmBackend) -> None:
    with pytest.raises(Rejected, match=why) as refused:
        await backend.send(request_, seed=1)
    assert not refused.value.retryable
    assert await backend.send(asking("still there?"), seed=1)


async def test_a_cancelled_call_ends_in_the_engine_too(backend: VllmBackend) -> None:
    calls = [asyncio.ensure_future(backend.send(asking(f"{i}", ENDLESS), seed=i)) for i in range(4)]
    while (await look(backend))["unfinished"] < 4:
        assert not any(call.done() for call in calls), "too fast to be cancelled"
        await asyncio.sleep(0.02)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0.2)
    assert (await look(backend))["unfinished"] == 0


async def test_a_deadline_ends_the_call(backend: VllmBackend) -> None:
    hasty = backend._endpoint.model_copy(update={"deadlines": Deadlines(first_byte_s=0.05)})
    patient, backend._endpoint = backend._endpoint, hasty
    try:
        with pytest.raises(DeadlineExceeded) as caught:
            await backend.send(asking(PROBLEM, ENDLESS), seed=1)
        assert caught.value.retryable
    finally:
        backend._endpoint = patient
    await asyncio.sleep(0.2)
    assert (await look(backend))["unfinished"] == 0


async def test_a_killed_engine_fails_what_is_in_flight_and_comes_back(backend: VllmBackend) -> None:
    """Last of those that share the engine."""
    [before] = await backend.send(asking(PROBLEM), seed=1)
    old = backend._seats[0].child
    assert old is not None
    [core] = (await look(backend))["pids"]
    calls = [asyncio.ensure_future(backend.send(asking(f"{i}", ENDLESS), seed=i)) for i in range(4)]
    while (await look(backend))["unfinished"] < 4:
        await asyncio.sleep(0.02)
    os.kill(core, signal.SIGKILL)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [Disconnected] * 4, ends
    assert all(end.retryable and end.reason == "backend_died" for end in ends if isinstance(end, Disconnected))
    [after] = await backend.send(asking(PROBLEM), seed=1)
    assert after == before
    assert session(old.process.pid) == [], "something of the dead engine is left"
    assert (await look(backend))["pids"] != [core]


async def test_two_engines_share_the_work_and_one_outlives_the_other(here: None) -> None:
    """Each has its own GPUs to see (there are none here: what the processes were told is looked at)."""
    endpoint = Vllm(path=str(EMBER), options=EAGER, engines=2, devices=((0,), ("1",)))
    assert endpoint.max_in_flight == 640
    async with endpoint.open() as opened:
        assert isinstance(opened, VllmBackend)
        looked = [await look(opened, at) for at in range(2)]
        assert [told["devices"] for told in looked] == ["0", "1"]
        leaders = [seat.child.process.pid for seat in opened._seats if seat.child]
        calls = [asyncio.ensure_future(opened.send(asking(f"{i}", ENDLESS), seed=i)) for i in range(8)]
        await until(lambda: all(seat.child is not None and seat.child.outstanding == 4 for seat in opened._seats), 5)
        os.kill(looked[0]["pids"][0], signal.SIGKILL)
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(end, Disconnected) for end in ends) == 4, ends
        began = time.monotonic()
        assert await opened.send(asking("still there?"), seed=1)
        assert time.monotonic() - began < 5, "the other engine takes it, without waiting for the one that starts"
        assert opened._seats[0].starting is not None
    assert [session(leader) for leader in leaders] == [[], []]


async def test_it_ends_cleanly_and_says_what_is_wrong(here: None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for endpoint, error, words in (
        (Vllm(path=str(EMBER), options={"enforce_eagre": True}), RecipeError, "enforce_eagre"),
        (Vllm(path=str(tmp_path)), (RecipeError, BackendFatal), "(?i)config|model"),
        (Vllm(path="no/such-model-here", offline=True), (RecipeError, BackendFatal), "no/such-model-here"),
        (Vllm(path=str(EMBER), task="classify", options=EAGER), (RecipeError, BackendFatal), "classify|class"),
    ):
        with pytest.raises(error, match=words):
            async with endpoint.open():
                pass


async def test_an_embedding_model_gives_vectors(here: None) -> None:
    async with Vllm(path=str(EMBER), task="embed", dtype="float32", options=EAGER).open() as backend:
        for check in CHECKS:
            if check.__name__ in ("embeds_in_order", "tells_what_it_is", "refuses_what_it_cannot_do"):
                await check(backend)
        [one, near, far] = await backend.embed(["Ann has 3 apples.", "Ann has 4 apples.", "äöü 中文 🜁"])
        assert len(one) == 192 and math.hypot(*one) == pytest.approx(1, abs=1e-3)
        assert np.dot(one, near) > np.dot(one, far)
        with pytest.raises(BackendFatal, match="writes no text"):
            await backend.send(asking("Hi"), seed=1)
        with pytest.raises(Rejected, match="context holds 1024"):
            await backend.embed(["word " * 3000])


async def test_a_reward_model_gives_raw_scores(here: None, vllm_python: Path, tmp_path: Path) -> None:
    """As transformers computes them on the same weights."""
    talks = [
        [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": text}] for text in ("It is 4.", "Apples. " * 20)
    ]

    def oracle(command: str, given: str = "") -> str:
        words = [str(vllm_python), str(Path(__file__).with_name("on_transformers.py")), command, str(tmp_path)]
        done = subprocess.run(words, input=given, capture_output=True, text=True, env=environment(), timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    await asyncio.to_thread(oracle, "make")
    expected = json.loads((await asyncio.to_thread(oracle, "logits", json.dumps(talks))).splitlines()[-1])
    async with Vllm(path=str(tmp_path), task="classify", dtype="float32", options=EAGER).open() as backend:
        replies = await backend.score([Request(kind="score", messages=tuple(talk)) for talk in talks])
        assert [reply.values[0] for reply in replies] == pytest.approx(expected, abs=2e-3)
        assert max(map(abs, expected)) > 1, "a squashed score would show"
        assert await backend.score([]) == []


async def test_a_killed_run_leaves_no_engine_and_goes_on_through_the_death_of_another(here: None, command: Command) -> None:
    """The recipe from end to end: the run is killed (SIGKILL), started again, its engine is killed, and it completes."""
    settings = [f"models.teacher.options={json.dumps(EAGER)}", "seeds.limit=200", "models.teacher.max_in_flight=16"]
    words = ["answer", "--model", f"vllm:{EMBER}", "--out", "out", *(word for each in settings for word in ("--set", each))]
    running = command.start("run", *words)
    await until(lambda: command.stored() >= 20 or running.poll() is not None, 120)
    assert running.poll() is None, running.communicate()[1]
    engines = children(running.pid)
    assert engines, "the run has no process with vLLM"
    running.kill()
    running.communicate()
    await until(lambda: not any(session(pid) for pid in engines), 30)
    paid = command.stored()

    running = command.start("run", *words)
    await until(lambda: command.stored() >= paid + 20 or running.poll() is not None, 120)
    assert running.poll() is None, running.communicate()[1]
    [core] = [pid for leader in children(running.pid) for pid in session(leader) if "EngineCore" in name(pid)]
    os.kill(core, signal.SIGKILL)
    ended = command.end(running)
    assert ended.code == 0, ended.told
    assert (ended.result["status"], ended.result["accepted"], ended.result["counts"]["failed"]) == ("complete", 200, 0)
    rows = command.rows("out")
    assert len({row["id"] for row in rows}) == len(rows) == 200
    assert command.stored() == 200, "an answer was paid for twice"


def children(parent: int) -> list[int]:
    """Processes that one has started which lead a session of their own."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            pid = int(stat.parent.name)
            if int(fields[1]) == parent and int(fields[3]) == pid:
                found.append(pid)
    return [pid for pid in found if "_vllm_host" in name(pid)]


def name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return ""
