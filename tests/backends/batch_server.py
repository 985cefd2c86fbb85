"""A local service that speaks Files and Batches in the shape of OpenAI's, and fails in the ways that a test asks for.

It is one object that lives in the test's process: a client (or the whole run) can be killed and started again while what
was submitted goes on. `log` has a line for each request that was answered, which is what would have been paid for.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web
from openai_calls import hosted_answer

Hook = Callable[[str], None]


@dataclass
class Made:
    """One batch."""

    id: str
    file: str
    endpoint: str
    metadata: dict[str, str]
    created: float
    lines: list[dict[str, Any]]
    looks: int = 0
    status: str = "validating"
    output: list[dict[str, Any]] | None = None
    errors: list[dict[str, Any]] | None = None
    complaints: list[dict[str, Any]] = field(default_factory=list)


class BatchServer:
    """`expire`, `break_`: shares of requests that are expired and answered with 500, the first time that they are asked."""

    def __init__(
        self,
        *,
        looks: int = 1,
        expire: float = 0.0,
        break_: float = 0.0,
        refuse: Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None] = lambda body: None,
        complain: Callable[[Made], list[dict[str, Any]]] = lambda made: [],
        answer: Callable[[str, Any], dict[str, Any]] = hosted_answer,
        seed: int = 0,
    ) -> None:
        self.looks, self.expire, self.break_ = looks, expire, break_
        self.refuse, self.complain, self.answer = refuse, complain, answer
        self.rng = Random(seed)
        self.log: Counter[str] = Counter()
        """How often each request (by its body) was answered, or failed on its own account."""
        self.seen: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Made] = {}
        self.events: list[str] = []
        """`upload`, `create`, `look`, `list`, `content`: in the order in which they were asked."""
        self.on: dict[str, Hook] = {}
        """Called after such a request took effect and before it is answered."""
        self.faults: list[tuple[str, int | None]] = []
        """(event, status): the next such request is answered with it; None: the connection is cut, after it took effect."""
        self.keys: set[str] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def sizes(self) -> list[int]:
        return [len(made.lines) for made in self.batches.values()]

    async def __aenter__(self) -> BatchServer:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{id}/content", self.content)
        app.router.add_post("/v1/batches", self.create)
        app.router.add_get("/v1/batches", self.list)
        app.router.add_get("/v1/batches/{id}", self.look)
        app.router.add_get("/v1/models", self.models)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.runner.cleanup()

    def _done(self, event: str, request: web.Request, body: Any) -> web.StreamResponse:
        """The answer, or the fault that is due instead."""
        self.events.append(event)
        self.keys.add(request.headers.get("Authorization", ""))
        if event in self.on:
            self.on[event](event)
        for fault in self.faults:
            if fault[0] == event:
                self.faults.remove(fault)
                if fault[1] is None:
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
                return web.json_response({"error": {"message": "a fault", "code": None}}, status=fault[1])
        return web.json_response(body)

    def _due(self, event: str) -> bool:
        """Whether a request of this kind is to be refused before it has an effect."""
        return any(name == event and status is not None for name, status in self.faults)

    async def models(self, request: web.Request) -> web.StreamResponse:
        return self._done("models", request, {"data": [{"id": "m"}]})

    async def upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["purpose"] == "batch"
        sent = form["file"]
        assert isinstance(sent, web.FileField)
        id_ = f"file-{len(self.files)}"
        if not self._due("upload"):
            self.files[id_] = sent.file.read()
        return self._done("upload", request, {"id": id_, "object": "file", "purpose": "batch"})

    async def create(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if self._due("create"):
            return self._done("create", request, {})
        assert asked["completion_window"] == "24h"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert len({line["custom_id"] for line in lines}) == len(lines)
        assert all(line["url"] == asked["endpoint"] and line["method"] == "POST" for line in lines)
        id_ = f"batch_{len(self.batches)}"
        made = Made(id_, asked["input_file_id"], asked["endpoint"], asked.get("metadata") or {}, time.time(), lines)
        self.batches[id_] = made
        return self._done("create", request, self._row(made))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """Newest first, two a page."""
        rows = [self._row(made) for made in self.batches.values()][::-1]
        after = request.query.get("after")
        start = next((i + 1 for i, row in enumerate(rows) if row["id"] == after), 0)
        page = rows[start : start + 2]
        return self._done("list", request, {"object": "list", "data": page, "has_more": start + 2 < len(rows)})

    async def look(self, request: web.Request) -> web.StreamResponse:
        made = self.batches.get(request.match_info["id"])
        if made is None:
            return web.json_response({"error": {"message": "No such batch", "code": None}}, status=404)
        made.looks += 1
        if made.looks > self.looks and made.status in ("validating", "in_progress", "finalizing"):
            self._work(made)
        elif made.status == "validating":
            made.status = "in_progress"
        return self._done("look", request, self._row(made))

    async def content(self, request: web.Request) -> web.StreamResponse:
        kind, _, id_ = request.match_info["id"].partition("-")
        made = self.batches.get(id_)
        rows = made and (made.output if kind == "out" else made.errors)
        if rows is None:
            return web.json_response({"error": {"message": "No such File object", "code": None}}, status=404)
        self.events.append("content")
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        response = web.StreamResponse()
        response.content_length = len(text)
        await response.prepare(request)
        await response.write(text[: len(text) // 2])
        if "content" in self.on:
            self.on["content"]("content")
        if ("content", None) in self.faults:
            self.faults.remove(("content", None))
            assert request.transport is not None
            await asyncio.sleep(0.05)
            request.transport.abort()
            return response
        await response.write(text[len(text) // 2 :])
        return response

    def _work(self, made: Made) -> None:
        """All of a batch's requests at once."""
        made.complaints = self.complain(made)
        if made.complaints:
            made.status = "failed"
            return
        made.output, made.errors, made.status = [], [], "completed"
        for line in made.lines:
            key = json.dumps(line["body"], sort_keys=True)
            fresh = key not in self.seen
            self.seen.add(key)
            row = {"id": f"r{len(self.log)}", "custom_id": line["custom_id"], "response": None, "error": None}
            if fresh and self.rng.random() < self.expire:
                made.status = "expired"
                made.errors.append({**row, "error": {"code": "batch_expired", "message": "This request could not be executed"}})
                continue
            if fresh and self.rng.random() < self.break_:
                made.errors.append({**row, "response": {"status_code": 500, "body": {"error": {"message": "oops"}}}})
                continue
            self.log[key] += 1
            refused = self.refuse(line["body"])
            if refused is not None:
                made.errors.append({**row, "response": {"status_code": refused[0], "body": refused[1]}})
                continue
            made.output.append({**row, "response": {"status_code": 200, "body": self.answer(line["url"], line["body"])}})
        self.rng.shuffle(made.output)

    def _row(self, made: Made) -> dict[str, Any]:
        return {
            "id": made.id,
            "object": "batch",
            "endpoint": made.endpoint,
            "errors": {"object": "list", "data": made.complaints} if made.complaints else None,
            "input_file_id": made.file,
            "completion_window": "24h",
            "status": made.status,
            "output_file_id": f"out-{made.id}" if made.output else None,
            "error_file_id": f"err-{made.id}" if made.errors else None,
            "created_at": int(made.created),
            "metadata": made.metadata,
        }

    def paid(self) -> Counter[str]:
        """The last message of each request that was answered, with how often."""
        found: Counter[str] = Counter()
        for body, count in self.log.items():
            asked = json.loads(body)
            found[asked["messages"][-1]["content"] if "messages" in asked else str(asked.get("input") or asked.get("prompt"))] += count
        return found


def numbers(texts: Sequence[str]) -> list[int]:
    return [int(found[0]) for text in texts if (found := re.search(r"\d+", text))]
