"""`models M`: what a model's server, template and replies tell of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner
from datalchemy.core.backend import Reply, Usage
from datalchemy.core.endpoint import Endpoint
from datalchemy.core.plug import build
from datalchemy.service.cli import cli
from datalchemy.service.modelreport import TOGETHER, family, reasoning, report

Told = dict[str, Any]


@asynccontextmanager
async def server(message: Told, usage: Told, status: int = 200) -> AsyncIterator[tuple[str, list[Told]]]:
    """An OpenAI-compatible server that always says the same; and what it was asked."""
    asked: list[Told] = []

    async def chat(request: web.Request) -> web.Response:
        asked.append(await request.json())
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        body = {"id": "x", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 20, "completion_tokens": 50, **usage}}
        return web.json_response(body if status == 200 else {"error": {"message": "no such thing"}}, status=status)

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "max_model_len": 4096}]})

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
async def test_reasoning_is_found_by_the_probe(message: Told, usage: Told, kind: str) -> None:
    async with server(message, usage) as (url, asked):
        found = await report(endpoint(url), probe=True)
    assert (found.reachable, found.context, found.reasoning, found.reasoning_by) == (True, 4096, kind, "probe")
    assert len(asked) == 1 + TOGETHER
    assert found.speed is not None
    assert found.speed.tokens == 50 * (1 + TOGETHER)
    assert found.speed.alone > 0


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
    assert dollars == pytest.approx(9 * (100 * 1.0 + 256 * 10.0) / 1e6)
    assert found.price is not None


async def test_a_probe_that_fails_leaves_the_rest() -> None:
    async with server({"content": "8"}, {}, status=404) as (url, _):
        found = await report(endpoint(url), probe=True)
    assert found.reachable
    assert "answers 404" in found.probe_failed
    assert found.speed is None


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{bos}}<|start_header_id|>user<|end_header_id|>", "Llama 3"), ("<|im_start|>user", "ChatML"), ("<start_of_turn>user", "Gemma"),
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
    text = call(cli, ["models", "ember", *options]).stdout
    assert "template      ChatML, " in text
    assert ("tokens/s alone" in text) == (not options)
