"""The stub server's HTTP/1.1: hand-written, because a framework would cost more CPU than the client that is measured."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Protocol

import orjson


class Handler(Protocol):
    """What a connection needs of its server."""

    connections: set[Connection]

    def route(self, connection: Connection, method: bytes, path: bytes, head: bytes, body: bytes) -> None: ...

    def gone(self, job: Any) -> None: ...


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time; further ones wait in the buffer."""

    def __init__(self, stub: Handler) -> None:
        self.stub = stub
        self.buffer = b""
        self.job: Any = None
        self.transport: asyncio.Transport
        self.flood = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.stub.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.stub.connections.discard(self)
        self.flood = False
        if self.job is not None:
            self.stub.gone(self.job)

    def resume_writing(self) -> None:
        self.pour()

    def pause_writing(self) -> None:
        return

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        while self.job is None and self.buffer and self.take():
            pass

    def take(self) -> bool:
        """Handle the first request in the buffer; False where it is not whole yet."""
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n") + 4
        if end == 3:
            return False
        head = buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            stop = end + int(head[at + 17 : head.index(b"\r\n", at + 2)])
            if len(buffer) < stop:
                return False
            body = buffer[end:stop]
        elif b"\r\ntransfer-encoding: chunked" in head:
            whole = unchunk(buffer, end)
            if whole is None:
                return False
            body, stop = whole
        else:
            body, stop = b"", end
        self.buffer = buffer[stop:]
        method, path, _ = buffer[: buffer.index(b"\r\n")].split(b" ", 2)
        self.stub.route(self, method, path, buffer[:end], body)
        return True

    def send(self, status: int, body: bytes, kind: bytes = b"application/json", more: bytes = b"") -> None:
        head = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
        self.transport.write(head % (status, HTTPStatus(status).phrase.encode(), kind, len(body), more) + body)

    def send_cut(self, body: bytes) -> None:
        """Half of the body that the head promises, then the end of the connection."""
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        self.transport.write(body[: len(body) // 2])
        self.transport.close()

    def done(self) -> None:
        """The answer is written: go on with what the buffer holds."""
        self.job = None
        if self.buffer:
            asyncio.get_running_loop().call_soon(self.data_received, b"")

    def pour(self) -> None:
        """Feed an endless body as fast as the client reads it."""
        if self.flood and not self.transport.is_closing():
            self.transport.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            if self.transport.get_write_buffer_size() == 0:
                asyncio.get_running_loop().call_soon(self.pour)

    def drip(self, body: bytes, every_s: float) -> None:
        """One byte of the body now, the rest later."""
        if body and not self.transport.is_closing():
            self.transport.write(body[:1])
            asyncio.get_running_loop().call_later(every_s, self.drip, body[1:], every_s)


def unchunk(buffer: bytes, at: int) -> tuple[bytes, int] | None:
    """Body and end of a chunked message whose first chunk starts at `at`; None where it is not whole yet."""
    pieces: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(buffer[at:line].partition(b";")[0], 16)
        at = line + 2
        if len(buffer) < at + size + 2:
            return None
        if size == 0:
            stop = at + 2 if buffer[at : at + 2] == b"\r\n" else buffer.find(b"\r\n\r\n", at) + 4
            return (b"".join(pieces), stop) if stop > 3 else None
        pieces.append(buffer[at : at + size])
        at += size + 2


def problem(message: str, code: str | None = None) -> bytes:
    """An error as OpenAI-compatible servers word it."""
    return orjson.dumps({"error": {"message": message, "type": "stub_error", "param": None, "code": code}})
