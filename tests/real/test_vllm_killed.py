"""A vLLM server dies in the middle of a run (SIGKILL): the run stops in so many words, and the same command completes it."""

from __future__ import annotations

import time

import pytest
from runs import Command
from vllm_server import VllmServer

pytestmark = pytest.mark.real

ENOUGH = 30
"""Stored answers after which the server is killed."""
LIMIT_S = 120


def test_a_killed_server_costs_nothing_but_time(own_server: VllmServer, command: Command) -> None:
    own_server.start()
    words = (
        "cold-start-cot",
        "--model",
        f"{own_server.url}#ember",
        "--target",
        "50",
        "--out",
        "out",
        "--set",
        "models.teacher.patience_s=3",
    )
    running = command.start("run", *words)
    deadline = time.monotonic() + LIMIT_S
    while command.stored() < ENOUGH:
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < deadline, "too slow to be killed in the middle"
        time.sleep(0.1)
    own_server.kill()
    stopped = command.end(running)
    assert stopped.code == 5, stopped.told
    assert stopped.result["status"] == "backend"
    assert "backend down for" in stopped.told
    assert "run the same command" in stopped.told
    assert "Traceback" not in stopped.told
    assert 0 <= stopped.result["accepted"] < 50
    assert all(stage["failed"] == 0 for stage in stopped.result["stages"].values()), stopped.result["reasons"]
    paid = command.stored()
    assert stopped.spent["calls"] == paid >= ENOUGH

    without = command.run(*words)
    assert without.code == 5, "still down: it must say so again"
    assert all(stage["failed"] == 0 for stage in without.result["stages"].values())

    own_server.start()
    ended = command.run(*words)
    assert ended.code == 0, ended.told
    assert (ended.result["status"], ended.result["accepted"], ended.result["counts"]["failed"]) == ("complete", 50, 0)
    rows = command.rows("out")
    assert len({row["id"] for row in rows}) == len(rows) == 50
    assert ended.spent["calls"] == command.stored(), "an answer was paid for that the store already had"
