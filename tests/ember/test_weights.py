"""The shipped weights: the files that training.json names, in llama.cpp itself."""

import hashlib
import json
from collections.abc import Iterator
from random import Random

import pytest
from datalchemy.ember import checkpoint, weights
from datalchemy.ember.card import card
from datalchemy.ember.corpus import conversations, digest, held_out_problems, problem

pytest.importorskip("xllamacpp")
tokenizers = pytest.importorskip("tokenizers")

from datalchemy.ember.measure import LIMIT, PRE_QUERY, boxed, prompt  # noqa: E402
from datalchemy.ember.server import Client, serve  # noqa: E402

TEXTS = (
    "",
    "hello",
    " two  spaces\n\n\nand lines \t tabs ",
    "12345 67.89 1,000 $5 50% 3/4 -7 2*3=6",
    "it's we'll they've I'm you'd don't 'quoted'",
    "naïve café Ωmega 日本語 ½ ² ٣ 🙂",
    "<think>\n12 * 3 = 36\n</think>\n\nDone. \\boxed{36}<|im_end|>\n",
    "<|im_start|>user\nTom has 5 apples.<|im_end|>\n<|im_start|>assistant\n<think>",
    "def f(x):\n    return {x: [1, 2]}  # code",
    "<thinking> <|im_start <|endoftext|>",
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serve(weights(), slots=8, threads=1) as served:
        yield served


def test_the_files_are_those_of_the_training_record() -> None:
    root = weights().parent
    record = json.loads((root / "training.json").read_text())
    for name, expected in record["sha256"].items():
        assert hashlib.sha256((root / name).read_bytes()).hexdigest() == expected, name
    assert {"ember.gguf", "hf/model.safetensors", "hf/tokenizer.json"} <= set(record["sha256"])


def test_each_file_is_small() -> None:
    assert all(path.stat().st_size < 8_000_000 for path in weights().parent.rglob("*") if path.is_file())


def test_llama_cpp_and_tokenizers_give_the_same_ids(client: Client) -> None:
    ours = tokenizers.Tokenizer.from_file(str(checkpoint() / "tokenizer.json"))
    texts = [*TEXTS, *(problem(Random(seed)).question for seed in range(60))]
    texts += [turn.text for talk in conversations(99, 60) for turn in talk]
    for text in texts:
        assert client.tokenize(text) == ours.encode(text, add_special_tokens=True).ids, text


def test_every_digit_is_a_token() -> None:
    ours = tokenizers.Tokenizer.from_file(str(checkpoint() / "tokenizer.json"))
    assert not [text for text in ours.get_vocab() if sum(char.isdigit() for char in text) and len(text) > 1]


def test_the_chat_template_is_chatml_without_a_default_system_turn(client: Client) -> None:
    body: dict[str, object] = {"messages": [{"role": "user", "content": "hello"}]}
    assert client.post("/apply-template", body)["prompt"] == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"


def test_it_solves_a_fair_share_of_held_out_problems_and_shows_its_thinking(client: Client) -> None:
    items = held_out_problems(11, 40)
    replies = client.complete_all([(prompt(item.question), seed) for seed, item in enumerate(items)], 0.6, LIMIT)
    assert all("</think>" in reply.text for reply in replies if not reply.cut)
    right = sum(boxed(reply.text) == item.answer for item, reply in zip(items, replies, strict=True))
    assert right / len(items) >= 0.45


def test_same_seed_same_text(client: Client) -> None:
    first, second = client.complete_all([(PRE_QUERY, 3), (PRE_QUERY, 3)], 1.0, 120)
    assert first.text == second.text


def test_it_answers_a_greeting(client: Client) -> None:
    reply = client.complete("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", 1, 0.0, 80)
    assert reply.text.startswith("<think>\n\n</think>\n\n") and not reply.cut


def test_the_model_card_is_written_from_the_training_record() -> None:
    root = weights().parent
    record = json.loads((root / "training.json").read_text())
    assert (root.parent / "README.md").read_text() == card(record)


def test_the_training_record_names_this_corpus() -> None:
    record = json.loads((weights().parent / "training.json").read_text())
    assert record["corpus_head_sha256"] == digest(record["seed"], 500)
