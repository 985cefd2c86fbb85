"""Worker processes: what a hostile task costs (service.md P20), and what a worker can see (T8)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from datalchemy.core.errors import PartError, WorkerFault
from datalchemy.core.workers import WorkerPool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TASKS = """
import os, sys, time, threading
seen = []
def echo(x): return x
def pid(x): return os.getpid()
def environment(x): return dict(os.environ)
def count(x): seen.append(x); return len(seen)
def chatter(x):
    print("not a frame" * 1000); sys.stderr.write("noise" * 1000); sys.stdout.flush()
    os.write(1, b"\\x00\\x00\\x00\\x02{}")
    return x
def reads(x): return sys.stdin.read()
def hang(x): time.sleep(x)
def deaf(x):
    end = time.monotonic() + x
    while time.monotonic() < end:
        try:
            time.sleep(x)
        except BaseException:
            pass
def dies(x): os._exit(3)
def crashes(x): os.kill(os.getpid(), 11)
def bloats(x): return len(bytearray(x))
def raises(x): raise ValueError("no such thing")
def leaves(x): raise SystemExit(0)
def not_json(x): return object()
def mined(x):
    if x:
        threading.Timer(0.05, lambda: os._exit(1)).start()
    else:
        time.sleep(0.15)
    return x
def spawns(path):
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open(path, "w").write(str(child.pid))
    time.sleep(60)
"""


@pytest.fixture(scope="module", autouse=True)
def tasks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "worker_tasks.py").write_text(TASKS)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(processes=1, grace_s=0.3) as made:
        yield made


async def fault(pool: WorkerPool, task: str, argument: object, timeout_s: float = 5) -> WorkerFault:
    with pytest.raises(WorkerFault) as caught:
        await pool.call(f"worker_tasks:{task}", argument, timeout_s=timeout_s)
    return caught.value


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def ends(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_worker_stays_and_starts_only_when_needed(pool: WorkerPool) -> None:
    assert not pool._all
    assert [await pool.call("worker_tasks:count", None, timeout_s=5) for _ in range(3)] == [1, 2, 3]


async def test_a_worker_is_replaced_after_its_share_of_tasks() -> None:
    async with WorkerPool(processes=1, tasks_per_worker=2) as pool:
        assert [await pool.call("worker_tasks:count", None, timeout_s=5) for _ in range(5)] == [1, 2, 1, 2, 1]


async def test_calls_beyond_the_workers_wait_their_turn(pool: WorkerPool) -> None:
    answers = await asyncio.gather(*(pool.call("worker_tasks:echo", n, timeout_s=5) for n in range(50)))
    assert answers == list(range(50))
    assert len(pool._all) == 1


@pytest.mark.parametrize(
    ("task", "argument", "reason"),
    [
        ("hang", 60, "timeout"),
        ("deaf", 60, "timeout"),
        ("dies", None, "died"),
        ("crashes", None, "died"),
        ("bloats", 8 << 30, "died"),
        ("raises", None, "raised"),
        ("leaves", None, "raised"),
        ("not_json", None, "raised"),
    ],
)
async def test_p20_a_hostile_task_costs_its_own_time_and_nothing_else(pool: WorkerPool, task: str, argument: object, reason: str) -> None:
    started = time.monotonic()
    assert (await fault(pool, task, argument, 0.3 if reason == "timeout" else 10)).reason == reason
    assert time.monotonic() - started < 30
    assert await pool.call("worker_tasks:echo", "well", timeout_s=5) == "well"
    assert len(pool._all) <= 2


async def test_the_memory_limit_is_what_stops_the_bloat() -> None:
    """The control: with room the same task succeeds."""
    async with WorkerPool(processes=1, memory_bytes=4 << 30) as roomy, WorkerPool(processes=1, memory_bytes=1 << 30) as tight:
        assert await roomy.call("worker_tasks:bloats", 1200 << 20, timeout_s=20) == 1200 << 20
        assert (await fault(tight, "bloats", 1200 << 20)).reason == "died"


async def test_others_go_on_while_one_hangs() -> None:
    async with WorkerPool(processes=2) as pool:
        hanging = asyncio.create_task(fault(pool, "hang", 60, 2))
        await asyncio.sleep(0)
        assert [await pool.call("worker_tasks:echo", n, timeout_s=5) for n in range(20)] == list(range(20))
        assert (await hanging).reason == "timeout"


async def test_what_an_earlier_task_left_behind_is_not_blamed_on_the_next(pool: WorkerPool) -> None:
    assert await pool.call("worker_tasks:mined", True, timeout_s=5) is True
    assert await pool.call("worker_tasks:mined", False, timeout_s=5) is False


async def test_a_worker_that_died_while_idle_is_replaced(pool: WorkerPool) -> None:
    first = await pool.call("worker_tasks:pid", None, timeout_s=5)
    os.kill(first, signal.SIGKILL)
    assert await pool.call("worker_tasks:pid", None, timeout_s=5) != first


async def test_printing_and_reading_do_not_touch_the_frames(pool: WorkerPool) -> None:
    assert [await pool.call("worker_tasks:chatter", n, timeout_s=5) for n in range(3)] == [0, 1, 2]
    assert await pool.call("worker_tasks:reads", None, timeout_s=5) == ""


async def test_t8_no_secret_reaches_a_worker(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "DATALCHEMY_API_KEY", "PYTHON_TOKEN", "AWS_SESSION", "HF_TOKEN"):
        monkeypatch.setenv(name, "sk-CANARY")
    monkeypatch.setenv("DATALCHEMY_HOME", "/somewhere")
    seen = await pool.call("worker_tasks:environment", None, timeout_s=5)
    assert "sk-CANARY" not in str(seen)
    assert seen["DATALCHEMY_HOME"] == "/somewhere"


@pytest.mark.parametrize("function", ["no_such_module:f", "worker_tasks:no_such_function"])
async def test_a_function_that_cannot_be_imported_is_no_fault_of_a_record(pool: WorkerPool, function: str) -> None:
    with pytest.raises(PartError, match=r"did not start: .*no_such"):
        await pool.call(function, None, timeout_s=5)


async def test_an_argument_that_is_not_json_is_the_callers_error(pool: WorkerPool) -> None:
    with pytest.raises(TypeError):
        await pool.call("worker_tasks:echo", object(), timeout_s=5)


async def test_a_cancelled_call_frees_its_place(pool: WorkerPool) -> None:
    call = asyncio.create_task(pool.call("worker_tasks:hang", 60, timeout_s=60))
    await asyncio.sleep(0.5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await pool.call("worker_tasks:echo", 1, timeout_s=5) == 1


async def test_what_a_task_started_ends_with_it(pool: WorkerPool, tmp_path: Path) -> None:
    assert (await fault(pool, "spawns", str(tmp_path / "pid"), 1.5)).reason == "timeout"
    assert await ends(int((tmp_path / "pid").read_text()))


async def test_closing_ends_workers_and_waiting_calls() -> None:
    pool = WorkerPool(processes=1)
    pid = await pool.call("worker_tasks:pid", None, timeout_s=5)
    waiting = asyncio.create_task(fault(pool, "hang", 60, 60))
    await asyncio.sleep(0.3)
    await pool.close()
    assert (await waiting).reason == "died"
    assert not alive(pid)
    assert (await fault(pool, "echo", 1)).reason == "died"


@pytest.mark.parametrize("task", ["hang", "deaf"])
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal")
async def test_p1_workers_die_with_a_killed_parent(task: str, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom datalchemy.core.workers import WorkerPool\n"
        "async def main():\n    pool = WorkerPool(processes=1)\n"
        "    pid = await pool.call('worker_tasks:pid', None, timeout_s=5)\n"
        f"    other = asyncio.ensure_future(pool.call('worker_tasks:{task}', 60, timeout_s=60))\n"
        "    await asyncio.sleep(0.3)\n    print(*(w._pid for w in pool._all), flush=True)\n    await other\nasyncio.run(main())\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env=env)
    assert parent.stdout is not None
    workers = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(workers) == 2
    assert all(alive(pid) for pid in workers)
    parent.kill()
    await parent.wait()
    assert [await ends(pid) for pid in workers] == [True, True]


def test_it_works_under_uvloop() -> None:
    import uvloop

    async def main() -> tuple[object, str]:
        async with WorkerPool(processes=1, grace_s=0.3) as pool:
            return await pool.call("worker_tasks:echo", {"a": [1, "ü"]}, timeout_s=5), (await fault(pool, "deaf", 60, 0.2)).reason

    assert uvloop.run(main()) == ({"a": [1, "ü"]}, "timeout")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_any_json_value_goes_there_and_back() -> None:
    async def main() -> None:
        async with WorkerPool(processes=1) as pool:
            await pool.call("worker_tasks:echo", None, timeout_s=5)
            loop = asyncio.get_running_loop()

            @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(JSON)
            def there_and_back(value: object) -> None:
                call = asyncio.run_coroutine_threadsafe(pool.call("worker_tasks:echo", value, timeout_s=20), loop)
                assert call.result() == value

            await asyncio.to_thread(there_and_back)
            megabytes = "ü" * (4 << 20)
            assert await pool.call("worker_tasks:echo", megabytes, timeout_s=20) == megabytes

    asyncio.run(main())
