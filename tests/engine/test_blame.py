"""Whose doing the death of a process is: that of the seed whose code ran, never of one that waits for an answer (P20)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from datalchemy.backends.pool import Pool
from datalchemy.engine.outdir import Marker

HEAD = """
import asyncio, os, signal
from contextlib import asynccontextmanager
from datalchemy.core.part import Filter, Generator
from datalchemy.core.record import Verdict, assistant

where, dies = os.environ["WHERE"], os.environ["DIES"]

async def ask(tools, name, messages):
    fresh = os.getpid() if name == "fast" else 0
    reply = await tools.model(name).chat(messages, path=f"{name}{fresh}")
    if dies == name:
        os.kill(os.getpid(), signal.SIGKILL)
    return reply

"""
PARTS = {
    "asks": """
class Asks(Generator):
    model: str
    def needs(self):
        return {name: frozenset({"chat"}) for name in ("fast", "slow")}
    async def generate(self, seed, tools):
        print("asked", flush=True)
        names = {"strategy": ["slow"], "straggler": ["fast", "slow"], "filter": []}[where]
        await asyncio.gather(*(ask(tools, name, seed.messages) for name in names))
        yield seed.derive("asks", [*seed.messages, assistant("8")])
""",
    "judges": """
class Judges(Filter):
    @asynccontextmanager
    async def open(self, tools):
        async def judge(records):
            if where == "filter":
                await ask(tools, "slow", records[0].messages)
            return [Verdict(by="judges", outcome="keep") for _ in records]
        yield judge
""",
}
CHILD = """
import sys
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
echo = {"use": "scripted", "mode": "echo"}
print(run(Recipe.build({
    "name": "child",
    "models": {"fast": {**echo, "latency_s": 0.2}, "slow": {**echo, "latency_s": float(sys.argv[2])}},
    "seeds": {"inline": ["What is 5 + 3?"]},
    "generate": [{"use": "blamed.asks", "model": "slow"}],
    "filters": ["blamed.judges"],
    "output": {"dir": sys.argv[1]},
    "checks": {"sample": 0},
})).counts)
"""
PLACES = ("strategy", "straggler", "filter")


@pytest.fixture(autouse=True)
def blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy and a filter of a third party's, for the processes."""
    (tmp_path / "blamed").mkdir()
    for name, body in PARTS.items():
        (tmp_path / "blamed" / f"{name}.py").write_text(HEAD + body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DATALCHEMY_PLUGINS", "blamed")


def child(out: Path, where: str, seconds: float = 0, dies: str = "") -> subprocess.Popen[str]:
    """A session in a process of its own: its slow model takes `seconds`, and it kills itself behind the answer of `dies`."""
    command = [sys.executable, "-c", CHILD, str(out), str(seconds)]
    environment = {**os.environ, "WHERE": where, "DIES": dies}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("where", PLACES)
def test_p20_a_kill_while_an_answer_is_awaited_blames_no_seed(where: str, kit: Any) -> None:
    """Of a strategy, of a strategy that has another answer already, of a filter; in batches that takes hours."""
    for _ in range(3):
        process = child(kit.out, where, seconds=60)
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        time.sleep(0.7)
        process.kill()
        process.communicate()
    told, wrong = child(kit.out, where).communicate(timeout=60)
    assert [row.reason for row in kit.rows("failed")] == []
    assert "accepted=1" in told, wrong


@pytest.mark.parametrize(("where", "dies"), [(where, "slow") for where in PLACES] + [("straggler", "fast")])
def test_p20_code_that_kills_the_process_behind_an_answer_is_blamed(where: str, dies: str, kit: Any) -> None:
    """The control: what is done with an answer is the seed's doing, while others are awaited too."""
    for _ in range(3):
        process = child(kit.out, where, seconds=60 if dies == "fast" else 0, dies=dies)
        process.communicate(timeout=60)
        assert process.returncode == -9
    told, wrong = child(kit.out, where, dies=dies).communicate(timeout=60)
    assert "failed=1" in told, wrong
    (failed,) = kit.rows("failed")
    assert failed.reason.startswith("process_death")


async def test_a_seed_is_blamed_again_for_what_it_does_with_an_answer(tmp_path: Path) -> None:
    marker, mapped = Marker(tmp_path / "current"), tmp_path / "current"
    seen: list[int] = []

    def busy() -> int:
        return int.from_bytes(mapped.read_bytes(), "little") - 1

    async def asked(answer: asyncio.Event) -> None:
        with marker.away(7):
            seen.append(busy())
            await answer.wait()
        seen.append(busy())

    answers = asyncio.Event(), asyncio.Event()
    marker.set(7)
    calls = [asyncio.ensure_future(asked(answer)) for answer in answers]
    await asyncio.sleep(0)
    answers[0].set()
    await calls[0]
    await asyncio.sleep(0)
    assert (seen, busy()) == ([-1, -1, 7], -1), "busy with what came, then waiting for the other"
    marker.set(8)
    answers[1].set()
    await calls[1]
    assert (seen[3:], busy()) == ([7], 7)
    with pytest.raises(ValueError, match="no answer"), marker.away():
        assert busy() == -1
        raise ValueError("no answer")
    assert busy() == 7, "an error is the seed's to cope with"
    marker.set(8)
    with marker.away(7):
        assert busy() == 8, "another seed's work goes on"
    marker.close()
    with marker.away(7):
        pass


async def test_a_call_that_is_dropped_blames_nobody(tmp_path: Path) -> None:
    marker = Marker(tmp_path / "current")
    marker.set(7)

    async def asked() -> None:
        with marker.away():
            await asyncio.sleep(60)

    call = asyncio.ensure_future(asked())
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert (tmp_path / "current").read_bytes() == bytes(8)
    marker.close()


def test_models_that_compute_in_this_process_can_bring_it_down() -> None:
    """A crash of theirs is blamed on the seed; the embedded model runs in a process of its own."""
    pool = Pool(endpoints=[{"use": "sentence_transformers", "name": "m"}])
    server = Pool(endpoints=[{"use": "http", "name": "m", "url": "http://a/v1"}, {"use": "embedded"}], identity="m")
    assert (pool.in_process, server.in_process) == (True, False)
