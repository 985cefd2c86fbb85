"""A local HTTP server that writes exactly the bytes a test wants, when it wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

CLOSE = None
"""A step that closes the connection."""
Step = bytes | float | None


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class RawServer:
    """`handle(asked)` gives the steps of an answer: bytes to write, seconds to wait, CLOSE."""

    def __init__(self, handle: Callable[[Asked], Sequence[Step]]) -> None:
        self.handle = handle
        self.asked: list[Asked] = []

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    async def __aenter__(self) -> RawServer:
        self.tasks: set[asyncio.Task[None]] = set()
        self.server = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self.serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = Asked(method, path, headers, json.loads(raw) if raw else None)
        self.asked.append(asked)
        for step in self.handle(asked):
            if step is CLOSE:
                return False
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            else:
                await asyncio.sleep(step)
        return True


def http(status: int, body: bytes, headers: str = "", length: int | None = None) -> bytes:
    """One HTTP/1.1 answer."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {size}\r\n{headers}\r\n".encode("latin-1") + body


def answer(value: Any, status: int = 200, headers: str = "") -> bytes:
    return http(status, json.dumps(value).encode(), "Content-Type: application/json\r\n" + headers)


def chat(text: str | None = "hello", n: int = 1, **message: Any) -> dict[str, Any]:
    """A chat completion."""
    choices = [{"index": i, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"} for i in range(n)]
    return {"model": "m", "choices": choices, "usage": {"prompt_tokens": 3, "completion_tokens": 5 * n}}


def problem(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "test_error", "code": code}}
