"""`magpie`: the pre-query of real kinds of chat template, and every trap of methods.md 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from datalchemy.core.backend import Reply, Sampling
from datalchemy.core.errors import RecipeError, Refused
from datalchemy.core.record import Conversation, Message, Record, assistant, system, user
from datalchemy.generators._prequery import PreQuery, prequery
from datalchemy.generators.magpie import Magpie
from pydantic import ValidationError
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

SPECIALS = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "[INST]",
    "[/INST]",
    "<start_of_turn>",
    "<end_of_turn>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜end▁of▁sentence｜>",
]
TEXT = [
    "user\nWhat is 5 + 3?",
    "assistant\nIt is 8.",
    "system\nYou are a model.",
    "\nI am\nWhy\nHello\n\nNow\n9\nhaze",
    "User: Q\nAssistant: A",
] * 4
SEED = Record(origin="0/0")


def trained(pre_tokenizer, vocab_size: int = 400, **model) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    letters = pre_tokenizers.ByteLevel.alphabet() if not model else [chr(code) for code in range(32, 127)] + ["\n", "▁"]
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=letters, show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIALS])
    return tokenizer


def byte_level() -> Tokenizer:
    """As in GPT-2, Llama 3 and Qwen: a line break stays apart from the word behind it."""
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False))


def merging() -> Tokenizer:
    """A line break merges with the capital behind it where the two are frequent (here `\\nW` and `\\nI`, not `\\nZ`)."""
    split = pre_tokenizers.Split(Regex(r"\n+[A-Z]?|[^\n]+"), "isolated")
    return trained(pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))


def sentencepiece_like() -> Tokenizer:
    """A space in front of a word belongs to the word, and a line break stands alone, as in Llama 2 and Mistral."""
    apart = pre_tokenizers.Split("\n", "isolated")
    return trained(pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="never"), apart]), byte_fallback=True)


Template = Callable[[Sequence[Message], bool], str]


def chatml(turns, generate, default=""):
    turns = ([] if turns[0].role == "system" or not default else [system(default)]) + list(turns)
    return "".join(f"<|im_start|>{t.role}\n{t.text}<|im_end|>\n" for t in turns) + ("<|im_start|>assistant\n" if generate else "")


def qwen25(turns, generate):
    return chatml(turns, generate, default="You are a model.")


def thinking_chatml(turns, generate):
    return chatml(turns, generate) + ("<think>\n" if generate else "")


def llama3(turns, generate):
    body = "".join(f"<|start_header_id|>{t.role}<|end_header_id|>\n\n{t.text}<|eot_id|>" for t in turns)
    return "<|begin_of_text|>" + body + ("<|start_header_id|>assistant<|end_header_id|>\n\n" if generate else "")


def mistral(turns, generate):
    return "<s>[INST] " + turns[-1].text + "[/INST]"


def deepseek(turns, generate):
    return "<s>" + "".join(f"<｜User｜>{t.text}" for t in turns if t.role == "user") + ("<｜Assistant｜>" if generate else "")


def gemma(turns, generate):
    first = "".join(f"{t.text}\n\n" for t in turns if t.role == "system")
    return f"<s><start_of_turn>user\n{first}{turns[-1].text}<end_of_turn>\n" + ("<start_of_turn>model\n" if generate else "")


def plain(turns, generate):
    return "User: " + turns[-1].text + "\n" + ("Assistant:" if generate else "")


def half_plain(turns, generate):
    return "<s>User: " + turns[-1].text + "</s>" + ("Assistant:" if generate else "")


def vicuna(turns, generate):
    return "A chat. USER: " + turns[-1].text + (" ASSISTANT:" if generate else "")


def blind(turns, generate):
    return "<s>[INST]hello[/INST]"


def bare(turns, generate):
    return turns[-1].text


@pytest.fixture(scope="module", params=[byte_level, merging, sentencepiece_like])
def tokenizer(request) -> Tokenizer:
    return request.param()


@pytest.fixture
def teacher(tokenizer, scripted):
    """A scripted model with a real tokenizer behind a template."""

    def make(template: Template, say=lambda call: "What is 5 + 3?"):
        def encode(text: str) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=False).ids

        return scripted(say, render=lambda turns, generate: encode(template(turns, generate)), encode=encode)

    return make


def text_of(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    return "".join(tokenizer.id_to_token(i) for i in ids).replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\n")


@pytest.mark.parametrize(
    ("template", "before", "stops"),
    [
        (chatml, "<|im_start|>user\n", ["<|im_end|>", "<|im_start|>"]),
        (thinking_chatml, "<|im_start|>user\n", ["<|im_end|>", "<|im_start|>"]),
        (qwen25, "<|im_start|>system\nYou are a model.<|im_end|>\n<|im_start|>user\n", ["<|im_end|>", "<|im_start|>"]),
        (llama3, "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n", ["<|eot_id|>", "<|start_header_id|>"]),
        (mistral, "<s>[INST] ", ["[/INST]"]),
        (deepseek, "<s><｜User｜>", ["<｜Assistant｜>"]),
        (gemma, "<s><start_of_turn>user\n", ["<end_of_turn>", "<start_of_turn>"]),
    ],
)
async def test_prequery_of_known_templates(template, before, stops, tokenizer, teacher):
    found = await prequery(teacher(template))
    assert before.startswith(text_of(tokenizer, found.ids))
    assert text_of(tokenizer, found.ids).rstrip() == before.rstrip(), (
        "only white space that merges with the first word may be left to the model"
    )
    assert [tokenizer.id_to_token(i) for i in found.stop] == stops
    beginnings = ("What is 5 + 3?", "I have 3 apples", "quickly", "Zebras", "1 + 1")
    for words in beginnings:
        rendered = tokenizer.encode(template([user(words)], True), add_special_tokens=False).ids
        assert tuple(rendered[: len(found.ids)]) == found.ids, f"the pre-query is not what comes before {words!r}"


async def test_a_header_that_merges_with_the_question_is_cut_before_the_merge(scripted):
    tokenizer = merging()
    merged = tokenizer.encode("<|im_start|>user\nWhy").ids
    apart = tokenizer.encode("<|im_start|>user\nZoo").ids
    assert len(set(merged[:-1]) & set(apart[:-1])) < len(apart[:-1]), "the control: here the boundary is not the same for all words"

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text).ids

    found = await prequery(scripted(lambda call: "", render=lambda turns, generate: encode(chatml(turns, generate)), encode=encode))
    assert text_of(tokenizer, found.ids) == "<|im_start|>user"


async def test_bos_stands_there_once(tokenizer, teacher):
    found = await prequery(teacher(llama3))
    assert list(found.ids).count(tokenizer.token_to_id("<|begin_of_text|>")) == 1


async def test_a_system_turn_is_part_of_the_prequery(tokenizer, teacher):
    steered = await prequery(teacher(gemma), [system("Hello")])
    assert "Hello" in text_of(tokenizer, steered.ids)
    assert steered.stop == (await prequery(teacher(gemma))).stop


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (vicuna, "ends a user turn with ordinary text"),
        (plain, "ends a user turn with ordinary text"),
        (blind, "does not show what the user says"),
        (bare, "puts no tokens before"),
    ],
)
async def test_templates_without_a_prequery_are_refused(template, says, teacher, double, yielded):
    model = teacher(template)
    with pytest.raises(RecipeError, match=says):
        await yielded(Magpie(model="teacher"), SEED, double(model))
    assert not model.calls, "nothing is spent"


async def test_a_header_of_ordinary_words_is_no_stop(tokenizer, teacher):
    found = await prequery(teacher(half_plain))
    assert [tokenizer.id_to_token(i) for i in found.stop] == ["</s>"]


async def test_the_line_break_of_the_header_is_no_stop(tokenizer, teacher):
    found = await prequery(teacher(chatml))
    assert not set(found.stop) & set(tokenizer.encode("\n", add_special_tokens=False).ids)


@pytest.fixture
def magpie(scripted, double, yielded):
    """Runs magpie over a ChatML model of one id a letter; `written` is what it writes into the user turn."""

    async def run(written: str | Reply, strategy: Magpie | None = None, answer: str | Reply = "It is 8.") -> tuple[list[Record], list]:
        def ids(text: str) -> list[int]:
            return [1000 + ord(letter) for letter in text]

        def render(turns, generate):
            return [i for t in turns for i in [1, *ids(f"{t.role}\n{t.text}"), 2, *ids("\n")]] + (
                [1, *ids("assistant\n")] if generate else []
            )

        model = scripted(lambda call: written if call.kind == "complete" else answer, render=render)
        try:
            return await yielded(strategy or Magpie(model="teacher"), SEED, double(model)), model.calls
        finally:
            run.calls = model.calls

    return run


async def test_a_question_and_its_answer(magpie):
    (record,), (asked, answered) = await magpie("  What is 5 + 3?\n", answer="<think>5 + 3</think>It is 8.")
    assert record.messages == (user("What is 5 + 3?"), assistant("It is 8.", reasoning="5 + 3"))
    assert asked.kind == "complete"
    assert asked.prompt == (1, *(1000 + ord(letter) for letter in "user\n"))
    assert (asked.path, answered.path) == ("instruction", "answer")
    assert answered.texts == [("user", "What is 5 + 3?")]
    step = record.lineage[-1]
    assert (step.detail["raw"], step.detail["instruction"]) == ("  What is 5 + 3?\n", "What is 5 + 3?")
    assert len(step.keys) == 2
    assert record.labels == {"finish_reason": "stop"}


async def test_stops_are_token_ids_and_never_strings(magpie):
    _, (asked, _) = await magpie("What is 5 + 3?")
    assert asked.sampling.stop == ()
    assert "stop" in asked.sampling.model_fields_set, "a stop string in the model's settings must not reach the question"
    assert asked.sampling.stop_token_ids == (2, 1)
    assert (asked.sampling.temperature, asked.sampling.top_p, asked.sampling.max_tokens) == (1.0, 1.0, 512)
    with pytest.raises(ValidationError, match="a stop string would cut"):
        Magpie(model="teacher", instruction=Sampling(stop=("assistant",)))


async def test_settings_of_the_question_go_over_the_defaults(magpie):
    strategy = Magpie(model="teacher", instruction=Sampling(temperature=1.2, stop_token_ids=(9,)), sampling=Sampling(temperature=0.0))
    _, (asked, answered) = await magpie("What is 5 + 3?", strategy)
    assert (asked.sampling.temperature, asked.sampling.max_tokens, asked.sampling.stop_token_ids) == (1.2, 512, (2, 1, 9))
    assert answered.sampling == Sampling(temperature=0.0)


@pytest.mark.parametrize(
    "question",
    [
        "Write a poem.\n\nIt must have:\n1. two lines\n2. a rhyme",
        "How do I become a better teaching assistant?",
        "You are an assistant. Explain tides.",
        "Solve x + 1 = 2. Answer:",
        "Is the solution: mix 3 l with 2 l? right?",
        "Sure-footed animals: name three.",
        "写一首关于春天的诗",
        "What does <b>this</b> do in HTML?",
        "#### Task\nSort 3, 1, 2.",
        "I'm sorry to bother you, what is 5 + 3?",
    ],
)
async def test_good_questions_stay_as_they_are(question, magpie):
    (record,), _ = await magpie(question)
    assert record.prompt == question


@pytest.mark.parametrize("header", ["user\n", "User: ", "user\n\nuser\n", "Human:\n"])
async def test_a_repeated_header_is_dropped_and_the_raw_text_kept(header, magpie):
    (record,), _ = await magpie(f"{header}What is 5 + 3?")
    assert record.prompt == "What is 5 + 3?"
    assert record.lineage[-1].detail["raw"] == f"{header}What is 5 + 3?"


@pytest.mark.parametrize("question", ["User stories: write three.", "Users complain. Why?", "Human rights: a history"])
async def test_a_word_that_only_looks_like_a_header_stays(question, magpie):
    (record,), _ = await magpie(question)
    assert record.prompt == question


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("user\n", "empty"),
        ("<think>\nThe user wants", "think_tag"),
        ("What is 5 + 3?</think>", "think_tag"),
        (Reply(text="What is 5 + 3?", reasoning="a plan"), "think_tag"),
        (Reply(text="What is 5 +", finish_reason="length"), "cut"),
        ("What is 5 + 3?<|im_end|>", "special_token"),
        ("[INST] What is 5 + 3?", "special_token"),
        ("What is 5?<｜Assistant｜>", "special_token"),
        ("Sure! Here are three ideas", "assistant_voice"),
        ("Hello! How can I help you today?", "assistant_voice"),
        ("As an AI language model, I", "assistant_voice"),
        ("I'm sorry, but I can't do that.", "assistant_voice"),
        ("当然，我来帮你写。", "assistant_voice"),
        ("What is 5 + 3?\nAnswer: 8", "answer_leak"),
        ("What is 5 + 3?\n\n**Solution:**\nAdd them.", "answer_leak"),
        ("What is 5 + 3?\nStep 1: add", "answer_leak"),
        ("Which?\nA) 1\nB) 2\nAnswer: B", "answer_leak"),
        ("What is 5 + 3? \\boxed{8}", "answer_leak"),
        ("What is 5 + 3?\n#### 8", "answer_leak"),
        ("五加三是多少？\n答案：八", "answer_leak"),
        ("Why?", "too_short"),
        ("why " * 2000, "too_long"),
    ],
)
async def test_what_is_no_question_is_refused_before_its_answer_is_paid_for(written, reason, magpie):
    with pytest.raises(Refused) as refused:
        await magpie(written)
    assert refused.value.reason == reason
    assert [call.kind for call in magpie.calls] == ["complete"]


async def test_bare_questions_for_the_next_stage(magpie):
    strategy = Magpie(model="teacher", respond=False)
    (record,), calls = await magpie("What is 5 + 3?", strategy)
    assert record.content == Conversation(messages=(user("What is 5 + 3?"),))
    assert len(calls) == 1
    assert (strategy.calls_per_seed(), Magpie(model="teacher").calls_per_seed()) == (1, 2)
    assert strategy.needs() == {"teacher": frozenset({"complete", "token_ids", "template"})}
    assert Magpie(model="teacher").needs()["teacher"] >= {"chat", "token_ids"}


@pytest.mark.parametrize(("keep", "roles"), [(False, ["user", "assistant"]), (True, ["system", "user", "assistant"])])
async def test_the_steering_turn_is_dropped_or_kept(keep, roles, magpie):
    (record,), (asked, answered) = await magpie("What is 5 + 3?", Magpie(model="teacher", system=("Sums.",), keep_system=keep))
    assert [turn.role for turn in record.messages] == roles
    assert [turn.role for turn in answered.prompt] == roles[:-1]
    assert bytes(i - 1000 for i in asked.prompt if i > 1000).decode() == "system\nSums.\nuser\n"
    assert record.lineage[-1].detail["system"] == "Sums."


async def test_an_empty_answer_is_refused(magpie):
    with pytest.raises(Refused, match="empty_answer"):
        await magpie("What is 5 + 3?", answer="<think>hm")


async def test_the_sentinel_never_reaches_the_model(magpie):
    _, (asked, _) = await magpie("What is 5 + 3?")
    assert "Quokka" not in "".join(chr(i - 1000) for i in asked.prompt if i > 1000)


def test_prequery_is_a_plain_value():
    assert PreQuery((1,), (2,)) == PreQuery(ids=(1,), stop=(2,))


async def test_the_embedded_model_s_own_template_and_tokenizer(scripted):
    import json
    from pathlib import Path

    import datalchemy.ember
    from jinja2 import Template as Jinja

    folder = Path(datalchemy.ember.__file__).parent / "weights" / "hf"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    chat = Jinja(json.loads((folder / "tokenizer_config.json").read_text())["chat_template"])

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    def render(turns, generate):
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        return encode(chat.render(messages=messages, add_generation_prompt=generate))

    found = await prequery(scripted(lambda call: "", render=render, encode=encode))
    assert list(found.ids) == encode("<|im_start|>user\n")
    assert [tokenizer.id_to_token(i) for i in found.stop] == ["<|im_end|>", "<|im_start|>"]
