"""`models M`: what a model's server, template and replies tell of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner
from datalchemy.core.backend import Probe, Reasoning, Reply, Request, Usage
from datalchemy.core.endpoint import Endpoint, Price
from datalchemy.core.errors import Rejected
from datalchemy.core.plug import build
from datalchemy.service.cli import cli
from datalchemy.service.commands.models import _rows
from datalchemy.service.modelreport import TOGETHER, family, reasoning, report

Body = dict[str, Any]


@asynccontextmanager
async def server(message: Body, usage: Body, status: int = 200, names: Sequence[str] = ("m",)) -> AsyncIterator[tuple[str, list[Body]]]:
    """An OpenAI-compatible server that always says the same; and what it was asked."""
    asked: list[Body] = []

    async def chat(request: web.Request) -> web.Response:
        asked.append(await request.json())
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        body = {"id": "x", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 20, "completion_tokens": 50, **usage}}
        error = {"error": {"message": f"no such thing for {request.headers.get('Authorization')}"}}
        return web.json_response(body if status == 200 else error, status=status)

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name, "max_model_len": 4096} for name in names]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    async with TestServer(app) as running:
        yield str(running.make_url("/v1")), asked


def endpoint(url: str, **more: Any) -> Endpoint:
    return build("backends", (Endpoint,), {"use": "http", "url": url, "name": "m", **more})


@pytest.mark.parametrize(
    ("message", "usage", "kind"),
    [
        ({"content": "8", "reasoning_content": "12 / 3 * 2"}, {}, "field"),
        ({"content": "8", "reasoning": "12 / 3 * 2"}, {}, "field"),
        ({"content": "<think>hm</think>8"}, {}, "inline"),
        ({"content": "hm</think>8"}, {}, "inline"),
        ({"content": "8"}, {"completion_tokens_details": {"reasoning_tokens": 40}}, "hidden"),
        ({"content": "8"}, {}, "none"),
    ],
)
async def test_reasoning_is_found_by_the_probe(message: Body, usage: Body, kind: str) -> None:
    async with server(message, usage) as (url, asked):
        found = await report(endpoint(url), probe=True)
    assert (found.reachable, found.context, found.reasoning, found.reasoning_by) == (True, 4096, kind, "probe")
    assert [sent["max_tokens"] for sent in asked] == [256, 1] + [256] * TOGETHER
    assert found.speed is not None
    assert found.speed.tokens == 50 * (1 + TOGETHER)
    assert found.speed.alone > 0
    assert found.speed.first_token_s is not None


async def test_without_a_probe_nothing_is_asked() -> None:
    async with server({"content": "8"}, {}) as (url, asked):
        found = await report(endpoint(url), probe=False)
    assert (asked, found.speed, found.reasoning) == ([], None, None)
    assert "chat" in found.capabilities


async def test_the_most_that_it_costs_is_told_before_anything_is_asked() -> None:
    seen: list[tuple[float, int]] = []
    async with server({"content": "8"}, {}) as (url, asked):
        priced = endpoint(url, price={"input": 1.0, "output": 10.0})
        found = await report(priced, probe=True, cost=lambda dollars: seen.append((dollars, len(asked))))
    ((dollars, before),) = seen
    assert before == 0
    assert dollars == pytest.approx((10 * 100 * 1.0 + (9 * 256 + 1) * 10.0) / 1e6)
    assert sum(sent["max_tokens"] for sent in asked) == 9 * 256 + 1
    assert found.price is not None


async def test_a_probe_that_fails_leaves_the_rest() -> None:
    async with server({"content": "8"}, {}, status=404) as (url, _):
        found = await report(endpoint(url), probe=True)
    assert found.reachable
    assert "answers 404" in found.probe_failed
    assert found.speed is None


async def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that quotes the key: it was sent, and it is not in what is told."""
    monkeypatch.setenv("SOME_KEY", "key-0123456789abcdef")
    async with server({}, {}, status=400) as (url, _):
        found = await report(endpoint(url, api_key_env="SOME_KEY"), probe=True)
    assert "no such thing for Bearer ***" in found.probe_failed
    assert "0123456789abcdef" not in found.model_dump_json() + repr(_rows(found))


class Told(Endpoint):
    """A model with a template and an opinion about its reasoning, which answers as `says`."""

    says: Reply = Reply(text="8")
    template: str = ""
    declared: Reasoning | None = None

    @property
    def reasoning_told(self) -> Reasoning | None:
        return self.declared

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        yield self

    def who(self) -> str:
        return "told"

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        if request.sampling.max_tokens == 1:
            raise Rejected("an answer needs more room than that")
        return [self.says]

    async def probe(self) -> Probe:
        return Probe(reachable=True, chat_template=self.template, template_from="server")

    capabilities = frozenset({"chat"})


THINKS = "<|im_start|>assistant\n<think>"


@pytest.mark.parametrize(
    ("template", "declared", "says", "unasked", "asked"),
    [
        ("", None, "8", "None by None", "none (by its probe)"),
        (THINKS, None, "<think>x</think>8", "inline by template", "inline (by its probe, as told)"),
        (THINKS, None, "8", "inline by template", "none (by its probe; told: inline)"),
        (THINKS, "field", "8", "field by settings", "none (by its probe; told: field)"),
        ("", "hidden", "<think>x</think>8", "hidden by settings", "inline (by its probe; told: hidden)"),
    ],
)
async def test_what_is_told_of_reasoning_is_looked_after(template: str, declared: Any, says: str, unasked: str, asked: str) -> None:
    model = Told(template=template, declared=declared, says=Reply(text=says, usage=Usage(completion_tokens=9)))
    found = await report(model, probe=False)
    assert f"{found.reasoning} by {found.reasoning_by}" == unasked
    found = await report(model, probe=True)
    rows = dict(_rows(found))
    assert rows["reasoning"] == asked
    assert found.speed is not None
    assert found.speed.first_token_s is None, "a model that refuses so short an answer is measured all the same"
    assert "first token" not in rows


def test_what_names_and_settings_tell() -> None:
    told = {
        name: build("backends", (Endpoint,), raw).reasoning_told
        for name, raw in {
            "o3": {"use": "openai", "name": "o3"},
            "gpt-4.1": {"use": "openai", "name": "gpt-4.1"},
            "parser": {"use": "vllm_server", "path": "a/b", "reasoning_parser": "qwen3"},
            "plain": {"use": "vllm_server", "path": "a/b"},
            "pool": {"use": "pool", "endpoints": [{"use": "openai", "name": "o3"}, {"use": "openai", "name": "o3", "url": "http://a/v1"}]},
        }.items()
    }
    assert told == {"o3": "hidden", "gpt-4.1": None, "parser": "field", "plain": None, "pool": "hidden"}


def test_a_price_from_a_table_is_shown_and_not_counted_with(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"input_cost_per_token": 1e-6, "output_cost_per_token": 5e-6}
    monkeypatch.setattr("datalchemy.backends._litellm_map.entry", lambda name: row)
    model = build("backends", (Endpoint,), {"use": "litellm", "name": "acme/large"})
    assert (model.listed_price, model.effective_price) == (Price(input=1, output=5), None)


@pytest.mark.parametrize("names", [["m"], ["m", "n"]])
async def test_the_only_model_of_a_server_needs_no_name(names: list[str]) -> None:
    async with server({"content": "8"}, {}, names=names) as (url, asked):
        ended = await asyncio.to_thread(CliRunner().invoke, cli, ["models", url])
    assert ended.exit_code == 0
    assert len(asked) == (2 + TOGETHER if len(names) == 1 else 0)
    assert (f"next: --model {url}#m" in ended.stdout) == (len(names) == 2)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{bos}}<|start_header_id|>user<|end_header_id|>", "Llama 3"), ("<|im_start|>user", "ChatML"), ("<start_of_turn>user", "Gemma"),
        ("<|im_start|>system You are Qwen, made by", "Qwen"), ("{% set ns.multi_step_tool %}<|im_start|>user", "Qwen"), ("You are Qwen", "other"),
        ("[INST] {{ x }} [/INST]", "Mistral"), ("<｜User｜>{{ x }}", "DeepSeek"), ("### Instruction:\n{{ x }}", "Alpaca"), ("{{ x }}", "other"), ("", ""),
    ],
)  # fmt: skip
def test_families_are_known_by_their_markers(template: str, name: str) -> None:
    assert family(template) == name


def test_reasoning_that_is_split_off_counts_before_tags() -> None:
    replies = [Reply(text="<think>x</think>"), Reply(text="8", reasoning="x"), Reply(text="8", usage=Usage(reasoning_tokens=3))]
    assert [reasoning(replies[at:]) for at in range(3)] == ["field", "field", "hidden"]


@pytest.mark.parametrize("options", [(), ("--no-probe",)])
def test_the_embedded_model(options: tuple[str, ...]) -> None:
    call: Callable[..., Any] = CliRunner().invoke
    told = json.loads(call(cli, ["models", "ember", "--json", *options]).stdout)
    assert (told["reachable"], told["server"], told["context"], told["template"]) == (True, "llama.cpp", 1024, "ChatML")
    assert (told["reasoning"] == "inline") == (not options)
    assert list(told) == [
        "reachable", "detail", "server", "models", "context", "capabilities", "template", "template_from", "template_characters",
        "reasoning", "reasoning_by", "reasoning_told", "speed", "price", "probe_failed",
    ]  # fmt: skip
    text = call(cli, ["models", "ember", *options]).stdout
    assert "template      ChatML, 196 characters (GGUF header)" in text
    assert ("tokens/s alone" in text) == (not options)
