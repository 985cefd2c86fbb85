"""The inside of a worker process: `python -m datalchemy.core._worker_main package.module:function MEMORY_BYTES PARENT_PID`.

Frames of 4 bytes of length (big endian) and that much JSON. In: `{"argument", "timeout_s"}`; out: `{"result"}` or
`{"fault", "message"}`, and before the first task one `{"result": "ready"}`. The process ends when its input ends.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, BinaryIO

import orjson

MESSAGE = 500
"""Characters of an exception's text that are told."""
RING_AGAIN_S = 0.05
"""A called function may swallow the first alarm (a bare `except`), so it rings until it is heard."""


class TimeUp(BaseException):
    """The task's time has passed; not an Exception, so that `except Exception` in the called code lets it through."""


class Alarm:
    """SIGALRM, raised as TimeUp while a task runs."""

    def __init__(self) -> None:
        self.armed = False
        signal.signal(signal.SIGALRM, self._ring)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            raise TimeUp

    def set(self, seconds: float) -> None:
        self.armed = True
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), RING_AGAIN_S)

    def clear(self) -> None:
        self.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    wire_in, wire_out = _take_wire()
    _die_with_parent(int(sys.argv[3]))
    _limit(int(sys.argv[2]))
    function, reply = _load(sys.argv[1])
    _send(wire_out, reply)
    if function is None:
        wire_in.read()
        return
    alarm = Alarm()
    while (task := _receive(wire_in)) is not None:
        _send(wire_out, _run(function, task, alarm))


def _take_wire() -> tuple[BinaryIO, BinaryIO]:
    """Move the frames to descriptors of their own: what a task reads or prints then meets /dev/null or stderr."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return os.fdopen(wire_in, "rb"), os.fdopen(wire_out, "wb")


def _die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, even in the middle of a task (Linux only; see `man 2 prctl`)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent ended before this worker had started")


def _limit(memory: int) -> None:
    """Bound the address space (macOS does not enforce it) and write no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _load(name: str) -> tuple[Callable[[Any], Any] | None, dict[str, Any]]:
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute), {"result": "ready"}
    except Exception as error:
        return None, _fault("raised", error)


def _run(function: Callable[[Any], Any], task: dict[str, Any], alarm: Alarm) -> dict[str, Any]:
    try:
        alarm.set(task["timeout_s"])
        result = function(task["argument"])
        alarm.clear()
    except TimeUp:
        alarm.clear()
        return {"fault": "timeout", "message": f"still at it after {task['timeout_s']:g} s"}
    except BaseException as error:
        alarm.clear()
        return _fault("died" if isinstance(error, MemoryError) else "raised", error)
    return {"result": result}


def _fault(reason: str, error: BaseException) -> dict[str, Any]:
    return {"fault": reason, "message": f"{type(error).__name__}: {error}"[:MESSAGE]}


def _receive(wire: BinaryIO) -> dict[str, Any] | None:
    """The next task; None at the end of the input."""
    head = wire.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = wire.read(size)
    return orjson.loads(body) if len(body) == size else None


def _send(wire: BinaryIO, reply: dict[str, Any]) -> None:
    try:
        body = orjson.dumps(reply)
    except TypeError as error:
        body = orjson.dumps(_fault("raised", error))
    wire.write(len(body).to_bytes(4, "big") + body)
    wire.flush()


if __name__ == "__main__":
    main()
