"""Promises P10-P12, P14, P20, P21 of a run, each with what would break it."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.errors import StorageError
from datalchemy.core.part import Filter, Tools
from datalchemy.core.record import Record, Verdict
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.store import ResponseStore


def script(body: str) -> list[str]:
    """A session in a process of its own: `body` sees `data`, the mapping of a small recipe, and `run`."""
    head = """
    import os, sys
    from datalchemy.engine.recipe import Recipe
    from datalchemy.engine.run import run
    out, n = sys.argv[1], int(sys.argv[2])
    data = {
        "name": "child",
        "models": {"teacher": {"use": "scripted", "mode": "echo", "max_in_flight": 64}},
        "seeds": {"inline": ["x" * 200 + f" question {i}" for i in range(n)]},
        "generate": [{"use": "answer", "model": "teacher"}],
        "output": {"dir": out},
        "checks": {"sample": 0},
    }
    """
    return [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)]


def test_p10_a_full_disk_stops_cleanly_and_resumes(kit: Any, home: Path) -> None:
    """Files may not grow past 400 kB: the run stops with advice; with room again it goes on and pays no answer twice."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    body = """
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    from datalchemy.core.errors import StorageError
    try:
        print(run(Recipe.build(data)).status)
    except StorageError as error:
        print(error)
        sys.exit(77)
    """
    seeds = kit.out.with_name("seeds.jsonl")
    seeds.write_text("".join(f'{{"prompt": "{"x" * 200} question {i}"}}\n' for i in range(6000)))
    command = [*script(f"data['seeds'] = {{'path': {str(seeds)!r}}}\n" + textwrap.dedent(body)), str(kit.out), "1"]
    full = subprocess.run(command, preexec_fn=small, capture_output=True, text=True, timeout=120)
    assert full.returncode == 77, full.stderr
    assert "free some disk space" in full.stdout
    paid = ResponseStore().open().stats()["responses"]
    assert paid > 0
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "complete", done.stderr
    assert len(kit.dataset()) == 6000
    assert ResponseStore().open().stats()["responses"] == 6000


@pytest.mark.parametrize("seed", range(3))
def test_p11_a_damaged_ledger_is_rebuilt_from_the_store(kit: Any, seed: int) -> None:
    """Flip bytes anywhere in the ledger: the next run ends with the same data, and pays for nothing."""
    print(f"seed {seed}")
    kit.run(kit.recipe(seeds=30, target=20))
    before = kit.dataset()
    path = kit.out / ".run" / "ledger.db"
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    body = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for _ in range(20):
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    path.write_bytes(body)
    recipe = kit.recipe(seeds=30, target=20)
    result = kit.run(recipe)
    assert result.status == "complete"
    assert sum(kit.calls(recipe).values()) == 0
    newest = max((folder for folder in kit.out.parent.glob("out*")), key=lambda folder: folder.stat().st_mtime)
    assert kit.dataset(newest) == before


@pytest.mark.parametrize("seed", range(4))
def test_p11_a_damaged_store_costs_only_the_damaged_answers(kit: Any, home: Path, seed: int) -> None:
    print(f"seed {seed}")
    kit.run(kit.recipe(seeds=200, out=kit.out))
    before = [row["messages"] for row in kit.dataset()]
    path = home / "responses.db"
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    body = bytearray(path.read_bytes())
    rng = random.Random(seed)
    page = 4096 * rng.randrange(0 if seed == 0 else 1, len(body) // 4096)
    for _ in range(30):
        body[page + rng.randrange(4096)] ^= 0xFF
    path.write_bytes(body)
    shutil.rmtree(kit.out)
    recipe = kit.recipe(seeds=200)
    assert kit.run(recipe).accepted == 200
    assert [row["messages"] for row in kit.dataset()] == before
    assert sum(kit.calls(recipe).values()) < 200, "the readable answers are kept"


def test_p12_the_wall_clock_decides_nothing(kit: Any, tmp_path: Path, fresh_home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, order and durations stand when the wall clock jumps by years (1970, 2038, back and forth)."""
    kit.run(kit.recipe(seeds=30, filters=["exact"]))
    fresh_home()
    jumps = iter(range(10**9))
    moments = [0.0, 2**31 + 5.0, 86_400.0, 4e9]
    monkeypatch.setattr(time, "time", lambda: moments[next(jumps) % 4])
    result = kit.run(kit.recipe(seeds=30, filters=["exact"], out=tmp_path / "jumpy", budget={"hours": 1}))
    assert result.status == "complete"
    assert 0 <= result.spent.seconds < 100
    assert [row["id"] for row in kit.dataset(tmp_path / "jumpy")] == [row["id"] for row in kit.dataset()]


SCORER = """
from contextlib import asynccontextmanager
from datalchemy.core.part import Filter
from datalchemy.core.record import Verdict

class Scorer(Filter):
    kind: str = "nan"

    @asynccontextmanager
    async def open(self, tools):
        async def judge(records):
            if self.kind == "too many":
                return [Verdict(by="s", outcome="keep")] * (len(records) + 1)
            if self.kind == "raises":
                raise KeyError("boom")
            score = {"nan": float("nan"), "inf": float("inf"), "fine": 0.5}[self.kind]
            return [Verdict(by="s", outcome="keep", score=score) for _ in records]
        yield judge
"""


@pytest.mark.parametrize(
    ("kind", "reason"), [("nan", "bad_score"), ("inf", "bad_score"), ("too many", "bad_count"), ("raises", "filter_error"), ("fine", "")]
)
def test_p14_a_bad_score_never_enters_an_artefact(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    package = f"p14_{kind.replace(' ', '_')}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "scorer.py").write_text(SCORER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DATALCHEMY_PLUGINS", package)
    result = kit.run(kit.recipe(seeds=5, filters=[{"use": f"{package}.scorer", "kind": kind}]))
    assert result.accepted == (5 if kind == "fine" else 0)
    assert all(row.reason.startswith(reason) for row in kit.rows("failed"))
    assert result.counts.failed == (0 if kind == "fine" else 5)


class Heaviest(Filter):
    """A closing filter: of records with the same first letter of the answer it keeps the one with the greatest text."""

    closing = True

    @asynccontextmanager
    async def open(self, tools: Tools) -> AsyncIterator[Callable[[Sequence[Record]], Any]]:  # type: ignore[override]
        async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
            best: dict[str, str] = {}
            for record in records:
                text = record.messages[-1].text
                best[text[0]] = max(best.get(text[0], ""), text)
            return [
                Verdict(
                    by="heaviest",
                    outcome="keep" if best[r.messages[-1].text[0]] == r.messages[-1].text else "refuse",
                    reason="lighter: than its twin",
                )
                for r in records
            ]

        yield judge


@pytest.mark.parametrize("concurrency", [1, 16])
def test_closing_filters_reopen_the_run_until_n_remain(kit: Any, tmp_path: Path, fresh_home: Any, concurrency: int) -> None:
    """Ten survivors are wanted where each of 16 first letters leaves one: more than ten seeds are needed, the same ones at any speed."""
    recipe = kit.recipe(seeds=200, target=10, filters=[Heaviest()], teacher={"mode": "digest", "max_in_flight": concurrency})
    result = kit.run(recipe)
    rows = kit.dataset()
    assert (result.status, result.accepted, len(rows)) == ("complete", 10, 10)
    assert len({row["messages"][-1]["content"][0] for row in rows}) == 10
    refused = [row for row in kit.rows("refused") if row.filter == Heaviest.part_name()]
    assert refused
    if concurrency == 16:
        fresh_home()
        other = kit.recipe(
            seeds=200, target=10, filters=[Heaviest()], teacher={"mode": "digest", "max_in_flight": 2}, out=tmp_path / "slow"
        )
        kit.run(other)
        assert [row["id"] for row in kit.dataset(tmp_path / "slow")] == [row["id"] for row in rows]


def test_p20_a_seed_that_kills_the_process_is_put_aside(kit: Any) -> None:
    """The process dies of one seed three times (a native crash in a filter); then that seed fails, and only that one."""
    body = """
    from contextlib import asynccontextmanager
    from datalchemy.core.part import Check
    class Crash(Check):
        def check(self, record):
            if record.prompt.endswith(" question 17"):
                os.abort()
            return self.kept()
    print(run(Recipe.build({**data, "filters": [Crash()]})).counts)
    """
    codes = []
    for _ in range(5):
        ended = subprocess.run([*script(body), str(kit.out), "60"], capture_output=True, text=True, timeout=60)
        codes.append(ended.returncode)
        if ended.returncode == 0:
            break
    assert codes == [-6, -6, -6, 0], ended.stderr
    (failed,) = kit.rows("failed")
    assert failed.reason.startswith("process_death")
    assert len(kit.dataset()) == 59


def test_p20_a_kill_from_outside_blames_no_seed_for_long(kit: Any) -> None:
    """Control: killed three times at random moments, no seed is put aside."""
    for _ in range(3):
        process = subprocess.Popen(
            [
                *script("run(Recipe.build({**data, 'models': {'teacher': {**data['models']['teacher'], 'latency_s': 0.05}}}))"),
                str(kit.out),
                "400",
            ]
        )
        time.sleep(1.0)
        process.kill()
        process.wait()
    ended = subprocess.run([*script("run(Recipe.build(data))"), str(kit.out), "400"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert kit.rows("failed") == []


def test_p21_memory_does_not_grow_with_the_number_of_records(kit: Any, tmp_path: Path) -> None:
    """Peak resident memory of the main process at 6,000 and at 24,000 records (through a file: inline seeds are in the recipe)."""

    def peak(n: int) -> int:
        """In kB. VmHWM, as ru_maxrss survives exec and would show the size of pytest."""
        body = """
        import tempfile
        path = os.path.join(tempfile.mkdtemp(dir=os.path.dirname(out)), "seeds.jsonl")
        with open(path, "w") as file:
            file.writelines('{"prompt": "%s question %d"}\\n' % ("x" * 200, i) for i in range(int(sys.argv[3])))
        run(Recipe.build({**data, "seeds": {"path": path}, "filters": ["exact"]}))
        print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
        """
        command = [*script(body), str(tmp_path / f"memory{n}"), "1", str(n)]
        return int(subprocess.run(command, capture_output=True, text=True, timeout=240, check=True, env={**os.environ}).stdout)

    small, large = peak(6_000), peak(24_000)  # the windows are full at both
    assert small < 130_000
    assert large - small < 12_000, "growing with the records (kB)"


def test_a_slow_filter_throttles_the_source(kit: Any) -> None:
    """Bounded everywhere: while a filter is stuck, seeds are not launched without end."""

    class Stuck(Filter):
        @asynccontextmanager
        async def open(self, tools: Tools) -> AsyncIterator[Callable[[Sequence[Record]], Any]]:  # type: ignore[override]
            async def judge(records: Sequence[Record]) -> Sequence[Verdict]:
                await asyncio.sleep(0.02)
                return [Verdict(by="stuck", outcome="keep") for _ in records]

            yield judge

    most = 0

    def watch(snapshot: Any) -> None:
        nonlocal most
        most = max(most, snapshot.counts.pending)

    kit.run(kit.recipe(seeds=3000, filters=[Stuck()], teacher={"max_in_flight": 16}), watch=watch)
    assert 0 < most <= 2 * 16


def test_a_store_that_cannot_be_opened_says_what_to_do(kit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match="DATALCHEMY_HOME"):
        kit.run(kit.recipe())


def test_prune_keeps_what_an_unfinished_run_needs(kit: Any, home: Path) -> None:
    kit.run(kit.recipe(seeds=20, target=30))  # seeds_exhausted: unfinished
    store = ResponseStore().open()
    assert store.prune(unused_days=0) == 0
    kit.run(kit.recipe(seeds=20, target=10))
    assert store.prune(unused_days=0) == 20


def test_the_store_is_private(kit: Any, home: Path) -> None:
    kit.run(kit.recipe(seeds=2))
    assert (home / "responses.db").stat().st_mode & 0o077 == 0
    assert home.stat().st_mode & 0o077 == 0
    assert (kit.out / ".run" / "ledger.db").stat().st_mode & 0o077 == 0


def test_answers_cut_by_length_can_be_asked_again(kit: Any, tmp_path: Path) -> None:
    cut = {"mode": "echo", "sampling": {"max_tokens": 3}}
    kit.run(kit.recipe(seeds=3, teacher=cut))
    again = kit.recipe(seeds=3, teacher=cut, out=tmp_path / "b", reuse={"exclude": ["length"]})
    kit.run(again)
    assert sum(kit.calls(again).values()) == 3
    resumed = kit.recipe(seeds=3, teacher=cut, out=tmp_path / "b", reuse={"exclude": ["length"]}, filters=["exact"])
    kit.run(resumed, resume="never")


def test_files_that_are_not_a_runs_are_not_touched(kit: Any) -> None:
    from datalchemy.core.errors import ResumeError

    (kit.out / "data").mkdir(parents=True)
    (kit.out / "data" / "precious.csv").write_text("mine")
    with pytest.raises(ResumeError, match="not a run's"):
        kit.run(kit.recipe())
    assert (kit.out / "data" / "precious.csv").read_text() == "mine"


def odd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> dict[str, Any]:
    """A strategy of a third party's; `body` is its `generate`."""
    package = f"odd{abs(hash(body)) % 10**9}"
    (tmp_path / package).mkdir()
    head = "import asyncio\nfrom datalchemy.core.part import Generator\nfrom datalchemy.core.record import user, assistant\nfrom datalchemy.core.errors import Refused\n"
    source = f"{head}class Odd(Generator):\n    model: str\n    async def generate(self, seed, tools):\n{textwrap.indent(textwrap.dedent(body), ' ' * 8)}\n"
    (tmp_path / package / "part.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DATALCHEMY_PLUGINS", package)
    return {"use": f"{package}.part", "model": "teacher"}


REPLY = "reply = await tools.model('teacher').chat(seed.messages, path='x')\n"
YIELD = "yield seed.derive('odd', [*seed.messages, assistant(reply.text)], replies=[reply])\n"
ODD = {
    "cancels a call": "if seed.prompt.endswith('3'):\n    await asyncio.wait_for(tools.model('teacher').chat(seed.messages, path='y'), 0.001)\n"
    + REPLY
    + YIELD,
    "raises CancelledError": "if seed.prompt.endswith('3'):\n    raise asyncio.CancelledError\n" + REPLY + YIELD,
    "ends the process": "if seed.prompt.endswith('3'):\n    raise SystemExit(3)\n" + REPLY + YIELD,
    "detail that is no JSON": REPLY
    + "yield seed.derive('odd', [*seed.messages, assistant(reply.text)], replies=[reply], odd=object() if seed.prompt.endswith('3') else 1)\n",
    "a lone surrogate": REPLY
    + "yield seed.derive('odd', [*seed.messages, assistant('\\ud800' if seed.prompt.endswith('3') else reply.text)], replies=[reply])\n",
    "no record": REPLY
    + "yield None if seed.prompt.endswith('3') else seed.derive('odd', [*seed.messages, assistant(reply.text)], replies=[reply])\n",
    "a whole number as score": REPLY + "if seed.prompt.endswith('3'):\n    raise Refused('bad', 'x', score=1)\n" + YIELD,
}


UNSEEN = """
tools_ = [{'parameters': object()}] if seed.prompt.endswith('3') else []
from datalchemy.core.record import Conversation
yield seed.derive('odd', Conversation(messages=(*seed.messages, assistant(reply.text)), tools=tools_), replies=[reply])
"""


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_an_odd_strategy_costs_its_own_candidates_and_no_others(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    recipe = kit.recipe(seeds=40, generate=[odd(monkeypatch, tmp_path, body)], teacher={"mode": "digest", "latency_s": 0.01})
    result = kit.run(recipe)
    assert (result.status, result.accepted, result.counts.pending) == ("complete", 36, 0)
    assert result.counts.failed + result.counts.refused == 4
    assert len(kit.dataset()) == 36


@pytest.mark.parametrize("body", [ODD["a lone surrogate"], REPLY + UNSEEN], ids=["a lone surrogate", "a tool that is no JSON"])
def test_a_filter_that_raises_costs_the_record_it_raised_on_whatever_was_judged_with_it(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Also where that record cannot be written as it is."""
    strategy = odd(monkeypatch, tmp_path, body)
    package = strategy["use"].partition(".")[0]
    source = """
    from contextlib import asynccontextmanager
    from datalchemy.core.part import Filter
    from datalchemy.core.record import Verdict
    class Fragile(Filter):
        batch = 8
        @asynccontextmanager
        async def open(self, tools):
            async def judge(records):
                for record in records:
                    record.model_dump_json()
                return [Verdict(by="fragile", outcome="keep") for _ in records]
            yield judge
    """
    (tmp_path / package / "fragile.py").write_text(textwrap.dedent(source))
    recipe = kit.recipe(seeds=40, generate=[strategy], teacher={"mode": "digest", "latency_s": 0.01}, filters=[f"{package}.fragile"])
    result = kit.run(recipe)
    assert (result.status, result.accepted, result.counts.failed, result.counts.pending) == ("complete", 36, 4, 0)


def test_a_budget_counts_what_was_paid_before_a_kill(kit: Any, home: Path) -> None:
    """Killed again and again within the half second between two notes of the totals: the sum of all sessions keeps the budget."""
    body = """
    data["models"]["teacher"].update(latency_s=0.01, sampling={"max_tokens": 300})
    print(run(Recipe.build({**data, "budget": {"tokens": 40000}})).status)
    """
    for _ in range(4):
        subprocess.run(
            [*script(body), str(kit.out), "1500"], capture_output=True, env={**os.environ, "DATALCHEMY_CRASH_AT": "25"}, timeout=60
        )
    last = subprocess.run([*script(body), str(kit.out), "1500"], capture_output=True, text=True, timeout=60)
    assert last.stdout.strip() == "budget", last.stderr
    (paid,) = [model["prompt_tokens"] + model["completion_tokens"] for model in ResponseStore().open().stats()["models"]]
    assert paid <= 40000


@pytest.mark.parametrize("candidates", [8, 10, 16, 100])
def test_the_budget_of_candidates_is_a_ceiling(kit: Any, candidates: int) -> None:
    generate = [{"use": "answer", "model": "teacher", "samples": 8}]
    result = kit.run(kit.recipe(seeds=50, generate=generate, budget={"candidates": candidates}))
    assert result.counts.started == candidates // 8 * 8
    assert result.status == "budget"


def test_the_same_filter_twice_judges_twice(kit: Any) -> None:
    """Also where a strategy has judged with the first one."""
    generate = [{"use": "cot", "model": "teacher", "rollouts": 1, "verify": "length"}]
    twice = [{"use": "length", "answer": {"min_chars": 1}}, {"use": "length", "answer": {"min_chars": 1000}}]
    result = kit.run(kit.recipe(seeds=5, generate=generate, filters=twice, teacher={"mode": "think"}))
    assert result.accepted == 0
    assert {row.filter for row in kit.rows("refused")} == {"length#2"}


def test_a_display_that_fails_does_not_cost_the_dataset(kit: Any) -> None:
    def broken(snapshot: Any) -> None:
        raise BrokenPipeError

    assert kit.run(kit.recipe(seeds=5), watch=broken).accepted == 5
    assert len(kit.dataset()) == 5


def test_stopping_a_run_that_waits_for_a_dead_server_ends_at_once(kit: Any) -> None:
    """Nothing is in flight, so there is nothing to finish; the patience (five minutes) is not sat out."""
    import socket

    from datalchemy.engine.run import arun

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    recipe = kit.recipe(seeds=5)
    model = {"use": "http", "url": f"http://127.0.0.1:{port}/v1", "name": "nobody", "max_in_flight": 2}
    recipe = Recipe.build({**recipe.model_dump(mode="json"), "models": {"teacher": model}})
    states: list[str] = []

    async def stopped() -> Any:
        stop = asyncio.Event()

        def watch(snapshot: Any) -> None:
            states.append(snapshot.state)
            if snapshot.state.startswith("paused"):
                stop.set()

        return await asyncio.wait_for(arun(recipe, watch=watch, stop=stop), 60)

    result = asyncio.run(stopped())
    assert (result.status, result.exit_code) == ("interrupted", 130)
    assert any(f"127.0.0.1:{port}" in state and "patience_s" in state for state in states)
    assert kit.rows() == []


def test_missing_reference_answers_pause_the_run_and_name_the_setting(kit: Any) -> None:
    generate = [{"use": "cot", "model": "teacher", "rollouts": 1}]
    result = kit.run(kit.recipe(seeds=100, generate=generate, filters=["math_answer"], teacher={"mode": "think"}, checks={"sample": 20}))
    assert (result.status, result.exit_code) == ("paused", 2)
    assert "seeds.fields" in result.message


def test_what_was_moved_aside_is_told(kit: Any) -> None:
    kit.run(kit.recipe(seeds=3))
    assert "out.1" in kit.run(kit.recipe(seeds=3, filters=["exact"])).message


def test_load_dataset_sees_an_extended_set(kit: Any, tmp_path: Path) -> None:
    """`datasets` caches by the card's words: they change with the content."""
    kit.run(kit.recipe(seeds=20, target=4))
    code = "import datasets, sys; print(len(datasets.load_dataset(sys.argv[1], split='train', cache_dir=sys.argv[2])))"

    def loaded() -> int:
        command = [sys.executable, "-c", code, str(kit.out), str(tmp_path / "cache")]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}).stdout)

    assert loaded() == 4
    kit.run(kit.recipe(seeds=20, target=9))
    assert loaded() == 9
