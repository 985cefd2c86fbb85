"""`use: reward_server` against a local server that speaks each protocol; the real vLLM is in tests/real."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from datalchemy.backends._reward_wire import chances, read_scores, read_steps
from datalchemy.backends.reward_server import RewardServer
from datalchemy.core.backend import Request
from datalchemy.core.errors import BackendFatal, BadResponse, CallError, DatalchemyError, RecipeError, Rejected
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from raw_server import Asked, RawServer, Step, answer, http, problem

CANARY = "sk-CANARY-0123456789"
VLLM = {"data": [{"id": "rm", "owned_by": "vllm", "max_model_len": 100}]}


def talk(*texts: str, kind: Any = "score", tag: str = "") -> Request:
    roles = ("user", "assistant")
    return Request(kind=kind, step_tag=tag, messages=tuple({"role": roles[at % 2], "content": text} for at, text in enumerate(texts)))


def logit(text: str) -> float:
    """The score of a text: its length below zero, so that no squashed score looks like it."""
    return -float(len(text))


def rendered(body: dict[str, Any]) -> str:
    return "".join(f"<{m['role']}>{m['content']}" for m in body["messages"])


class Server:
    """vLLM (with raw scores by the field `raw`), SGLang and TEI at once."""

    def __init__(self, kind: str = "vllm", raw: str = "use_activation", score: Callable[[str], float] = logit, **told: Any) -> None:
        self.kind, self.raw, self.score, self.told = kind, raw, score, told

    def value(self, body: dict[str, Any], text: str) -> float:
        plain = self.score(text)
        return plain if body.get(self.raw) is False else self.told.get("squashed", lambda value: 1 / (1 + math.exp(-value)))(plain)

    def __call__(self, asked: Asked) -> Sequence[Step]:
        body = asked.body
        match asked.path:
            case "/v1/models" if self.kind != "tei":
                return [answer({"data": [{"id": "rm", "owned_by": self.kind}]})]
            case "/info" if self.kind == "tei":
                return [answer({"model_id": "org/rm", "model_type": self.told.get("type", {"classifier": {"id2label": {}}})})]
            case "/classify" if "text" in body:
                rows = [{"embedding": [self.score(text)], "meta_info": {"prompt_tokens": len(text)}} for text in body["text"]]
                return [answer(rows)]
            case "/classify" | "/v1/classify":
                texts = body["input"] if "input" in body else [rendered(body)]
                data = [{"index": i, "label": "LABEL_0", "probs": [self.value(body, t)], "num_classes": 1} for i, t in enumerate(texts)]
                return [answer({"data": data[::-1], "usage": {"prompt_tokens": 11}})]
            case "/pooling" if body["task"] == "classify":
                return [answer({"data": [{"index": 0, "data": [self.value(body, rendered(body))]}], "usage": {"prompt_tokens": 11}})]
            case "/pooling":
                return [answer({"data": [{"index": 0, "data": self.told["steps"]}], "usage": {"prompt_tokens": 9}})]
            case "/tokenize":
                text = body.get("prompt") or rendered(body)
                return [answer({"tokens": [1 if char == "#" else ord(char) for char in text]})]
            case "/score":
                if self.told.get("old") and "text_1" not in body:
                    return [answer(problem("Field required: text_1"), 400)]
                pairs = zip(body.get("queries") or body["text_1"], body.get("documents") or body["text_2"], strict=True)
                rows = [{"index": i, "score": self.value(body, f"{q}|{d}")} for i, (q, d) in enumerate(pairs)]
                return [answer({"data": rows, "usage": {"prompt_tokens": 5}})]
            case "/predict":
                return [answer([[{"label": "LABEL_0", "score": self.score(one[0])}] for one in body["inputs"]])]
            case "/rerank":
                rows = [{"index": i, "score": self.score(f"{body['query']}|{text}")} for i, text in enumerate(body["texts"])]
                return [answer(sorted(rows, key=lambda row: -row["score"]))]
        return [answer(problem("no such page"), 404)]


async def scored(server: Any, *requests: Request, **settings: Any) -> tuple[list[float], list[Asked], Any]:
    async with RawServer(server) as there, RewardServer(url=there.url, **settings).open() as backend:
        replies = await backend.score(list(requests))
        return [reply.values[0] for reply in replies], there.asked, replies


@pytest.mark.parametrize(
    ("kind", "settings", "path", "expected"),
    [
        ("vllm", {}, "/classify", [-27, -29]),
        ("vllm", {"protocol": "vllm_pooling"}, "/pooling", [-27, -29]),
        ("vllm", {"protocol": "vllm_score"}, "/score", [-11, -13]),
        ("sglang", {}, "/classify", [-12, -14]),
        ("sglang", {"protocol": "v1_classify"}, "/v1/classify", [-12, -14]),
        ("tei", {}, "/predict", [-12, -14]),
        ("tei", {"protocol": "tei_rerank"}, "/rerank", [-11, -13]),
    ],
)
async def test_each_protocol_gives_raw_scores_in_the_order_asked(kind: str, settings: Any, path: str, expected: list[float]) -> None:
    got, asked, _ = await scored(Server(kind), talk("What?", "This."), talk("Why?", "Because."), **settings)
    assert got == expected
    assert {one.path for one in asked if one.method == "POST"} == {path}


async def test_the_server_tells_which_it_is_and_what_it_serves() -> None:
    for kind, told, expected in [
        ("vllm", {}, "rm"),
        ("sglang", {}, "rm#sglang_classify"),
        ("tei", {}, "org/rm#tei_predict"),
        ("tei", {"type": {"reranker": {}}}, "org/rm#tei_rerank"),
    ]:
        async with RawServer(Server(kind, **told)) as there:
            endpoint = RewardServer(url=there.root)
            assert not endpoint.known()
            with pytest.raises(RecipeError, match="not known yet"):
                endpoint.who()
            async with endpoint.open() as backend:
                assert endpoint.who().startswith(expected)
                assert backend.capabilities == (frozenset({"score", "steps"}) if kind == "vllm" else frozenset({"score"}))
                assert endpoint.most_items() == (1 if kind == "vllm" else 32)


async def test_a_server_of_another_kind_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(BackendFatal, match=r"not known to be vLLM.*protocol"):
        await scored(Server("llamacpp"), talk("a", "b"))
    with pytest.raises(BackendFatal, match="cannot tell what it serves"):
        async with RewardServer(url="http://127.0.0.1:9").open():
            pass
    with pytest.raises(BackendFatal, match="not known to be"):
        await scored(Server("tei", type={"embedding": {}}), talk("a", "b"))


async def test_nothing_is_asked_of_a_server_that_the_recipe_describes() -> None:
    async with RawServer(Server()) as there:
        endpoint = RewardServer(url=there.url, name="rm", protocol="vllm_classify")
        assert endpoint.who() == "rm"
        async with endpoint.open():
            pass
        assert not there.asked


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling", "vllm_score", "v1_classify"])
@pytest.mark.parametrize("field", ["use_activation", "activation", "softmax"])
async def test_trap_scores_come_squashed_unless_the_servers_own_field_says_not_to(protocol: Any, field: str) -> None:
    """Older servers know the field by other names and give a sigmoid for one they do not know."""
    got, asked, _ = await scored(Server(raw=field), talk("Q", "A" * 9), talk("Q", "A"), protocol=protocol)
    assert all(value < -1 for value in got)
    again = [one for one in asked if one.method == "POST"]
    assert again[-1].body[field] is False


async def test_trap_a_softmax_over_one_label_is_no_score() -> None:
    squash = {"squashed": lambda value: 1.0, "raw": "unheard_of"}
    with pytest.raises(BackendFatal, match="squashes every score to 1"):
        await scored(Server(**squash), talk("Q", "A"))
    with pytest.raises(BackendFatal, match="sglang_classify"):
        await scored(Server("sglang", **squash), talk("Q", "A"), protocol="v1_classify")


async def test_a_raw_score_between_0_and_1_is_taken_as_it_is() -> None:
    got, *_ = await scored(Server(score=lambda text: 0.25), talk("Q", "A"))
    assert got == [0.25]
    got, *_ = await scored(Server(score=lambda text: 0.25, raw="unheard_of", squashed=lambda value: value), talk("Q", "A"))
    assert got == [0.25]  # a server whose own settings leave scores raw


async def test_trap_two_texts_are_not_one_pair_for_tei() -> None:
    _, asked, _ = await scored(Server("tei"), talk("a", "b"), talk("c", "d"))
    (body,) = [one.body for one in asked if one.path == "/predict"]
    assert body == {"inputs": [["a\n\nb"], ["c\n\nd"]], "raw_scores": True, "truncate": False}


async def test_trap_a_reranker_puts_the_best_first_and_takes_one_question_a_call() -> None:
    got, asked, _ = await scored(Server("tei", type={"reranker": {}}), talk("q", "lon"), talk("other", "x"), talk("q", "l"))
    assert got == [-5, -7, -3]
    assert sorted(len(one.body["texts"]) for one in asked if one.path == "/rerank") == [1, 2]


async def test_older_names_of_a_pair_are_found_and_remembered() -> None:
    async with RawServer(Server(old=True)) as there, RewardServer(url=there.url, protocol="vllm_score").open() as backend:
        for _ in range(2):
            [reply] = await backend.score([talk("q", "a")])
            assert reply.values == (-3,)
        refused = [one for one in there.asked if "queries" in (one.body or {})]
        assert len(refused) == 1


async def test_usage_is_shared_out_and_adds_up() -> None:
    *_, replies = await scored(Server("sglang"), talk("a", "b"), talk("cc", "d"))
    assert sum(reply.usage.prompt_tokens for reply in replies) == len("a\n\nb") + len("cc\n\nd")
    *_, replies = await scored(Server("vllm"), talk("a", "b"))
    assert replies[0].usage.prompt_tokens == 11


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "Q\n\nA"),
        ("chatml", "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"),
        ("llama3", "<|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"),
        ("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}", "[user]Q[assistant]A"),
    ],
)
async def test_templates_for_servers_that_take_texts(template: str, text: str) -> None:
    _, asked, _ = await scored(Server("tei"), talk("Q", "A"), template=template)
    assert asked[-1].body["inputs"] == [[text]]


@pytest.mark.parametrize(
    "template", ["{{ messages.__class__ }}", "{% for a in range(10) %}x{% endfor %}", "{{ secrets }}", "{% include 'x' %}", " "]
)
def test_a_template_is_untrusted(template: str) -> None:
    with pytest.raises(ValidationError):
        RewardServer(url="http://x", template=template)


async def test_another_template_is_another_identity() -> None:
    names = {RewardServer(url="http://x", name="m", protocol="tei_predict", template=one).who() for one in ("plain", "chatml", "llama3")}
    assert len(names) == 3
    assert RewardServer(url="http://y", name="m", protocol="vllm_pooling").who() == "m"


async def test_a_conversation_that_no_template_can_hold_is_rejected() -> None:
    with pytest.raises(Rejected, match=r"grows beyond|more than"):
        await scored(Server("tei"), talk("Q", "A" * 600_000))


async def test_what_the_server_refuses_is_rejected_in_its_own_words() -> None:
    async with RawServer(lambda asked: [answer(problem("maximum context length is 10 tokens"), 400)]) as there:
        with pytest.raises(Rejected, match="maximum context length"):
            async with RewardServer(url=there.url, name="rm", protocol="vllm_classify").open() as backend:
                await backend.score([talk("q", "a")])


@pytest.mark.parametrize("protocol", ["vllm_classify", "sglang_classify", "tei_predict", "tei_rerank", "vllm_pooling"])
async def test_lone_surrogates_are_rejected_not_raised(protocol: Any) -> None:
    with pytest.raises(Rejected):
        await scored(Server("vllm"), talk("q", "\ud800"), protocol=protocol, name="rm")


async def test_t8_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RM_KEY", CANARY)
    async with RawServer(lambda asked: [answer(problem(f"bad key {CANARY}"), 401)]) as there:
        endpoint = RewardServer(url=there.url, name="rm", protocol="tei_predict", api_key_env="RM_KEY")
        async with endpoint.open() as backend:
            with pytest.raises(BackendFatal) as failed:
                await backend.score([talk("q", "a")])
        assert there.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in str(failed.value)
    assert CANARY not in endpoint.model_dump_json()
    with pytest.raises(ValidationError):
        RewardServer(url="http://x", api_key_env=CANARY)
    with pytest.raises(ValidationError):
        RewardServer(url="http://user:pw@x")


async def steps(rows: Any, text: str = "one#two#", **settings: Any) -> tuple[float, ...]:
    server = Server(steps=rows)
    async with RawServer(server) as there, RewardServer(url=there.url, **settings).open() as backend:
        [reply] = await backend.score([talk("q", text, kind="steps", tag="#")])
        return reply.values


async def test_steps_as_the_server_picks_them() -> None:
    assert await steps([[0.9, 0.1], [0.25, 0.75]]) == (0.1, 0.75)
    assert await steps([[0.9, 0.1], [0.25, 0.75]], label=0) == (0.9, 0.25)
    assert await steps([[0.9], [0.25]]) == (0.9, 0.25)


async def test_steps_picked_where_the_tag_stands_among_a_row_a_token() -> None:
    text = "<user>q<assistant>one#two#"
    rows = [[0.0, 1.0]] * len(text)
    rows[text.index("#")], rows[len(text) - 1] = [0.5, 0.5], [1.0, 0.0]
    assert await steps(rows) == (0.5, 0.0)


async def test_steps_as_logits_become_chances() -> None:
    first, second = await steps([[-3.0, 5.0], [800.0, -800.0]])
    assert first == pytest.approx(1 / (1 + math.exp(-8)))
    assert second == 0
    assert await steps([[4.0], [-900.0]]) == (pytest.approx(1 / (1 + math.exp(-4))), 0)


async def test_steps_that_cannot_be_told_apart_are_no_scores() -> None:
    with pytest.raises(BadResponse, match="rows for 2 steps"):
        await steps([[0.5, 0.5]] * 3)
    with pytest.raises(BackendFatal, match="3 labels"):
        await steps([[1.0, 2.0, 3.0]] * 2)
    with pytest.raises(BackendFatal, match="step tag"):
        server = Server(steps=[[0.5, 0.5]] * 3)
        async with RawServer(server) as there, RewardServer(url=there.url).open() as backend:
            await backend.score([talk("q", "one<step>two<step>", kind="steps", tag="<step>")])
    with pytest.raises(BackendFatal, match="only vLLM"):
        await scored(Server("tei"), talk("q", "one#", kind="steps", tag="#"))


def body(value: Any) -> bytes:
    return orjson.dumps(value)


@pytest.mark.parametrize(
    ("protocol", "said", "reason"),
    [
        ("vllm_classify", b'{"data": [{"index": 0, "probs": [NaN]}]}', "bad_number"),
        ("tei_predict", b'[[{"score": NaN}]]', "bad_number"),
        ("tei_predict", b"<html>", "not_json"),
        ("vllm_classify", body({"data": []}), "wrong_n"),
        ("vllm_classify", body({"data": [1]}), "bad_shape"),
        ("vllm_classify", body({"data": [{"index": 0, "probs": []}]}), "bad_shape"),
        ("vllm_classify", body({"data": [{"index": 0, "probs": [None]}]}), "bad_number"),
        ("tei_predict", body([[]]), "bad_shape"),
        ("tei_predict", body([[{"score": "high"}]]), "bad_number"),
        ("sglang_classify", body([{"embedding": [True]}]), "bad_number"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_bad_response(protocol: Any, said: bytes, reason: str) -> None:
    with pytest.raises(BadResponse) as caught:
        read_scores(protocol, said, 1, None)
    assert caught.value.reason == reason


def test_a_classifier_with_several_labels_must_be_told_which_one_counts() -> None:
    several = body({"data": [{"index": 0, "probs": [0.1, 0.9]}]})
    with pytest.raises(BackendFatal, match="2 labels"):
        read_scores("vllm_classify", several, 1, None)
    assert read_scores("vllm_classify", several, 1, 1)[0] == [(0.9,)]
    named = body([[{"label": "good", "score": 3.0}, {"label": "bad", "score": -1.0}]])
    assert read_scores("tei_predict", named, 1, "bad")[0] == [(-1.0,)]
    with pytest.raises(BackendFatal, match="bad, good"):
        read_scores("tei_predict", named, 1, None)


JSON = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-9, 9) | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "index", "probs", "score", "label", "embedding"]), inner, max_size=3), max_leaves=12)  # fmt: skip


@given(JSON, st.sampled_from(["vllm_classify", "vllm_score", "sglang_classify", "tei_predict", "tei_rerank"]))
def test_readers_take_anything(value: Any, protocol: Any) -> None:
    try:
        rows, _ = read_scores(protocol, body(value), 1, 0)
        assert len(rows) == 1
        assert math.isfinite(rows[0][0])
    except (CallError, BackendFatal) as error:
        assert isinstance(error, DatalchemyError)
    with contextlib.suppress(CallError, BackendFatal):
        read_steps(body(value))


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=6))
def test_chances_lie_between_0_and_1(rows: list[tuple[float, float]]) -> None:
    assert all(0 <= value <= 1 for value in chances(rows, None))


async def test_an_answer_in_html_is_worth_another_try() -> None:
    endpoint = RewardServer(url="http://x", name="rm", protocol="tei_predict")
    async with RawServer(lambda asked: [http(200, b"<html>")]) as there, endpoint.model_copy(update={"url": there.url}).open() as backend:
        with pytest.raises(BadResponse) as caught:
            await backend.score([talk("q", "a")])
    assert caught.value.retryable
