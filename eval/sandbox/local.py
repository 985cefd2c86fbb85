"""The sandbox of this machine: which kind it gives, found by trying the doors, and its runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Protocol, Self

from ...core.errors import RecipeError
from ...core.frozen import Frozen
from ...core.sandbox import PYTHON, Limits, Program, Ran
from . import seccomp
from .bubblewrap import Bubblewrap
from .interpreter import find
from .landlock import Landlock

FIRST_USER = 1_000_000_000
"""Users of sandboxes where we are root, none of whom exists: another for each run, and other ones for each of our processes."""
PROBED = Limits(wall_s=20, memory_mb=256)
ADVICE = "`apt-get install bubblewrap` (or `dnf install bubblewrap`); in a container see docs/sandbox.md"
NAME = "".join(map(chr, (*range(48, 58), *range(65, 91), *range(97, 123)))) + "_.-"


class Room(Protocol):
    """One kind of sandbox."""

    @property
    def name(self) -> str: ...

    def run(self, program: Program, user: int, cancelled: Event) -> Ran: ...


class Found(Frozen):
    """What a machine gives."""

    model_config = {"arbitrary_types_allowed": True, "frozen": True, "extra": "forbid"}

    room: object = None
    tier: str = ""
    why: str = ""
    """Why there is none."""


def _at_once(cores: int) -> int:
    """A few more than there are cores: while the kernel makes and removes namespaces, a run only waits."""
    return cores + (cores + 3) // 4


class LocalSandbox:
    """Implements `core.sandbox.Sandbox`. Nothing is started, nor probed, before it is asked. `kinds`: tiers to try, in order."""

    def __init__(self, kinds: str = "AB", *, at_once: int | None = None) -> None:
        self._kinds = kinds
        self._at_once = at_once or _at_once(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        self._threads: ThreadPoolExecutor | None = None
        self._running: set[Event] = set()
        self._used = ""

    @property
    def used(self) -> str:
        """See `core.sandbox.Sandbox`."""
        return self._used

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for event in self._running:
            event.set()
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)

    async def tier(self) -> str:
        """See `core.sandbox.Sandbox`."""
        return (await self._found()).tier

    async def run(self, program: Program) -> Ran:
        """See `core.sandbox.Sandbox`."""
        if bad := [name for name in program.files if not name.strip(".") or set(name) - set(NAME)]:
            raise ValueError(f"not a name of a file: {bad[0]!r}")
        found = await self._found()
        room: Room = found.room  # type: ignore[assignment]
        cancelled = Event()
        self._running.add(cancelled)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool(), self._one, room, program, cancelled)
        finally:
            cancelled.set()
            self._running.discard(cancelled)

    def _one(self, room: Room, program: Program, cancelled: Event) -> Ran:
        if cancelled.is_set():
            return Ran(infrastructure="cancelled")
        return room.run(program, _next_user(), cancelled)

    async def _found(self) -> Found:
        found = await asyncio.to_thread(probed, self._kinds)
        if found.room is None:
            raise RecipeError(f"no_sandbox: code cannot be run safely on this machine, so it is not run at all: {found.why}. {ADVICE}")
        self._used = found.tier
        return found

    def _pool(self) -> ThreadPoolExecutor:
        # bubblewrap ends with the thread that started it, so these live as long as the sandbox
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="sandbox")
        return self._threads


@cache
def probed(kinds: str = "AB") -> Found:
    """The first tier whose doors are all shut; tried once in a process."""
    if sys.platform != "linux":
        return Found(why="it needs Linux")
    if not seccomp.supported():
        return Found(why="the system calls of this kind of machine are not known to it (x86_64 and aarch64 are)")
    interpreter = find()
    if interpreter is None:
        return Found(why="there is no Python that another user may read; install python3")
    filters, reasons = seccomp.program(), list[str]()
    for kind, cls in (("A", Bubblewrap), ("B", Landlock)):
        if kind not in kinds:
            continue
        if lacking := cls.missing():
            reasons.append(f"tier {kind} lacks {', '.join(lacking)}")
            continue
        room: Room = cls(interpreter, filters)
        if why := _doors(room):
            reasons.append(f"tier {kind}: {why}")
            continue
        return Found(room=room, tier=f"{room.name}; {_bwrap_version() if kind == 'A' else 'Landlock'}, {interpreter.path}")
    return Found(why="; ".join(reasons))


def _doors(room: Room) -> str:
    """What the probe found open; empty where nothing is."""
    probe = Path(__file__).with_name("probe.py").read_bytes()
    program = Program(argv=(PYTHON, "-s", "-S", "probe.py"), files={"probe.py": probe}, limits=PROBED)
    ran = room.run(program, _next_user(), Event())
    if ran.infrastructure:
        return ran.infrastructure
    said = ran.stdout.decode("utf-8", "replace").splitlines()
    if said == ["probed"]:
        return ""
    open_ = [line for line in said if line.startswith("open: ")]
    return "; ".join(open_)[:300] or f"the probe did not end ({ran.status}): {ran.stderr.decode('utf-8', 'replace')[-200:]}"


@cache
def _numbers() -> cycle[int]:
    """The users of the last runs come last: what is dying still counts among their processes."""
    first = _first_user(os.getpid())
    return cycle(range(first, first + 128))


def _first_user(pid: int, uid_map: Path = Path("/proc/self/uid_map")) -> int:
    """A container may know no users beyond 65,535; those of two of its processes are then the same only by chance."""
    try:
        ranges = [tuple(map(int, line.split())) for line in uid_map.read_text().splitlines()]
    except (OSError, ValueError):
        ranges = []
    far = FIRST_USER + (pid % (1 << 22)) * 128
    return far if any(inside <= far < inside + size - 128 for inside, _, size in ranges) else 40_000 + (pid % 192) * 128


def _next_user() -> int:
    return next(_numbers())


@cache
def _bwrap_version() -> str:
    from subprocess import run

    path = shutil.which("bwrap") or "bwrap"
    return run([path, "--version"], capture_output=True, text=True, check=False, env={}).stdout.strip()
