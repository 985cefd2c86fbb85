"""What one process cost: wall, CPU of its whole tree, its own peak memory. And the stub in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TICK_S = 0.01
PR_SET_CHILD_SUBREAPER = 36


class BenchError(Exception):
    """A run that cannot be counted."""


@dataclass(frozen=True)
class Cost:
    """Of one process and all that it started."""

    rc: int
    """Exit code; -9 where a SIGKILL ended it."""
    began: float
    """CLOCK_MONOTONIC seconds."""
    wall_s: float
    cpu_s: float
    """User and system time of the whole tree: waited-for descendants by wait4, orphans because they become ours to wait for."""
    peak_mb: float
    """VmHWM of the main process alone, in 10^6 bytes, read every 10 ms (0 where there is no /proc)."""
    stdout: str
    stderr: str


def adopt_orphans() -> None:
    """Make descendants whose parent has died children of this process, so that their CPU time can be read (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    argv: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    limit_s: float = 600,
    kill_when: Callable[[], bool] | None = None,
) -> Cost:
    """Run to the end, or SIGKILL the whole tree as soon as `kill_when()`. Raises BenchError past `limit_s`."""
    adopt_orphans()
    with (folder / "stdout").open("w+") as out, (folder / "stderr").open("w+") as err:
        began = time.monotonic()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, start_new_session=True)
        try:
            status, usage, wall_s, peak_mb = watch(process.pid, began, limit_s, kill_when)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu_s = usage.ru_utime + usage.ru_stime + reap(process.pid)
        out.seek(0)
        err.seek(0)
        return Cost(process.returncode, began, wall_s, cpu_s, peak_mb, out.read(), err.read())


def watch(pid: int, began: float, limit_s: float, kill_when: Callable[[], bool] | None) -> tuple[int, Any, float, float]:
    """Exit status, resource usage, wall seconds and peak memory of a child."""
    peak_mb = 0.0
    with ended(pid) as wait:
        while not wait(TICK_S):
            peak_mb = max(peak_mb, high_water_mb(pid))
            if kill_when is not None and kill_when():
                os.killpg(pid, signal.SIGKILL)
                kill_when = None
            if time.monotonic() - began > limit_s:
                raise BenchError(f"still running after {limit_s:.0f} s")
        wall_s = time.monotonic() - began
    _, status, usage = os.wait4(pid, 0)
    return status, usage, wall_s, peak_mb


@contextlib.contextmanager
def ended(pid: int) -> Iterator[Callable[[float], bool]]:
    """A function that waits so many seconds and says whether the child has ended, without reaping it."""
    if not hasattr(os, "pidfd_open"):

        def poll(seconds: float) -> bool:
            time.sleep(seconds)
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

        yield poll
        return
    fd = os.pidfd_open(pid)
    try:
        yield lambda seconds: bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def high_water_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024 / 1e6


def reap(session: int, patience_s: float = 5) -> float:
    """CPU seconds of what is left of a session after its leader, ended by force where it does not end by itself."""
    seconds, deadline = 0.0, time.monotonic() + patience_s
    while orphans := [pid for pid, parent, sid in processes() if sid == session and parent == os.getpid()]:
        for pid in orphans:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            done, _, usage = os.wait4(pid, os.WNOHANG)
            seconds += usage.ru_utime + usage.ru_stime if done else 0
        time.sleep(TICK_S)
    return seconds


def processes() -> Iterator[tuple[int, int, int]]:
    """(pid, parent, session) of all processes; nothing where there is no /proc."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            yield int(stat.parent.name), int(fields[1]), int(fields[3])


class StubProcess:
    """`with StubProcess("--slots", "64") as stub: stub.url, stub.stats()`. It ends with this process, whatever happens."""

    def __init__(self, *options: str) -> None:
        self.argv = [sys.executable, str(HERE / "stub.py"), "--tied", *options]

    def __enter__(self) -> StubProcess:
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.root = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        self.url = f"{self.root}/v1"
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.communicate()

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.root}/stats") as answer:
            return json.loads(answer.read())
