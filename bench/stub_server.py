"""The stub server itself: routes, slots, counts. `stub_http.py` reads HTTP, `stub_replies.py` says what is answered."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from types import TracebackType
from typing import Any

import orjson

if __package__:
    from . import stub_replies as replies
    from .stub_http import Connection, problem
else:
    import stub_replies as replies
    from stub_http import Connection, problem

MODEL = {"object": "model", "created": 0, "owned_by": "stub", "max_model_len": 8192}


class Job:
    """One question on its way through the slots."""

    __slots__ = ("ask", "connection", "fate", "key", "mark", "number", "service", "started", "timer")

    def __init__(self, connection: Connection, ask: replies.Asked, mark: bytes) -> None:
        self.connection, self.ask, self.mark = connection, ask, mark
        self.key = replies.question(mark, ask.seed)
        self.number = 0
        self.fate = "ok"
        self.service = self.started = 0.0
        self.timer: asyncio.TimerHandle | None = None


class Stub:
    """The server. Without `slots` every answer comes at once; with them, a FIFO queue before that many slots, each busy
    for `ttft + tokens * per_token` seconds an answer. `faults` are shares by name ("429=0.05,drop=0.01", or a mapping),
    `script` the fates of each prompt's first requests ("html,ok"), `poison` the share of prompts that get 500 for ever.
    `wrong`: share of wrong results in reasoning mode. `key`: the bearer token to ask for."""

    def __init__(
        self,
        *,
        slots: int = 0,
        ttft: float = 0.05,
        per_token: float = 0.005,
        tokens: tuple[int, int] = replies.TOKENS,
        faults: dict[str, float] | str = "",
        script: tuple[str, ...] | str = (),
        poison: float = 0,
        seed: int = 1,
        log: str | os.PathLike[str] | None = None,
        key: str | None = None,
        mode: str = "plain",
        wrong: float = 0,
        name: str = "stub",
        retry_after: float = 0.05,
        drip_s: float = 10,
        port: int = 0,
    ) -> None:
        self.slots, self.ttft, self.per_token, self.tokens = slots, ttft, per_token, tokens
        self.voice = replies.Voice(name, tokens, mode == "reasoning", wrong)
        self.plan = replies.Plan(faults, poison, script, seed)
        self.key, self.name, self.port = key, name, port
        self.retry_after, self.drip_s = retry_after, drip_s
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if log else None
        self.lines: list[str] = []
        self.connections: set[Connection] = set()
        self.queue: deque[Job] = deque()
        self.free = slots
        self.open = 0
        self.reset()

    def reset(self) -> None:
        """Forget all counts (and each prompt's request number); requests under way go on."""
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.marks: dict[str, bytes] = {}
        self.requests = 0
        self.slot_busy_s = 0.0
        self.first_in: float | None = None
        self.last_out: float | None = None
        self.peak_open = self.open

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """As a recipe wants it, with /v1."""
        return f"{self.root}/v1"

    async def __aenter__(self) -> Stub:
        self.loop = asyncio.get_running_loop()
        self.server = await self.loop.create_server(lambda: Connection(self), "127.0.0.1", self.port, backlog=2048)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        await self.server.wait_closed()
        self.flush()
        if self.log is not None:
            os.close(self.log)
            self.log = None

    def stats(self) -> dict[str, Any]:
        """Counts since the start or the last reset; times are seconds of CLOCK_MONOTONIC, comparable across processes."""
        self.flush()
        least = [self.plan.least(mark) for mark in self.marks.values()]
        span = (self.last_out or 0) - (self.first_in or 0)
        return {
            "requests": self.requests,
            "prompts": len(self.asked),
            "answers": self.answered.total(),
            "repeats": self.answered.total() - len(self.answered),
            "outcomes": dict(self.outcomes),
            "least": sum(n for n in least if n),
            "never_heal": least.count(None),
            "slot_busy_s": self.slot_busy_s,
            "first_request_in": self.first_in,
            "last_answer_out": self.last_out,
            "open": self.open,
            "peak_open": self.peak_open,
            "utilisation": self.slot_busy_s / self.slots / span if self.slots and span > 0 else None,
        }

    def route(self, connection: Connection, method: bytes, path: bytes, head: bytes, body: bytes) -> None:
        """One request; a completion becomes a Job, everything else is answered here."""
        path = path.partition(b"?")[0]
        if path in (b"/v1/chat/completions", b"/v1/completions") and method == b"POST":
            self.question(connection, path == b"/v1/chat/completions", head, body)
        elif path == b"/v1/models":
            if self.allowed(head):
                connection.send(200, orjson.dumps({"object": "list", "data": [{**MODEL, "id": self.name}]}))
            else:
                connection.send(401, problem("bad key", "invalid_api_key"))
        elif path == b"/stats":
            connection.send(200, orjson.dumps(self.stats()))
        elif path == b"/reset" and method == b"POST":
            self.reset()
            connection.send(200, b"{}")
        else:
            connection.send(404, problem(f"no route {path.decode('latin-1')}"))

    def question(self, connection: Connection, chat: bool, head: bytes, body: bytes) -> None:
        """Answer at once what needs no slot; queue the rest."""
        try:
            raw = orjson.loads(body)
            ask = replies.asked(raw, chat)
            model = raw["model"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            connection.send(400, problem(f"bad request: {error!r}"))
            return
        if not self.allowed(head):
            connection.send(401, problem("bad key", "invalid_api_key"))
            return
        if model != self.name:
            connection.send(404, problem(f"the model {model} does not exist", "model_not_found"))
            return
        job = Job(connection, ask, replies.digest(ask.text))
        connection.job = job
        self.count(job)
        job.fate = self.plan.fate(job.mark, job.number)
        if not self.slots or job.fate not in replies.SAMPLED:
            self.settle(job)
        elif self.free:
            self.start(job)
        else:
            self.queue.append(job)

    def count(self, job: Job) -> None:
        if self.first_in is None:
            self.first_in = time.monotonic()
        self.marks.setdefault(job.key, job.mark)
        job.number = self.asked[job.key]
        self.asked[job.key] += 1
        self.requests += 1
        self.open += 1
        self.peak_open = max(self.peak_open, self.open)

    def start(self, job: Job) -> None:
        self.free -= 1
        job.service = self.ttft + self.per_token * replies.length(job.mark, self.tokens)
        job.started = self.loop.time()
        job.timer = self.loop.call_later(job.service, self.finish, job)

    def finish(self, job: Job) -> None:
        self.slot_busy_s += job.service
        job.timer = None
        self.settle(job)
        self.leave_slot()

    def leave_slot(self) -> None:
        self.free += 1
        while self.queue:
            job = self.queue.popleft()
            if job.connection.job is job:
                self.start(job)
                return

    def gone(self, job: Job) -> None:
        """The client hung up before its answer."""
        job.connection.job = None
        self.record(job, job.fate if job.fate in replies.STUCK else "gone")
        if job.timer is not None:
            job.timer.cancel()
            self.slot_busy_s += self.loop.time() - job.started
            self.leave_slot()

    def record(self, job: Job, outcome: str) -> None:
        now = time.monotonic()
        self.open -= 1
        self.outcomes[outcome] += 1
        if outcome in replies.ANSWERED:
            self.last_out = now
            self.answered[job.key] += 1
        if self.log is not None:
            self.lines.append(f"{now:.6f} {job.key} {outcome}\n")
            if len(self.lines) == 1:
                self.loop.call_later(0.02, self.flush)

    def flush(self) -> None:
        """Hand the log's lines to the operating system."""
        if self.log is not None and self.lines:
            os.write(self.log, "".join(self.lines).encode())
            self.lines.clear()

    def settle(self, job: Job) -> None:
        """Write what this request's fate says; a stuck one stays open until the client leaves."""
        connection, fate = job.connection, job.fate
        if fate in replies.STUCK:
            self.stick(connection, fate)
            return
        connection.done()
        self.record(job, fate)
        if fate == "ok":
            connection.send(200, self.voice.body(job.ask, job.mark, job.key, job.number))
        elif fate == "drop":
            connection.transport.close()
        elif fate.isdigit():
            wait = b"Retry-After: %g\r\n" % self.retry_after if fate in ("429", "503") else b""
            connection.send(int(fate), problem(f"stub fault {fate}"), more=wait)
        else:
            body = self.voice.body(job.ask, job.mark, job.key, job.number)
            if fate == "cut":
                connection.send_cut(body)
            else:
                connection.send(200, replies.spoiled(fate, body), b"text/html" if fate == "html" else b"application/json")

    def stick(self, connection: Connection, fate: str) -> None:
        if fate == "huge":
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.flood = True
            connection.pour()
        elif fate == "drip":
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
            connection.drip(b" " * 100_000, self.drip_s)

    def allowed(self, head: bytes) -> bool:
        return self.key is None or f" {self.key}\r\n".encode() in head
