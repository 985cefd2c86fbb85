"""`use: http` against a real vLLM: the contract of all backends, and what vLLM alone can show."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from contract import CHECKS, asking, embeds_in_order
from datalchemy.backends._http_backend import HttpBackend
from datalchemy.backends.http import Http
from datalchemy.core.backend import Request, Sampling
from datalchemy.core.errors import BackendFatal, CallError, Rejected
from datalchemy.ember import weights

pytestmark = pytest.mark.real

TOKENIZER = Path(weights()).parent / "hf" / "tokenizer.json"
END = "<|im_end|>"
PROBLEM = "Ann has 3 apples and buys 4 more. How many apples does she have now?"


def encoded(text: str) -> list[int]:
    """Ids by the `tokenizers` library, without any server."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(TOKENIZER)).encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("check", [check for check in CHECKS if check is not embeds_in_order], ids=lambda check: check.__name__)
async def test_contract(check, backend: HttpBackend) -> None:
    await check(backend)


async def test_embeddings_of_a_chat_model_are_refused_in_vllms_words(backend: HttpBackend) -> None:
    """The one check of the contract that does not apply: vLLM serves a generating model or an embedding one."""
    with pytest.raises((CallError, BackendFatal), match=r"(?i)embedding|not found|404"):
        await backend.embed(["one"])


async def test_a_seed_gives_the_same_text_and_another_seed_another(backend: HttpBackend) -> None:
    request = asking(PROBLEM, Sampling(max_tokens=80, temperature=1.0))
    [first], [second] = [await backend.send(request, seed=11) for _ in range(2)]
    assert first.text == second.text
    assert first.model.partition("@")[0] == "ember"
    others = {(await backend.send(request, seed=seed))[0].text for seed in range(6)}
    assert len(others) > 1


async def test_four_samples_come_apart_and_share_their_usage(backend: HttpBackend) -> None:
    request = asking(PROBLEM, Sampling(max_tokens=60, temperature=1.0))
    replies = await backend.send(request, seed=5, n=4)
    assert len({reply.text for reply in replies}) > 1
    prompt = len(await backend.tokenize(request.messages))
    assert [reply.usage.prompt_tokens for reply in replies] == [prompt, 0, 0, 0]
    assert 4 < sum(reply.usage.completion_tokens for reply in replies) <= 240


async def test_raw_ids_go_in_untouched_and_end_at_a_stop_id(backend: HttpBackend) -> None:
    ids = tuple(encoded(f"<|im_start|>user\n{PROBLEM}{END}\n<|im_start|>assistant\n"))
    [end] = encoded(END)
    [whole] = await backend.send(
        Request(kind="complete", prompt=ids, sampling=Sampling(max_tokens="auto", temperature=0, stop_token_ids=(end,))), seed=1
    )
    assert whole.finish_reason == "stop"
    assert END not in whole.text
    assert whole.usage.prompt_tokens == len(ids), "something was put before or behind the ids"
    stop = encoded(whole.text)[5]
    [cut] = await backend.send(
        Request(kind="complete", prompt=ids, sampling=Sampling(max_tokens=200, temperature=0, stop_token_ids=(stop,))), seed=1
    )
    assert cut.finish_reason == "stop"
    assert cut.usage.completion_tokens <= 6
    assert whole.text.startswith(cut.text)


async def test_a_chat_is_what_its_template_says(backend: HttpBackend) -> None:
    """The same greedy answer through /chat/completions and through the template's own ids."""
    request = asking(PROBLEM, Sampling(max_tokens=40, temperature=0))
    [chatted] = await backend.send(request, seed=1)
    [raw] = await backend.send(
        Request(kind="complete", prompt=tuple(await backend.tokenize(request.messages)), sampling=request.sampling), seed=1
    )
    assert raw.text == chatted.text
    assert raw.usage == chatted.usage


@pytest.mark.parametrize("text", ["Two and two", "", " lead and trail ", "äöü 中文 🜁", f"{END}<think>\n3 * 4 = 12</think>", "a\r\n\tb"])
async def test_the_server_tokenizes_as_the_tokenizer_file_says(text: str, backend: HttpBackend) -> None:
    assert await backend.tokenize(text) == encoded(text)
    turns = [{"role": "system", "content": text}, {"role": "user", "content": text}]
    rendered = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}{END}\n" for turn in turns)
    assert await backend.tokenize(turns, add_generation_prompt=False) == encoded(rendered)
    assert await backend.tokenize(turns) == encoded(f"{rendered}<|im_start|>assistant\n")


async def test_a_raw_text_is_not_given_a_second_beginning(backend: HttpBackend) -> None:
    text = f"<|im_start|>user\n{PROBLEM}{END}\n<|im_start|>assistant\n"
    sampling = Sampling(max_tokens=20, temperature=0)
    [as_text], [as_ids] = [
        await backend.send(Request(kind="complete", prompt=prompt, sampling=sampling), seed=1) for prompt in (text, tuple(encoded(text)))
    ]
    assert as_text.text == as_ids.text
    assert as_text.usage == as_ids.usage


@pytest.mark.parametrize("form", ["ids", "text"])
async def test_each_prompt_token_is_scored(form: str, backend: HttpBackend) -> None:
    text = f"<|im_start|>user\n{PROBLEM}{END}\n<|im_start|>assistant\n"
    ids = encoded(text)
    [reply] = await backend.send(Request(kind="prompt_logprobs", prompt=text if form == "text" else tuple(ids)), seed=None)
    assert list(reply.token_ids) == ids
    assert len(reply.logprobs) == len(ids)
    assert reply.logprobs[0] is None
    assert all(math.isfinite(value) and value <= 0 for value in reply.logprobs[1:])
    [scrambled] = await backend.send(Request(kind="prompt_logprobs", prompt=tuple(sorted(ids))), seed=None)
    assert sum(reply.logprobs[1:]) > sum(scrambled.logprobs[1:]), "a sentence is likelier than its tokens in order of number"


async def test_generated_tokens_are_scored(backend: HttpBackend) -> None:
    asked = asking(PROBLEM, Sampling(max_tokens=8, temperature=0)).model_copy(update={"logprobs": True})
    [chatted] = await backend.send(asked, seed=1)
    ids = tuple(await backend.tokenize(asked.messages))
    [raw] = await backend.send(Request(kind="complete", prompt=ids, sampling=asked.sampling, logprobs=True), seed=1)
    for reply in (chatted, raw):
        assert len(reply.logprobs) == reply.usage.completion_tokens
        assert all(value <= 0 for value in reply.logprobs)
    assert chatted.logprobs == pytest.approx(raw.logprobs, abs=1e-3)


async def test_a_json_schema_holds_whatever_the_model_would_say(backend: HttpBackend) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": ["good", "bad"]}, "sure": {"type": "boolean"}},
        "required": ["verdict", "sure"],
        "additionalProperties": False,
    }
    request = asking("Is this good?", Sampling(max_tokens=60, temperature=1.0)).model_copy(update={"json_schema": schema})
    for seed in range(3):
        [reply] = await backend.send(request, seed=seed)
        answer = json.loads(reply.text)
        assert answer["verdict"] in ("good", "bad")
        assert type(answer["sure"]) is bool


async def test_a_wrong_name_is_fatal_and_the_right_one_is_told(url: str) -> None:
    async with Http(url=url, name="embr").open() as backend:
        with pytest.raises(BackendFatal, match=r"'embr'.*ember"):
            await backend.send(asking("Hi"), seed=1)
        with pytest.raises(BackendFatal, match=r"'embr'.*ember"):
            await backend.tokenize("Hi")


async def test_the_name_may_be_left_out(url: str) -> None:
    async with Http(url=url).open() as backend:
        assert (await backend.send(asking("Hi"), seed=1))[0].model.startswith("ember")


@pytest.mark.parametrize(
    "request_",
    [
        asking("Hi", Sampling(max_tokens=100_000)),
        asking("Hi", Sampling(max_tokens=0)),
        asking("Hi", Sampling(max_tokens=4, extra={"temperature": -1})),
        asking("word " * 3000, Sampling(max_tokens=4)),
        Request(kind="complete", prompt=(10**6,), sampling=Sampling(max_tokens=4)),
        Request(kind="chat", messages=({"role": "user", "content": {"no": "text"}},)),
    ],
    ids=["max_tokens beyond the context", "no tokens", "bad temperature", "prompt beyond the context", "unknown token", "bad message"],
)
async def test_what_vllm_refuses_is_rejected_with_its_reason(request_: Request, backend: HttpBackend) -> None:
    with pytest.raises(Rejected) as refused:
        await backend.send(request_, seed=1)
    assert not refused.value.retryable
    assert len(str(refused.value)) > 20
    assert await backend.send(asking("still there?"), seed=1)


async def test_it_tells_what_it_is(backend: HttpBackend) -> None:
    probe = await backend.probe()
    assert (probe.reachable, probe.server, probe.models, probe.context) == (True, "vllm", ("ember",), 1024)
    assert probe.detail[0].isdigit(), "the version"
