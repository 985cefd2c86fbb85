"""`python bench/stub.py --selfcheck`: the stub against a plain socket client."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import orjson
import stub_replies as replies
from stub import Stub, expected, number


async def exchange(stub: Stub, raw: bytes, wait_s: float = 5) -> tuple[int, bytes]:
    """Status and body; status 0 where the connection ended before the head or within the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stub.port)
    try:
        async with asyncio.timeout(wait_s):
            writer.write(raw)
            return await response(reader)
    finally:
        writer.close()


async def response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
        return int(head.split()[1]), await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return 0, b""


def post(body: dict[str, Any], path: str = "/v1/chat/completions", key: str = "", chunked: bool = False) -> bytes:
    raw = orjson.dumps({"model": "stub", **body})
    head = f"POST {path} HTTP/1.1\r\nHost: stub\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "")
    if not chunked:
        return f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(raw[at : at + 7]), raw[at : at + 7]) for at in range(0, len(raw), 7))
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


async def check() -> None:
    for part in (check_answers, check_faults, check_least, check_slots, check_stuck):
        await part()
        print(f"{part.__name__}: ok")


async def check_answers() -> None:
    async with Stub(key="secret") as stub:
        for raw in (post(chat("hé"), key="secret"), post(chat("hé"), key="secret", chunked=True)):
            status, body = await exchange(stub, raw)
            assert (status, orjson.loads(body)["choices"][0]["message"]["content"]) == (200, expected("hé"))
        assert (await exchange(stub, post(chat("hé"), key="wrong")))[0] == 401
        assert (await exchange(stub, post(chat("hé", model="other"), key="secret")))[0] == 404
        status, body = await exchange(stub, post({"prompt": [1, 2], "n": 2}, "/v1/completions", "secret"))
        assert [c["text"] for c in orjson.loads(body)["choices"]] == [expected("1 2"), expected("1 2", sample=1)]
        reader, writer = await asyncio.open_connection("127.0.0.1", stub.port)
        writer.write(b"".join(post(chat(f"p{i}"), key="secret") for i in range(20)))
        for i in range(20):
            assert orjson.loads((await response(reader))[1])["choices"][0]["message"]["content"] == expected(f"p{i}")
        writer.close()
        stats = stub.stats()
        assert (stats["requests"], stats["answers"], stats["repeats"], stats["prompts"]) == (23, 23, 1, 22)
    async with Stub(mode="reasoning", wrong=0.5) as stub:
        texts = [
            orjson.loads((await exchange(stub, post(chat("2 and 40", seed=s))))[1])["choices"][0]["message"]["content"] for s in range(40)
        ]
        right = sum(text.endswith(f"\\boxed{{{number('2 and 40')}}}.") for text in texts)
        assert number("2 and 40") == 42
        assert 8 < right < 32
        assert len(set(texts)) == 40


async def check_faults() -> None:
    faults = ("429", "500", "drop", "cut", "badjson", "html", "empty", "null", "nan", "length", "wrongn")
    seen = {}
    for fault in faults:
        async with Stub(script=(fault,)) as stub:
            seen[fault] = await exchange(stub, post(chat("p")))
            assert stub.stats()["outcomes"] == {fault: 1}
            status, body = await exchange(stub, post(chat("p")))
            assert (status, orjson.loads(body)["choices"][0]["finish_reason"]) == (200, "stop")
            assert stub.stats()["least"] == (1 if fault == "length" else 2)
    assert [seen[f][0] for f in faults] == [429, 500, 0, 0, *[200] * 7]
    for fault in ("badjson", "html", "nan"):
        try:
            orjson.loads(seen[fault][1])
        except orjson.JSONDecodeError:
            continue
        raise AssertionError(f"{fault} is good JSON")
    assert orjson.loads(seen["empty"][1])["choices"] == []
    assert len(orjson.loads(seen["wrongn"][1])["choices"]) == 2
    assert orjson.loads(seen["null"][1])["choices"][0]["message"]["content"] is None
    assert orjson.loads(seen["length"][1])["choices"][0]["finish_reason"] == "length"


async def check_least() -> None:
    """A client that asks until it is answered sends exactly the least number; the shares are what was asked for."""
    async with Stub(faults="429=0.05,500=0.05,drop=0.01,cut=0.01,badjson=0.01", poison=0.01) as stub:
        poisoned = 0
        for i in range(1000):
            for attempt in range(30):
                fate = stub.plan.fate(replies.digest(f"p{i}"), attempt)
                status, body = await exchange(stub, post(chat(f"p{i}")))
                if fate == "ok":
                    assert orjson.loads(body)["choices"][0]["message"]["content"] == expected(f"p{i}")
                    break
                assert status == {"429": 429, "500": 500, "badjson": 200}.get(fate, 0)
            else:
                poisoned += 1
        stats = stub.stats()
        assert 3 <= poisoned == stats["never_heal"] <= 20
        assert stats["answers"] == 1000 - poisoned
        assert stats["requests"] == stats["least"] + 30 * poisoned
        healing = Counter(stats["outcomes"])
        healing["500"] -= 30 * poisoned
        assert 0.03 < healing["429"] / 1000 < 0.08
        assert 0.03 < healing["500"] / 1000 < 0.08


async def check_slots() -> None:
    """Four slots, 40 requests at once: the server's own arithmetic, and a client that leaves gives its slot back."""
    async with Stub(slots=4, ttft=0.01, per_token=0.0002) as stub:
        doomed = asyncio.create_task(exchange(stub, post(chat("doomed"))))
        await asyncio.sleep(0.005)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        await asyncio.gather(*(exchange(stub, post(chat(f"p{i}"))) for i in range(40)))
        stats = stub.stats()
        busy = sum(0.01 + 0.0002 * replies.length(replies.digest(f"p{i}")) for i in range(40))
        assert busy <= stats["slot_busy_s"] <= busy + 0.04
        assert (stats["outcomes"], stats["peak_open"], stats["open"], stub.free) == ({"gone": 1, "ok": 40}, 40, 0, 4)
        assert 0.3 < stats["utilisation"] <= 1


async def check_stuck() -> None:
    for fault in replies.STUCK:
        async with Stub(script=(fault,), drip_s=0.01) as stub:
            reader, writer = await asyncio.open_connection("127.0.0.1", stub.port)
            writer.write(post(chat("p")))
            got = 0
            try:
                async with asyncio.timeout(0.3):
                    while got < 1 << 24:
                        got += len(await reader.read(1 << 16))
            except TimeoutError:
                pass
            writer.close()
            await writer.wait_closed()
            assert {"slow": got == 0, "drip": 80 < got < 1000, "huge": got > 1 << 20}[fault], (fault, got)
            assert (await exchange(stub, post(chat("p"))))[0] == 200
