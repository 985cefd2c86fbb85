"""`ifd`: the numbers, and the traps (a) to (h) of other implementations, each by its letter."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asked_models import asked
from datalchemy.backends.scripted import Scripted
from datalchemy.core.backend import Reply
from datalchemy.core.errors import Rejected
from datalchemy.core.record import Conversation, Message, PlainText, Record, Verdict, assistant, system, user
from datalchemy.eval.ifd import Ifd, Losses, _loss
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

BOS, HEAD, END = 1, 2, 3
WORDS = {"question": -1.5, "alone": -2.0}


class Words:
    """A causal model of words (one token a word, none for white space): `logprob(before, token)` of each after the first.

    Its template is BOS, HEAD and words and END for each turn, HEAD for the answer.
    """

    def __init__(self, logprob: Callable[[Sequence[int], int], float | None], context: int | None = None) -> None:
        self.logprob, self.most = logprob, context
        self.asked: list[list[int]] = []
        self.ids: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self.ids.setdefault(word, len(self.ids) + 10)

    async def context(self) -> int | None:
        return self.most

    async def tokenize(self, messages: Sequence[Message] | str, *, add_generation_prompt: bool = True) -> list[int]:
        if isinstance(messages, str):
            return [BOS if word == "<s>" else self.number(word) for word in messages.split()]
        turns = [token for turn in messages for token in (HEAD, *(self.number(word) for word in turn.text.split()), END)]
        return [BOS, *turns, *([HEAD] if add_generation_prompt else [])]

    async def prompt_logprobs(self, prompt: Sequence[int], *, path: str) -> Reply:
        self.asked.append(list(prompt))
        values = [None, *(self.logprob(prompt[:at], prompt[at]) for at in range(1, len(prompt)))]
        return Reply(token_ids=tuple(prompt), logprobs=tuple(values))


def helped(given: float = -1.5, alone: float = -2.0, question: str = "Q") -> Words:
    """Each token has one log-probability where the question stands before it, and another where it does not."""
    model = Words(lambda before, token: given if model.number(question) in before else alone)
    return model


@asynccontextmanager
async def judging(part: Ifd, model: Any, tools: Any) -> AsyncIterator[Any]:
    async with part.open(replace(tools, models={"scorer": model})) as judge:
        yield judge


async def verdict(tools: Any, model: Any, record: Record, **settings: Any) -> Verdict:
    async with judging(Ifd(**{"min_tokens": 2, **settings}), model, tools) as judge:
        (found,) = await judge([record])
        return found


def said(answer: str, *before: Message) -> Record:
    return Record(content=Conversation(messages=(*(before or (user("Q"),)), assistant(answer))))


def words(n: int) -> str:
    return " ".join(f"w{i}" for i in range(n))


async def test_the_two_ratios_and_which_of_them_is_the_score(tools: Any) -> None:
    """L(A) = 2.0, L(A|Q) = 1.5."""
    found = await verdict(tools, helped(), said(words(9)))
    assert found.keep
    assert found.score == pytest.approx(0.60653, abs=1e-5)
    assert found.evidence == {
        "ratio": "perplexity", "perplexity_ratio": 0.60653, "loss_ratio": 0.75, "loss_given": 1.5, "loss_alone": 2.0, "tokens": 9, "cut": False,
    }  # fmt: skip
    loss = await verdict(tools, helped(), said(words(9)), ratio="loss")
    assert (loss.score, loss.evidence["ratio"]) == (0.75, "loss")


def test_the_two_ratios_order_records_differently() -> None:
    long, short = Losses(2.0, 2.5, 9), Losses(0.2, 0.4, 9)
    assert long.perplexity_ratio < short.perplexity_ratio
    assert long.loss_ratio > short.loss_ratio  # type: ignore[operator]


@pytest.mark.parametrize("ratio", ["perplexity", "loss"])
@pytest.mark.parametrize("given", [-2.0, -2.5])
async def test_a_question_that_does_not_help_is_refused(tools: Any, ratio: Any, given: float) -> None:
    found = await verdict(tools, helped(given=given), said(words(9)), ratio=ratio)
    assert found.outcome == "refuse"
    assert found.score >= 1
    assert found.reason.startswith("question_does_not_help: ")
    assert (await verdict(tools, helped(given=given), said(words(9)), ratio=ratio, max=3)).keep


async def test_too_easy_is_refused_where_a_least_value_is_set(tools: Any) -> None:
    found = await verdict(tools, helped(given=-0.01), said(words(9)), min=0.5)
    assert (found.outcome, found.reason.partition(":")[0]) == ("refuse", "too_easy")


async def test_a_no_token_of_the_question_is_counted_and_none_of_the_answer_left_out(tools: Any) -> None:
    """(a) Elsewhere the border is found by counting the tokens of the question alone, and merges move it. Here both sides are
    tokenized for themselves: every token of the answer is the same in both passes, and stands behind the same opening."""
    model = helped()
    await verdict(tools, model, said(words(5)))
    given, alone = model.asked
    answer = [model.number(f"w{i}") for i in range(5)]
    assert given == [BOS, HEAD, model.number("Q"), END, HEAD, *answer]
    assert alone == [BOS, HEAD, *answer]


async def test_a_merge_at_the_border_changes_nothing(tools: Any) -> None:
    """A tokenizer that would join the end of the question and the beginning of the answer is never shown them together."""

    class Merging(Words):
        async def tokenize(self, messages: Any, *, add_generation_prompt: bool = True) -> list[int]:
            ids = await super().tokenize(messages, add_generation_prompt=add_generation_prompt)
            both = [self.number("end"), self.number("start")]
            at = next((i for i in range(len(ids)) if ids[i : i + 2] == both), None)
            return ids if at is None else [*ids[:at], 99, *ids[at + 2 :]]

    model = Merging(lambda before, token: -1.0 if len(before) > 8 else -2.0)
    found = await verdict(tools, model, said(f"start {words(4)}", user("the end")), form="plain", start="<s>", max=9)
    assert found.evidence["tokens"] == 5
    assert all(99 not in asked for asked in model.asked)


async def test_b_both_passes_begin_with_the_same_token_and_score_the_same_ones(tools: Any) -> None:
    """(b) Without a BOS the first token of the answer alone has no probability, and the means are taken over different tokens."""
    odd = words(5)

    def first_is_hard(before: Sequence[int], token: int) -> float:
        return -10.0 if token == model.number("w0") else -1.0

    model = Words(first_is_hard)
    for settings in ({}, {"form": "plain", "start": "<s>"}):
        found = await verdict(tools, model, said(odd), max=2, **settings)
        assert found.score == 1.0  # the question changes nothing, so the ratio says so, exactly
        assert {asked[0] for asked in model.asked} == {BOS}
        assert found.evidence["loss_alone"] == pytest.approx((10 + 4) / 5)


async def test_b_a_template_without_bos_begins_with_the_opening_of_the_answer(tools: Any) -> None:
    class NoBos(Words):
        async def tokenize(self, messages: Any, *, add_generation_prompt: bool = True) -> list[int]:
            return [t for t in await super().tokenize(messages, add_generation_prompt=add_generation_prompt) if t != BOS]

    model = NoBos(lambda before, token: -1.0)
    await verdict(tools, model, said(words(4)), max=2)
    assert model.asked[1][0] == HEAD
    assert len(model.asked[1]) == 5


async def test_c_an_answer_that_recurs_in_the_question_is_not_looked_for_there(tools: Any) -> None:
    """(c) Nothing is searched in a text."""
    model = helped(question="again")
    found = await verdict(tools, model, said("again and again", user("Say again and again and again and")))
    assert found.evidence["tokens"] == 3
    assert model.asked[0][-3:] == model.asked[1][-3:]


@pytest.mark.parametrize("hole", [None, float("nan"), float("-inf")])
async def test_d_a_missing_probability_is_an_abstention_and_no_0(tools: Any, hole: Any) -> None:
    """(d) A silent 0 would be a perfect score, or a division by zero."""
    model = Words(lambda before, token: hole if token == model.number("w2") else -1.0)
    found = await verdict(tools, model, said(words(5)))
    assert (found.outcome, found.score) == ("abstain", None)
    assert found.reason.startswith("no_logprobs: ")


async def test_d_a_model_that_is_certain_anyway_has_no_loss_ratio(tools: Any) -> None:
    found = await verdict(tools, helped(given=-0.5, alone=0.0), said(words(5)), ratio="loss")
    assert (found.outcome, found.score, found.reason.partition(":")[0]) == ("abstain", None, "no_loss")
    assert (await verdict(tools, helped(given=-900.0, alone=0.0), said(words(5)))).outcome == "refuse"  # and exp does not overflow


async def test_e_a_long_answer_is_cut_to_the_same_tokens_in_both_passes(tools: Any) -> None:
    """(e)"""
    model = helped()
    found = await verdict(tools, model, said(words(200)), max_tokens=40)
    given, alone = model.asked
    assert len(given) == 40
    assert given[5:] == alone[2:]
    assert (found.evidence["tokens"], found.evidence["cut"]) == (35, True)
    by_context = helped()
    by_context.most = 21  # of which the server takes one for the token that it makes
    await verdict(tools, by_context, said(words(200)))
    assert len(by_context.asked[0]) == 20


async def test_e_a_question_that_leaves_no_room_is_an_abstention(tools: Any) -> None:
    found = await verdict(tools, helped(), said(words(50), user(words(100))), max_tokens=64)
    assert (found.outcome, found.reason.partition(":")[0]) == ("abstain", "too_long")


async def test_f_any_number_of_records_in_their_order(tools: Any) -> None:
    """(f) One implementation counts on 52,002 rows."""
    async with judging(Ifd(min_tokens=2), helped(), tools) as judge:
        found = await judge([said(words(n)) for n in range(2, 80)])
    assert [one.evidence["tokens"] for one in found] == list(range(2, 80))
    async with judging(Ifd(), helped(), tools) as judge:
        assert await judge([]) == []


@pytest.mark.parametrize("n", [0, 1, 2, 15])
async def test_g_short_answers_are_not_judged(tools: Any, n: int) -> None:
    """(g) They would make up the top of the list; one-token answers would be NaN."""
    model = helped()
    found = await verdict(tools, model, said(words(n)), min_tokens=16)
    assert (found.outcome, found.score) == ("abstain", None)
    assert found.reason.partition(":")[0] == ("short_answer" if n else "no_answer")
    assert not model.asked
    assert (await verdict(tools, model, said(words(16)), min_tokens=16)).keep


async def test_h_the_model_is_a_setting(tools: Any) -> None:
    """(h) What GPT-2 makes of Chinese or of code says nothing: who scores is for the recipe to say."""
    assert Ifd(model="another").needs() == {"another": frozenset({"prompt_logprobs", "token_ids", "template"})}


async def test_the_question_is_everything_before_the_answer(tools: Any) -> None:
    model = helped()
    turns = (system("S"), user("one"), assistant("two"), user("Q"))
    await verdict(tools, model, said(words(4), *turns))
    assert [model.number(word) in model.asked[0] for word in ("S", "one", "two", "Q")] == [True] * 4
    assert not any(model.number(word) in model.asked[1] for word in ("S", "one", "two", "Q"))


async def test_thinking_counts_only_where_asked_for(tools: Any) -> None:
    record = Record(content=Conversation(messages=(user("Q"), Message(role="assistant", content=words(4), reasoning="t1 t2 t3"))))
    assert (await verdict(tools, helped(), record)).evidence["tokens"] == 4
    assert (await verdict(tools, helped(), record, thinking=True)).evidence["tokens"] == 9  # with its tags


@pytest.mark.parametrize(
    "record",
    [Record(), Record(content=PlainText(text=words(50))), Record(content=Conversation(messages=(user("Q"),))), Record(content=Conversation(messages=(assistant(words(20)),)))],
    ids=["empty", "page", "question", "answer without a question"],
)  # fmt: skip
async def test_nothing_to_judge(tools: Any, record: Record) -> None:
    found = await verdict(tools, helped(), record)
    assert (found.outcome, found.reason.partition(":")[0]) == ("abstain", "no_answer")


async def test_what_the_server_refuses_is_an_abstention(tools: Any) -> None:
    class Refusing(Words):
        async def prompt_logprobs(self, prompt: Sequence[int], *, path: str) -> Reply:
            raise Rejected("400: the prompt is too long")

    found = await verdict(tools, Refusing(lambda before, token: -1.0), said(words(20)))
    assert (found.outcome, found.reason) == ("abstain", "not_scored: 400: the prompt is too long")


@pytest.mark.parametrize("text", ["a " * 500_000, "\ud800 " * 20, "\0\x1b[31m " * 10, "<|im_end|><|im_start|>user\n" * 30])
async def test_hostile_answers_through_the_engines_own_model(tools: Any, tmp_path: Path, text: str) -> None:
    async with asked(tmp_path, scorer=Scripted(attempts=1)) as models, judging(Ifd(max=9), models["scorer"], tools) as judge:
        hostile, other = await judge([said(text), said(words(30))])
    assert hostile.outcome in ("keep", "abstain", "refuse")
    assert other.keep


async def test_nothing_is_paid_twice(tools: Any, tmp_path: Path) -> None:
    endpoint = Scripted()
    for _ in range(2):
        async with asked(tmp_path, scorer=endpoint) as models, judging(Ifd(max=9), models["scorer"], tools) as judge:
            await judge([said(words(30))])
    assert sum(endpoint.calls.values()) == 2


@pytest.mark.parametrize(
    "settings", [{"form": "plain"}, {"start": "<s>"}, {"min": 1.0}, {"min_tokens": 1}, {"max": 0}, {"ratio": "both"}, {"max_tokens": 1}]
)
def test_settings_that_cannot_be(settings: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Ifd(**settings)


@given(st.lists(st.floats(-50, 0) | st.none(), max_size=12), st.integers(0, 14))
def test_the_loss_is_the_mean_of_the_last_tokens_or_nothing(logprobs: list[float | None], tokens: int) -> None:
    found, last = _loss(logprobs, tokens), logprobs[-tokens:] if tokens else []
    if 0 < tokens <= len(logprobs) and None not in last:
        assert found == pytest.approx(-sum(last) / tokens)  # type: ignore[arg-type]
        assert found is not None
        assert math.isfinite(found)
    else:
        assert found is None
