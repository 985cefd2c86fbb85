"""`mode: batch` against a local service of Files and Batches: gathered, submitted once, followed, read; and what goes wrong there."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from batch_server import BatchServer, Made
from contract import CHECKS, asking
from datalchemy.backends import _batches
from datalchemy.backends._batch_following import OutOfPatience
from datalchemy.backends._guard import Guard
from datalchemy.backends.openai import OpenAI
from datalchemy.core.backend import Reply, Sampling
from datalchemy.core.endpoint import Deadlines
from datalchemy.core.errors import BackendFatal, CallError, DeadlineExceeded, Rejected
from openai_calls import hosted_answer
from raw_server import chat, problem

QUICK: dict[str, Any] = {"mode": "batch", "linger_s": 0.1, "poll_s": 0.05, "attempts": 4, "patience_s": 5}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-CANARY-0123456789")
    return tmp_path


def endpoint(server: BatchServer, **settings: Any) -> OpenAI:
    return OpenAI(**{"name": "m", "url": server.url, **QUICK, **settings})


@asynccontextmanager
async def guarded(server: BatchServer, **settings: Any) -> AsyncIterator[Guard]:
    """As the engine asks."""
    at = endpoint(server, **settings)
    async with at.open() as backend:
        yield Guard(backend, at, rng=Random(1))


async def texts(guard: Guard, count: int, first: int = 0) -> list[str]:
    replies = await asyncio.gather(*(guard.send(asking(f"q{i}"), seed=i) for i in range(first, first + count)))
    return [reply.text for [reply] in replies]


def wanted(count: int, first: int = 0) -> list[str]:
    return [f"{f'q{i}'[::-1]} {i}" for i in range(first, first + count)]


def held(home: Path) -> int:
    """Calls in the journal."""
    with sqlite3.connect(home / "batches" / "journal.db") as db:
        return int(db.execute("SELECT count(*) FROM calls").fetchone()[0])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check) -> None:
    async with BatchServer() as server, endpoint(server).open() as backend:
        await check(backend)


async def test_calls_go_out_in_one_batch_and_each_gets_its_own_answer() -> None:
    async with BatchServer(looks=3) as server, guarded(server) as guard:
        assert await texts(guard, 200) == wanted(200)
        assert server.sizes == [200]
        assert server.events == ["upload", "create", "look", "look", "look", "look", "content"]
        assert set(server.log.values()) == {1}
        assert server.batches["batch_0"].metadata.keys() == {"datalchemy"}


async def test_a_full_batch_goes_at_once_and_the_rest_when_nobody_joins() -> None:
    async with BatchServer() as server, guarded(server, batch_size=30) as guard:
        assert await texts(guard, 100) == wanted(100)
        assert sorted(server.sizes) == [10, 30, 30, 30]


async def test_a_batch_is_kept_below_the_size_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batches, "MOST_BYTES", 10_000)
    async with BatchServer() as server, guarded(server) as guard:
        assert await texts(guard, 100) == wanted(100)
        assert len(server.sizes) > 1
        assert all(len(content) <= 10_000 for content in server.files.values())


async def test_texts_count_as_requests_in_batches_of_embeddings() -> None:
    async with BatchServer() as server, guarded(server, batch_size=10) as guard:
        vectors = await asyncio.gather(*(guard.embed([f"{i}{j}" for j in range(4)]) for i in range(6)))
        assert [len(rows) for rows in vectors] == [4] * 6
        assert server.sizes == [2, 2, 2]
        assert {made.endpoint for made in server.batches.values()} == {"/v1/embeddings"}


async def test_a_trickle_of_calls_does_not_hold_a_batch_back_for_ever() -> None:
    async with BatchServer() as server, guarded(server) as guard:
        calls = []
        for i in range(60):
            calls.append(asyncio.ensure_future(guard.send(asking(f"q{i}"), seed=i)))
            await asyncio.sleep(0.04)
        await asyncio.gather(*calls)
        assert len(server.sizes) > 1


async def test_deadlines_of_calls_do_not_cut_a_batch() -> None:
    brief = Deadlines(connect_s=1, first_byte_s=0.5, idle_s=0.5, total_s=0.5)
    async with BatchServer(looks=8) as server, guarded(server, deadlines=brief, poll_s=0.1, attempts=1) as guard:
        started = time.monotonic()
        assert await texts(guard, 3) == wanted(3)
        assert time.monotonic() - started > 0.5


async def test_expired_requests_are_sent_again_and_finished_ones_kept() -> None:
    async with BatchServer(expire=0.4) as server, guarded(server) as guard:
        assert await texts(guard, 60) == wanted(60)
        assert len(server.sizes) == 2
        assert server.sizes[0] == 60
        assert 5 < server.sizes[1] < 55
        assert sum(server.log.values()) == 60
        assert guard.faults == {"batch_expired": server.sizes[1]}


async def test_a_batch_that_expires_whole_is_no_dead_server() -> None:
    """As failures of a server, 64 of them would open the breaker: one call at a time, a day each."""
    async with BatchServer(expire=1.0) as server, guarded(server) as guard:
        assert await texts(guard, 64) == wanted(64)
        assert server.sizes == [64, 64]


@pytest.mark.parametrize("status", [500, 429])
async def test_requests_that_fail_in_a_batch_are_tried_again_in_the_next(status: int) -> None:
    once: set[str] = set()

    def refuse(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        text = body["messages"][0]["content"]
        return None if text in once else once.add(text) or (status, problem("later"))  # type: ignore[func-returns-value]

    async with BatchServer(refuse=refuse) as server, guarded(server) as guard:
        assert await texts(guard, 64) == wanted(64)
        assert server.sizes == [64, 64]
        assert guard.limit == 10_000


async def test_each_request_fails_for_itself() -> None:
    def refuse(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        return (400, problem("no odd ones")) if int(body["messages"][0]["content"][1:]) % 2 else None

    async with BatchServer(refuse=refuse) as server, guarded(server) as guard:
        ended = await asyncio.gather(*(guard.send(asking(f"q{i}"), seed=i) for i in range(10)), return_exceptions=True)
    assert [isinstance(end, list) for end in ended] == [True, False] * 5
    assert {str(end) for end in ended if isinstance(end, Exception)} == {"400: no odd ones"}
    assert all(isinstance(end, Rejected) for end in ended[1::2])


@pytest.mark.parametrize(("status", "code"), [(404, "model_not_found"), (429, "insufficient_quota"), (401, None)])
async def test_what_no_call_can_survive_stops_the_run_and_is_asked_anew_once_it_is_mended(
    status: int, code: str | None, home: Path
) -> None:
    broken = True
    refuse = lambda body: (status, problem("no", code)) if broken else None  # noqa: E731
    async with BatchServer(refuse=refuse) as server:
        async with guarded(server) as guard:
            with pytest.raises(BackendFatal):
                await texts(guard, 3)
        broken = False
        async with guarded(server) as guard:
            assert await texts(guard, 3) == wanted(3)


async def test_an_answer_that_cannot_be_read_is_asked_for_again_and_not_read_again() -> None:
    asked: list[str] = []

    def answer(path: str, body: Any) -> dict[str, Any]:
        asked.append(body["messages"][0]["content"])
        return chat(None) if asked.count(asked[-1]) == 1 else hosted_answer(path, body)

    async with BatchServer(answer=answer) as server, guarded(server) as guard:
        assert await texts(guard, 5) == wanted(5)
        assert guard.faults == {"null_content": 5}


async def test_a_refusal_in_a_batch() -> None:
    async with BatchServer(answer=lambda path, body: chat(None, refusal="no")) as server, guarded(server) as guard:
        [reply] = await guard.send(asking("q"), seed=1)
        assert (reply.text, reply.finish_reason) == ("no", "content_filter")


async def test_a_lost_answer_to_the_submission_costs_no_second_batch() -> None:
    async with BatchServer() as server, guarded(server) as guard:
        server.faults.append(("create", None))
        assert await texts(guard, 20) == wanted(20)
        assert server.sizes == [20]
        assert server.events.count("create") == 1


async def test_control_a_submission_that_failed_is_made_again() -> None:
    async with BatchServer() as server, guarded(server) as guard:
        server.faults += [("upload", 503), ("create", 503), ("look", 500), ("look", None), ("content", None)]
        assert await texts(guard, 20) == wanted(20)
        assert server.sizes == [20]
        assert server.events.count("create") == 2
        assert sum(server.log.values()) == 20


async def test_the_server_restarts_meanwhile() -> None:
    server = BatchServer(looks=3)
    async with server, guarded(server) as guard:
        calls = asyncio.ensure_future(texts(guard, 20))
        while "look" not in server.events:
            await asyncio.sleep(0.01)
        await server.__aexit__()
        await asyncio.sleep(0.5)
        await server.__aenter__()
        assert await calls == wanted(20)
    assert sum(server.log.values()) == 20


async def test_an_aborted_run_leaves_its_batch_and_the_next_one_waits_for_it() -> None:
    async with BatchServer(looks=2) as server:
        async with guarded(server) as guard:
            calls = asyncio.ensure_future(texts(guard, 20))
            while "create" not in server.events:
                await asyncio.sleep(0.01)
            calls.cancel()
            await asyncio.gather(calls, return_exceptions=True)
        async with guarded(server) as guard:
            assert await texts(guard, 30) == wanted(30)
        assert server.sizes == [20, 10]
        assert set(server.log.values()) == {1}


async def test_calls_that_were_only_gathered_are_dropped_when_a_run_is_aborted() -> None:
    async with BatchServer() as server:
        async with guarded(server, linger_s=60) as guard:
            calls = asyncio.ensure_future(texts(guard, 20))
            await asyncio.sleep(0.1)
            calls.cancel()
            await asyncio.gather(calls, return_exceptions=True)
        assert server.events == []


async def test_when_patience_ends_nothing_is_lost(home: Path) -> None:
    server = BatchServer(looks=2)
    async with server:
        async with guarded(server, patience_s=1.5) as guard:
            calls = asyncio.ensure_future(texts(guard, 20))
            while "look" not in server.events:
                await asyncio.sleep(0.01)
            await server.__aexit__()
            with pytest.raises(OutOfPatience, match="what was submitted goes on"):
                await calls
        assert held(home) == 20
        await server.__aenter__()
        async with guarded(server) as guard:
            assert await texts(guard, 20) == wanted(20)
        assert server.sizes == [20]


async def test_two_runs_at_once_share_what_one_of_them_submitted() -> None:
    async with BatchServer(looks=3) as server, guarded(server) as one, guarded(server) as two:
        first, second = await asyncio.gather(texts(one, 20), texts(two, 20, first=10))
        assert (first, second) == (wanted(20), wanted(20, first=10))
        assert set(server.log.values()) == {1}


async def test_two_keys_of_one_account_share_and_two_accounts_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "sk-other")
    async with BatchServer(looks=3) as server:
        for settings, batches in (({}, 1), ({"api_key_env": "OTHER"}, 1), ({"project": "p2"}, 2)):
            async with guarded(server, **settings) as guard:
                calls = asyncio.ensure_future(texts(guard, 3))
                while len(server.batches) < batches or server.events[-1] != "look":
                    await asyncio.sleep(0.01)
                calls.cancel()
                await asyncio.gather(calls, return_exceptions=True)
            assert len(server.batches) == batches


async def test_what_was_handed_over_is_forgotten_and_may_be_asked_again(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Else `reuse: {exclude: [length]}` would be given the same cut answer for ever."""
    monkeypatch.setattr(_batches, "SETTLING_S", 0.0)
    async with BatchServer() as server:
        async with guarded(server) as guard:
            await texts(guard, 5)
        assert held(home) == 0
        async with guarded(server) as guard:
            assert await texts(guard, 5) == wanted(5)
        assert server.sizes == [5, 5]


async def test_control_an_answer_that_may_not_be_stored_yet_is_kept(home: Path) -> None:
    async with BatchServer() as server:
        async with guarded(server) as guard:
            await texts(guard, 5)
        assert held(home) == 5
        async with guarded(server) as guard:
            assert await texts(guard, 5) == wanted(5)
        assert server.sizes == [5]


async def test_too_many_tokens_waiting_make_batches_smaller_one_after_another() -> None:
    limit = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}]

    def complain(made: Made) -> list[dict[str, Any]]:
        others = sum(len(m.lines) for m in server.batches.values() if m is not made and m.status in ("validating", "in_progress"))
        return limit if len(made.lines) + others > 20 else []

    async with BatchServer(complain=complain) as server, guarded(server) as guard:
        assert await texts(guard, 50) == wanted(50)
        assert (
            max(made_size for made_size, made in zip(server.sizes, server.batches.values(), strict=True) if made.status == "completed")
            <= 20
        )
        assert set(server.log.values()) == {1}


async def test_a_line_at_fault_fails_its_own_call() -> None:
    def complain(made: Made) -> list[dict[str, Any]]:
        at = [i for i, line in enumerate(made.lines) if line["body"]["messages"][0]["content"] == "q3"]
        return [{"code": "invalid_value", "message": "q3 is wrong", "line": at[0] + 1}] if at else []

    async with BatchServer(complain=complain) as server, guarded(server) as guard:
        ended = await asyncio.gather(*(guard.send(asking(f"q{i}"), seed=i) for i in range(8)), return_exceptions=True)
        assert [i for i, end in enumerate(ended) if isinstance(end, Rejected)] == [3]
        assert sum(isinstance(end, list) for end in ended) == 7
        assert server.sizes == [8, 7]


@pytest.mark.parametrize("code", ["billing_hard_limit_reached", "anything_else"])
async def test_a_batch_that_is_refused_whole_stops_the_run(code: str, home: Path) -> None:
    async with BatchServer(complain=lambda made: [{"code": code, "message": "no\x1b"}]) as server, guarded(server) as guard:
        with pytest.raises(BackendFatal, match=f"refuses the batch: {code}: no"):
            await texts(guard, 3)
        assert held(home) == 0


@pytest.mark.parametrize(("event", "status"), [("upload", 400), ("create", 400), ("upload", 401)])
async def test_a_submission_that_is_refused_stops_the_run(event: str, status: int, home: Path) -> None:
    async with BatchServer() as server, guarded(server) as guard:
        server.faults.append((event, status))
        with pytest.raises(BackendFatal):
            await texts(guard, 3)
        assert held(home) == 0


async def test_a_batch_that_is_gone_is_not_paid_for_again_unasked(home: Path) -> None:
    async def aborted() -> None:
        async with guarded(server) as guard:
            calls = asyncio.ensure_future(texts(guard, 3))
            while server.events[-1:] != ["look"]:
                await asyncio.sleep(0.01)
            calls.cancel()
            await asyncio.gather(calls, return_exceptions=True)

    async with BatchServer(looks=99) as server:
        await aborted()
        server.batches["batch_0"].id, server.looks = "elsewhere", 1
        server.batches = {"elsewhere": server.batches["batch_0"]}
        async with guarded(server) as guard:
            with pytest.raises(BackendFatal, match=r"holds 3 of the calls.* cannot be found with the key in \$OPENAI_API_KEY.*journal\.db"):
                await texts(guard, 3)
        assert held(home) == 3
        with sqlite3.connect(home / "batches" / "journal.db") as db:
            db.execute("UPDATE batches SET created = created - 30 * 86400")
        async with guarded(server) as guard:
            assert await texts(guard, 3) == wanted(3)


async def test_hostile_results_are_typed() -> None:
    """Lines that are no JSON, name nobody, or hold no answer; an answer of another shape."""
    async with BatchServer() as server, endpoint(server).open() as backend:
        work = server._work

        def spoil(made: Made) -> None:
            work(made)
            rows: Any = made.output
            rows[0] |= {"response": None, "error": None}
            rows[1] |= {"response": {"status_code": "200", "body": {}}}
            rows[2]["response"]["body"] = [1]
            rows[3]["custom_id"] = {"a": 1}
            rows[4] = "text"
            rows[5]["response"]["body"] = {"choices": [{"message": {"content": "\x00" * 100_000}}]}

        server._work = spoil  # type: ignore[method-assign]
        ended = await asyncio.gather(*(backend.send(asking(f"q{i}"), seed=i) for i in range(8)), return_exceptions=True)
    kinds = sorted(end.reason if isinstance(end, CallError) else type(end).__name__ for end in ended)
    assert kinds == ["bad_shape", "batch_item", "batch_item", "batch_missing", "batch_missing", "list", "list", "list"]
    assert not any(isinstance(end, DeadlineExceeded) for end in ended)


async def test_t8_the_key_stays_out_of_what_is_written_down(home: Path) -> None:
    async with BatchServer() as server, guarded(server) as guard:
        await texts(guard, 3)
        assert server.keys == {"Bearer sk-CANARY-0123456789"}
        assert not any(b"CANARY" in content for content in server.files.values())
    for path in (home / "batches").iterdir():
        assert b"CANARY" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


async def test_n_samples_and_seeds_are_calls_of_their_own() -> None:
    async with BatchServer() as server, guarded(server) as guard:
        replies: list[list[Reply]] = await asyncio.gather(
            guard.send(asking("q", Sampling(temperature=1)), seed=1),
            guard.send(asking("q", Sampling(temperature=1)), seed=2),
            guard.send(asking("q", Sampling(temperature=1)), seed=1, n=3),
            guard.send(asking("q", Sampling(temperature=1)), seed=1),
        )
    assert [[reply.text for reply in row] for row in replies] == [["q 1"], ["q 2"], ["q 1"] * 3, ["q 1"]]
    assert server.sizes == [3]
