"""Tier A: namespaces of its own through bubblewrap, limits inside and outside, seccomp, another user."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from ...core.sandbox import Limits, Program, Ran
from .interpreter import Interpreter
from .processes import watched


class Bubblewrap:
    """Runs programs in bubblewrap."""

    def __init__(self, interpreter: Interpreter, filters: bytes) -> None:
        self.interpreter = interpreter
        self._filters = filters
        self._mounts = [*_mounts(interpreter)]

    @property
    def name(self) -> str:
        """For doctor and the manifest."""
        return "A: bubblewrap, seccomp, resource limits" + (", another user" if os.geteuid() == 0 else "")

    @staticmethod
    def missing() -> list[str]:
        """Commands that are not there."""
        return [name for name in ("bwrap", "prlimit") if shutil.which(name) is None]

    def run(self, program: Program, user: int, cancelled: Event) -> Ran:
        """Run it to its end; blocks."""
        argv = [str(self.interpreter.path) if program.argv[0] == "python" else program.argv[0], *program.argv[1:]]
        with _descriptors([self._filters, *program.files.values()]) as fds:
            words = ["bwrap", *self._mounts, *_files(program, fds[1:]), "--seccomp", str(fds[0])]
            words += ["--", *_limited(program.limits), *argv]
            ran = watched(
                words, environment=self.interpreter.environment(), stdin=program.stdin, limits=program.limits,
                descriptors=fds, cancelled=cancelled, sweep=lambda: None,
                user=user if os.geteuid() == 0 else None,  # root has no limit of processes
            )  # fmt: skip
        if ran.status and not ran.stdout and ran.stderr.startswith((b"bwrap: ", b"prlimit: ")):
            return Ran(infrastructure=ran.stderr.decode("utf-8", "replace").strip()[:300])
        return ran


def _limited(limits: Limits) -> list[str]:
    """All limits are set inside: only there the number of processes is this sandbox's own, and outside there is nothing of the program."""
    memory, file = limits.memory_mb << 20, limits.file_mb << 20
    most = [f"--as={memory}", f"--cpu={limits.cpu_s}", f"--fsize={file}", f"--nproc={limits.processes}", "--nofile=128", "--core=0"]
    return ["prlimit", *most, "--"]


def _mounts(interpreter: Interpreter) -> Iterator[str]:
    """The view of files. No /proc: it would show the environment of pid 1. All that is writable is small and of its own."""
    yield from ("--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--disable-userns")
    yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
    for folder in interpreter.folders():
        yield from ("--ro-bind", str(folder), str(folder))
    for name in ("/bin", "/lib", "/lib64"):
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    yield from ("--dir", "/proc")
    # not --dev: that is a memory file system without a size, with terminals in it
    for device in ("/dev/null", "/dev/urandom"):
        yield from ("--dev-bind", device, device)
    # each --size is that of the next --tmpfs alone
    yield from ("--size", str(16 << 20), "--tmpfs", "/tmp", "--size", str(32 << 20), "--tmpfs", "/box", "--chdir", "/box")  # noqa: S108


def _files(program: Program, fds: list[int]) -> Iterator[str]:
    for name, fd in zip(program.files, fds, strict=True):
        yield from ("--perms", "0444", "--file", str(fd), f"/box/{name}")
    # / is in memory too, without a size: nothing may be written there
    yield from ("--remount-ro", "/")


@contextmanager
def _descriptors(bodies: list[bytes]) -> Iterator[list[int]]:
    """Each body in a nameless file of memory; bubblewrap reads them to their end, so they are made anew for each run."""
    fds: list[int] = []
    try:
        for body in bodies:
            fd = os.memfd_create("sandbox")
            fds.append(fd)
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(body)
            os.lseek(fd, 0, os.SEEK_SET)
        yield fds
    finally:
        for fd in fds:
            os.close(fd)
