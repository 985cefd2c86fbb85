"""Whole runs through the Batch API: several stages, money, and SIGKILL at every step of a batch: what was submitted is paid once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from batch_server import BatchServer
from openai_calls import hosted_answer

MODEL = {"use": "openai", "name": "m", "mode": "batch", "linger_s": 0.3, "poll_s": 0.1, "price": {"input": 1000, "output": 2000}}
PROGRAM = "from datalchemy.service.cli import main; main()"


def short(path: str, body: Any) -> dict[str, Any]:
    """An answer to each prompt that the next stage can ask with."""
    made = hosted_answer(path, body)
    made["choices"][0]["message"]["content"] = f"<{body['messages'][-1]['content']}>"
    return made


def recipe(folder: Path, server: BatchServer, *, stages: int = 1, seeds: int = 40, **fields: Any) -> Path:
    later = [{"use": "answer", "model": "teacher", "source": "response"}] * (stages - 1)
    data = {
        "name": "test",
        "models": {"teacher": {**MODEL, "url": server.url}},
        "seeds": {"inline": [f"question {i}" for i in range(seeds)]},
        "generate": [{"use": "answer", "model": "teacher"}, *later],
        "checks": {"sample": 0},
        **fields,
    }
    path = folder / "recipe.json"
    path.write_text(json.dumps(data))
    return path


async def run(folder: Path, at: Path, kill: list[asyncio.subprocess.Process] | None = None, *more: str) -> tuple[int, dict[str, Any]]:
    """One process of the program; its exit status and its report."""
    env = {**os.environ, "DATALCHEMY_HOME": str(folder / "home"), "OPENAI_API_KEY": "sk-test-key"}
    command = [sys.executable, "-c", PROGRAM, "run", str(at), "--out", str(folder / "out"), "--json", *more]
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    if kill is not None:
        kill.append(process)
    said, wrong = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode in (0, 3, -signal.SIGKILL), wrong.decode()
    last = said.decode().strip().splitlines()[-1:] or ["{}"]
    return process.returncode, json.loads(last[0])


def answers(folder: Path) -> list[str]:
    import pyarrow.parquet as pq

    rows = [row for path in sorted((folder / "out" / "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return sorted(row["messages"][-1]["content"] for row in rows)


async def test_stages_become_successive_batches_at_half_the_price(tmp_path: Path) -> None:
    async with BatchServer(answer=short) as server:
        status, report = await run(tmp_path, recipe(tmp_path, server, stages=3))
    assert status == 0
    assert server.sizes == [40, 40, 40]
    assert answers(tmp_path) == sorted(f"<<<question {i}>>>" for i in range(40))
    assert set(server.log.values()) == {1}
    usage = report["spent"]
    assert usage["dollars"] == pytest.approx(0.5 * (120 * 3 * 1000 + 120 * 5 * 2000) / 1e6)


async def test_a_target_is_reached_over_several_batches(tmp_path: Path) -> None:
    """Every other answer is refused; what is missing is asked for in further batches."""

    def answer(path: str, body: Any) -> dict[str, Any]:
        made = short(path, body)
        if int(body["messages"][-1]["content"].split()[-1]) % 2:
            made["choices"][0]["message"]["content"] = ""
        return made

    async with BatchServer(answer=answer) as server:
        at = recipe(tmp_path, server, seeds=100, target=30, filters=[{"use": "length", "answer": {"min_chars": 1}}])
        status, report = await run(tmp_path, at)
    assert (status, report["accepted"]) == (0, 30)
    assert len(server.sizes) > 1
    assert set(server.log.values()) == {1}


async def test_a_budget_of_candidates_sends_no_seed_alone_through_a_batch(tmp_path: Path) -> None:
    async with BatchServer(answer=short) as server:
        status, _ = await run(tmp_path, recipe(tmp_path, server, stages=2, seeds=100, budget={"candidates": 30}))
    assert status == 3
    assert server.sizes[0] == 15, "each seed gives two candidates at most"
    assert sum(server.sizes) == 30


@pytest.mark.parametrize("event", ["upload", "create", "look", "content"])
async def test_a_run_that_is_killed_in_the_middle_of_a_batch_pays_for_each_request_once(event: str, tmp_path: Path) -> None:
    """The service has taken the request (or sent half of the results) when the run dies of SIGKILL."""
    processes: list[asyncio.subprocess.Process] = []

    def kill(event: str) -> None:
        if len(processes) == 1 and processes[0].returncode is None:
            os.kill(processes[0].pid, signal.SIGKILL)

    async with BatchServer(answer=short, looks=2) as server:
        server.on[event] = kill
        at = recipe(tmp_path, server, stages=2)
        assert (await run(tmp_path, at, processes))[0] == -signal.SIGKILL
        before = len(server.batches)
        assert before == (0 if event == "upload" else 1)
        assert (await run(tmp_path, at, processes))[0] == 0
    assert server.sizes == [40, 40]
    assert answers(tmp_path) == sorted(f"<<question {i}>>" for i in range(40))
    assert Counter(server.log.values()) == {1: 80}


async def test_control_without_the_journal_the_killed_run_pays_twice(tmp_path: Path) -> None:
    processes: list[asyncio.subprocess.Process] = []

    def kill(event: str) -> None:
        if len(processes) == 1 and processes[0].returncode is None:
            os.kill(processes[0].pid, signal.SIGKILL)

    async with BatchServer(answer=short, looks=2) as server:
        server.on["look"] = kill
        at = recipe(tmp_path, server)
        await run(tmp_path, at, processes)
        (tmp_path / "home" / "batches" / "journal.db").unlink()
        server._work(server.batches["batch_0"])
        assert (await run(tmp_path, at, processes))[0] == 0
    assert server.sizes == [40, 40]
    assert Counter(server.log.values()) == {2: 40}


async def test_a_run_that_is_killed_again_and_again(tmp_path: Path) -> None:
    """Each session dies at the next request to the service, whichever that is; some requests expire besides."""
    processes: list[asyncio.subprocess.Process] = []
    deaths = 0

    def kill(event: str) -> None:
        nonlocal deaths
        process = processes[-1]
        if process.returncode is None and deaths < len(processes) <= 5:
            deaths += 1
            os.kill(process.pid, signal.SIGKILL)

    async with BatchServer(answer=short, looks=2, expire=0.2) as server:
        server.on = dict.fromkeys(("upload", "create", "list", "look", "content"), kill)
        at = recipe(tmp_path, server, stages=2)
        for _ in range(20):
            if (await run(tmp_path, at, processes, "--retry-failed"))[0] == 0:  # a seed that was in hand at three deaths counts as failed
                break
    assert deaths >= 4
    assert answers(tmp_path) == sorted(f"<<question {i}>>" for i in range(40))
    assert Counter(server.log.values()) == {1: 80}
