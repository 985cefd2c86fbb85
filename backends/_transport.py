"""One HTTP exchange over aiohttp: four deadlines, a cap on the body, and every connection error mapped to one of ours.

No redirects, no proxies from the environment, no cookies, no compression asked for (a body that comes compressed all
the same is capped after decompression).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from ..core.endpoint import Deadlines
from ..core.errors import BackendFatal, BadResponse, CallError, DeadlineExceeded, Disconnected
from ._openai_shape import RAW_CAP, bad

BODY_CAP = 64 * 1024 * 1024
"""Bytes of an answer that are read at most."""


class Answer(NamedTuple):
    """Status, headers (case-insensitive) and the whole body; of an error status at most RAW_CAP bytes of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """A session to one server."""

    def __init__(self, deadlines: Deadlines, headers: dict[str, str]) -> None:
        self._deadlines = deadlines
        self._cap = BODY_CAP
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(
                total=deadlines.total_s,
                connect=deadlines.connect_s,
                sock_connect=deadlines.connect_s,
                sock_read=deadlines.first_byte_s,
            ),
            headers={"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity", **headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._session.close()

    async def ask(self, method: str, url: URL, body: bytes | None = None) -> Answer:
        """Send and read to the end.

        Raises DeadlineExceeded(`connect_deadline` | `first_byte_deadline` | `idle_deadline` | `total_deadline`),
        Disconnected(`connect_failed` | `disconnected`), BadResponse(`cut_body` | `too_large` | `bad_http`), BackendFatal
        (certificate refused).
        """
        pieces: list[bytes] = []
        answered = False
        try:
            async with self._session.request(method, url, data=body, allow_redirects=False) as response:
                answered = True
                whole = await self._read(response, pieces)
                return Answer(response.status, response.headers, whole)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise connection_error(error, self._deadlines, answered=answered, raw=b"".join(pieces)) from error

    async def _read(self, response: aiohttp.ClientResponse, pieces: list[bytes]) -> bytes:
        """The body, capped (of an error: cut at the cap); `pieces` keeps what came, for errors."""
        content, failed = response.content, response.status >= 300
        cap = RAW_CAP if failed else self._cap
        if content.is_eof():
            pieces.append(content.read_nowait())
        else:
            self._wait_for_chunks(response)
            if not failed and (response.content_length or 0) > cap:
                pieces.append(await content.readany())
                response.close()
                raise bad("too_large", f"the server announces {response.content_length} bytes; {cap} are read at most", pieces[0])
        size = len(pieces[0]) if pieces else 0
        while size <= cap and not content.at_eof():
            chunk = await content.readany()
            pieces.append(chunk)
            size += len(chunk)
        if size > cap:
            response.close()
            if not failed:
                raise bad("too_large", f"the body passed {cap} bytes and was cut", b"".join(pieces)[:RAW_CAP])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _wait_for_chunks(self, response: aiohttp.ClientResponse) -> None:
        """The head is here, the body is not whole: from now on the idle deadline counts, not that of the first byte."""
        protocol = response.connection.protocol if response.connection is not None else None
        if protocol is not None and self._deadlines.idle_s != self._deadlines.first_byte_s:
            protocol.read_timeout = self._deadlines.idle_s
            protocol.start_timeout()


def connection_error(error: BaseException, limits: Deadlines, *, answered: bool, raw: bytes) -> CallError | BackendFatal:
    """What an error of aiohttp stands for; `answered`: the head of the answer had come, `raw`: and so much of its body."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return _late("connect_deadline", f"no connection within {limits.connect_s:g} s")
        case aiohttp.SocketTimeoutError() if answered:
            return _late("idle_deadline", f"no further byte within {limits.idle_s:g} s", raw)
        case aiohttp.SocketTimeoutError():
            return _late("first_byte_deadline", f"no answer within {limits.first_byte_s:g} s")
        case TimeoutError():
            return _late("total_deadline", f"not done within {limits.total_s:g} s", raw)
        case aiohttp.ClientConnectorCertificateError():
            return BackendFatal(f"the server's certificate was refused: {error}")
        case aiohttp.ClientConnectorError():
            return Disconnected(f"cannot connect: {error}", reason="connect_failed")
        case aiohttp.ClientPayloadError():
            return bad("cut_body", f"the body broke off: {error}", raw)
        case aiohttp.ClientResponseError():
            return BadResponse(f"bad_http: {str(error.message)[:200]}", reason="bad_http")
        case _:
            if answered:
                return bad("cut_body", f"the connection broke inside the body: {error}", raw)
            return Disconnected(f"the connection broke: {error or type(error).__name__}")


def _late(reason: str, message: str, raw: bytes = b"") -> DeadlineExceeded:
    return DeadlineExceeded(message, reason=reason, raw=raw[:RAW_CAP])
