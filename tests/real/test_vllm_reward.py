"""Reward models, process rewards and IFD against a real vLLM, compared with transformers' own numbers on the same weights."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datalchemy import ajudge
from datalchemy.backends.http import Http
from datalchemy.backends.reward_server import RewardServer
from datalchemy.core.backend import Request
from datalchemy.core.errors import RecipeError, Rejected
from datalchemy.core.record import Conversation, Message, Record, assistant, system, user
from datalchemy.ember import weights
from vllm_server import VllmServer, environment, pooling_command

pytestmark = pytest.mark.real

EMBER = Path(weights()).parent / "hf"
PROGRAM = Path(__file__).with_name("on_transformers.py")
TAG = "<think>"
"""The one token of ember that stands for a step tag here."""
TALKS = [
    ({"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "It is 4."}),
    ({"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "I would rather talk about apples, of which there are many."}),
    ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "äöü 中文 🜁"}, {"role": "assistant", "content": "7\n\n8"}),
    ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d " * 60}),
]  # fmt: skip

Oracle = Callable[..., Any]


@pytest.fixture(scope="module")
def oracle(vllm_python: Path) -> Oracle:
    """`oracle(command, folder, value)`: what transformers says."""

    def ask(command: str, folder: Path, value: Any = None) -> Any:
        words = [str(vllm_python), str(PROGRAM), command, str(folder)]
        done = subprocess.run(words, input=json.dumps(value), capture_output=True, text=True, env=environment(), timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None

    return ask


@pytest.fixture(scope="module")
def model(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reward-model")
    oracle("make", folder)
    return folder


def serving(python: Path, folder: Path, model: Path, *more: str) -> Iterator[str]:
    server = VllmServer(python, folder / "vllm.log", lambda python, port: pooling_command(python, port, model, *more))
    server.start()
    try:
        yield server.url
    finally:
        server.kill()


@pytest.fixture(scope="module")
def rewards(vllm_python: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server with the reward model."""
    yield from serving(vllm_python, tmp_path_factory.mktemp("rewards"), model)


@pytest.fixture(scope="module")
def processes(vllm_python: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same weights, one row a token."""
    yield from serving(vllm_python, tmp_path_factory.mktemp("processes"), model, "--pooler-config", '{"task": "token_classify"}')


@pytest.fixture(scope="module")
def logits(oracle: Oracle, model: Path) -> list[float]:
    return oracle("logits", model, TALKS)


def requests() -> list[Request]:
    return [Request(kind="score", messages=messages) for messages in TALKS]


@pytest.mark.parametrize("protocol", ["auto", "vllm_classify", "vllm_pooling"])
async def test_raw_scores_are_transformers_own_logits(protocol: Any, rewards: str, logits: list[float]) -> None:
    """The control: the same server without being told gives their sigmoids."""
    assert min(logits) > 1, "such a model would not show a squashed score"
    endpoint = RewardServer(url=rewards, protocol=protocol)
    async with endpoint.open() as backend:
        replies = await backend.score(requests())
        assert endpoint.who() == "rm"
        assert [reply.values[0] for reply in replies] == pytest.approx(logits, abs=2e-3)
        assert all(reply.usage.prompt_tokens > 5 for reply in replies)
        squashed = json.loads(await backend._post("/classify", {"model": "rm", "messages": TALKS[0]}))["data"][0]["probs"]  # type: ignore[attr-defined]
    assert squashed == pytest.approx([1 / (1 + math.exp(-logits[0]))], abs=1e-3)


async def test_in_process_the_same_model_gives_the_same_scores(oracle: Oracle, model: Path, logits: list[float]) -> None:
    """`use: transformers_reward`, in one padded batch."""
    scored = oracle("backend", model, TALKS)
    assert [value for value, _ in scored] == pytest.approx(logits, abs=1e-4)
    assert all(tokens > 5 for _, tokens in scored)


async def test_pairs_are_scored_without_a_template(rewards: str) -> None:
    async with RewardServer(url=rewards, protocol="vllm_score").open() as backend:
        replies = await backend.score(requests())
        (alone,) = await backend.score(requests()[1:2])
    assert replies[1].values == pytest.approx(alone.values, abs=1e-4)
    assert len({reply.values for reply in replies}) == 4


async def test_a_conversation_that_is_too_long_is_rejected_in_vllms_words(rewards: str) -> None:
    long = Request(kind="score", messages=({"role": "user", "content": "word " * 3000}, {"role": "assistant", "content": "x"}))
    async with RewardServer(url=rewards).open() as backend:
        with pytest.raises(Rejected, match="maximum context length"):
            await backend.score([long])


async def test_the_filter_ranks_as_transformers_does(rewards: str, logits: list[float], tmp_path: Path) -> None:
    rows = [{"prompt": "What is 2 + 2?", "response": messages[-1]["content"]} for messages in TALKS[:2]]
    rows.append({"prompt": "What is 2 + 2?", "response": "word " * 3000})
    found = await ajudge(
        rows,
        [{"use": "reward"}, {"use": "reward_rank", "top_k": 1}],
        models={"reward": {"use": "reward_server", "url": rewards}},
        store=tmp_path,
    )
    best = 0 if logits[0] > logits[1] else 1
    assert [judgement.keep for judgement in found] == [best == 0, best == 1, False]
    assert [judgement.verdicts[0].score for judgement in found[:2]] == pytest.approx(logits[:2], abs=2e-3)
    assert found[2].reason.startswith("not_scored: ")


async def test_step_scores_stand_where_the_tags_do(processes: str, oracle: Oracle, model: Path, tmp_path: Path) -> None:
    steps = ["Two and two are four.", "So it is 4, and not 5.", "\\boxed{4}"]
    turns = ({"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "".join(step + TAG for step in steps)})
    [[ids, rows]] = oracle("token_logits", model, [turns])
    async with RewardServer(url=processes).open() as backend:
        [tag] = await backend.tokenize(TAG)
        [reply] = await backend.score([Request(kind="steps", messages=turns, step_tag=TAG)])
    expected = [1 / (1 + math.exp(-row)) for token, row in zip(ids, rows, strict=True) if token == tag]
    assert len(expected) == 3
    assert reply.values == pytest.approx(expected, abs=2e-3)
    (found,) = await ajudge(
        [{"prompt": "2 + 2?", "response": "\n\n".join(steps)}],
        [{"use": "process_reward", "step_tag": TAG}],
        models={"process_reward": {"use": "reward_server", "url": processes}},
        store=tmp_path,
    )
    assert found.score == pytest.approx(min(expected), abs=2e-3)


async def test_a_generating_server_is_no_reward_model(url: str) -> None:
    with pytest.raises((RecipeError, Rejected, Exception), match=r"(?i)classif|score|not found|404|pooling"):
        async with RewardServer(url=url).open() as backend:
            await backend.score(requests())


@pytest.mark.parametrize("form", [{}, {"form": "plain", "start": "<|endoftext|>"}], ids=["chat", "plain"])
async def test_ifd_is_what_transformers_computes(form: dict[str, str], url: str, oracle: Oracle, tmp_path: Path) -> None:
    answers = [
        (user("Ann has 3 apples and buys 4 more. How many apples does she have now?"), "She has 3 + 4 = 7 apples now, so the answer is \\boxed{7}."),
        (user("What is the weather like?"), "She has 3 + 4 = 7 apples now, so the answer is \\boxed{7}."),
    ]  # fmt: skip
    records = [Record(content=Conversation(messages=(system("Be brief."), question, assistant(text)))) for question, text in answers]
    found = await ajudge(records, [{"use": "ifd", "max": 9, **form}], models={"scorer": {"use": "http", "url": url}}, store=tmp_path)
    async with Http(url=url).open() as backend:
        parts = [(await beginnings(backend, question, form), await backend.tokenize(text)) for question, text in answers]
    losses = oracle("losses", EMBER, [[beginning, tokens] for both, tokens in parts for beginning in both])
    for judgement, (_, tokens), first, second in zip(found, parts, losses[::2], losses[1::2], strict=True):
        evidence = judgement.verdicts[0].evidence
        assert evidence["tokens"] == len(tokens)
        assert (evidence["loss_given"], evidence["loss_alone"]) == pytest.approx((first, second), abs=0.02)
        assert judgement.score == pytest.approx(math.exp(first - second), rel=0.03)
    assert found[0].score != pytest.approx(found[1].score, rel=0.05), "the same answer to another question"


async def beginnings(backend: Any, question: Message, form: dict[str, str]) -> tuple[list[int], list[int]]:
    """By hand, from ember's template."""
    if form:
        [start] = await backend.tokenize(form["start"])
        return [start, *await backend.tokenize(f"Be brief.\n{question.text}\n")], [start]
    head = "<|im_start|>assistant\n"
    turns = f"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{question.text}<|im_end|>\n"
    return await backend.tokenize(turns + head), await backend.tokenize(head)
