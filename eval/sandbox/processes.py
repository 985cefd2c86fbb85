"""One process, watched from outside: its input fed, its output capped, its end certain."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from ...core.sandbox import Limits, Ran
from .credentials import other_user

CHUNK = 1 << 16
GRACE_S = 2.0
"""How long the pipes of a killed program may stay open."""
TICK_S = 0.1
"""How often a run that nobody waits for any more is noticed."""


def watched(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes,
    limits: Limits,
    folder: str | Path = "/",
    descriptors: Sequence[int] = (),
    cancelled: Event,
    sweep: Callable[[], None],
    user: int | None = None,
) -> Ran:
    """Run a command to its end or to the end of its time. `sweep` removes what it left running; call it from a worker thread.

    Only stdin, stdout, stderr and `descriptors` are inherited: bubblewrap would pass on whatever else is open. `user`: as whom it
    runs; None: as ourselves.
    """
    began = time.monotonic()
    try:
        with other_user(user):
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                cwd=folder, env=dict(environment), close_fds=True, pass_fds=tuple(descriptors),
            )  # fmt: skip
    except OSError as error:
        return Ran(infrastructure=f"{words[0]} did not start: {error}")
    with process:
        watch = _Watch(process, stdin, limits)
        try:
            watch.until(began + limits.wall_s, cancelled)
        finally:
            process.kill()
            sweep()
            watch.drain(time.monotonic() + GRACE_S)
            watch.close()
            code = process.wait()
    killed = watch.timed_out or watch.flooded
    return Ran(
        stdout=bytes(watch.out), stderr=bytes(watch.err), status=None if killed else 128 - code if code < 0 else code,
        timed_out=watch.timed_out, flooded=watch.flooded, seconds=round(time.monotonic() - began, 4),
    )  # fmt: skip


class _Watch:
    """The pipes of one process."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> None:
        self.out, self.err = bytearray(), bytearray()
        self.timed_out = self.flooded = False
        self._input = memoryview(stdin)
        self._most = {"out": limits.stdout_kb << 10, "err": limits.stderr_kb << 10}
        self._selector = selectors.DefaultSelector()
        self._process = process
        try:
            self._ended = os.pidfd_open(process.pid)
            self._selector.register(self._ended, selectors.EVENT_READ, "end")
        except OSError:  # forbidden in some containers: its end is then noticed at the next tick
            self._ended = -1
        for pipe, events, name in (
            (process.stdin, selectors.EVENT_WRITE, "in"),
            (process.stdout, selectors.EVENT_READ, "out"),
            (process.stderr, selectors.EVENT_READ, "err"),
        ):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events, name)

    def until(self, deadline: float, cancelled: Event) -> None:
        """Until the process ends, its time is over, it floods us, or nobody waits for it."""
        while not cancelled.is_set() and not self.flooded:
            left = deadline - time.monotonic()
            if left <= 0:
                self.timed_out = True
                return
            if any(self._step(key) for key, _ in self._selector.select(min(left, TICK_S))):
                return
            if self._ended < 0 and self._process.poll() is not None:
                return

    def drain(self, deadline: float) -> None:
        """What is left in the pipes of a process that has ended."""
        while not self.flooded and (left := deadline - time.monotonic()) > 0:
            reading = [key for key in self._selector.get_map().values() if key.data in ("out", "err")]
            if not reading:
                return
            for key, _ in self._selector.select(min(left, TICK_S)):
                if key.data in ("out", "err"):
                    self._step(key)
                else:
                    self._selector.unregister(key.fileobj)

    def _step(self, key: selectors.SelectorKey) -> bool:
        """Serve one descriptor; whether the process has ended."""
        if key.data == "end":
            return True
        if key.data == "in":
            self._feed(key.fileobj)
            return False
        try:
            got = os.read(key.fd, CHUNK)
        except BlockingIOError:
            return False
        if not got:
            self._selector.unregister(key.fileobj)
        self._keep(key.data, got)
        return False

    def _keep(self, name: str, got: bytes) -> None:
        kept = self.out if name == "out" else self.err
        room = self._most[name] - len(kept)
        kept += got[:room]
        if name == "out" and len(got) > room:
            self.flooded = True

    def _feed(self, pipe: Any) -> None:
        try:
            self._input = self._input[os.write(pipe.fileno(), self._input[:CHUNK]) :] if self._input else self._input
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._input = self._input[:0]
        if not self._input:
            self._selector.unregister(pipe)
            pipe.close()

    def close(self) -> None:
        self._selector.close()
        if self._ended >= 0:
            os.close(self._ended)
