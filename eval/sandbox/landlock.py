"""Tier B: no namespaces (a container that forbids them), so Landlock, seccomp and a user of its own, for each run another.

Weaker than tier A: host processes can be counted and files' names and sizes seen, though none read, and nothing is
writable. It needs root, because only root can become another user.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from threading import Event

from ...core.sandbox import Program, Ran
from .interpreter import Interpreter
from .processes import watched

LAUNCHER = Path(__file__).with_name("landlock_launcher.py")
SWEEPS = 50


class Landlock:
    """Runs programs under Landlock."""

    name = "B: Landlock, seccomp, resource limits, another user (no namespaces)"

    def __init__(self, interpreter: Interpreter, filters: bytes) -> None:
        self.interpreter = interpreter
        self._filters = filters
        self._launcher = LAUNCHER.read_text()

    @staticmethod
    def missing() -> list[str]:
        """What is not there."""
        lacking = [name for name in ("prlimit",) if shutil.which(name) is None]
        return lacking if os.geteuid() == 0 else [*lacking, "root (to become another user)"]

    def run(self, program: Program, user: int, cancelled: Event) -> Ran:
        """Run it to its end; blocks."""
        limits, python = program.limits, str(self.interpreter.path)
        argv = [python if program.argv[0] == "python" else program.argv[0], *program.argv[1:]]
        with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
            box = Path(folder)
            for name, body in program.files.items():
                (box / name).write_bytes(body)
                (box / name).chmod(0o444)
            box.chmod(0o755)
            readable = ":".join(map(str, (*self._readable(), box)))
            words = ["prlimit", f"--as={limits.memory_mb << 20}", f"--cpu={limits.cpu_s}", f"--fsize={limits.file_mb << 20}"]
            words += ["--nofile=128", "--core=0", f"--nproc={limits.processes}", "--"]
            words += [python, "-I", "-S", "-c", self._launcher, readable, self._filters.hex(), "--", *argv]
            ran = watched(
                words, environment=self.interpreter.environment(), stdin=program.stdin, limits=limits, folder=folder,
                cancelled=cancelled, sweep=lambda: _sweep(user), user=user,
            )  # fmt: skip
        if ran.status and not ran.stdout and ran.stderr.startswith((b"landlock: ", b"prlimit: ")):
            return Ran(infrastructure=ran.stderr.decode("utf-8", "replace").strip()[:300])
        return ran

    def _readable(self) -> list[Path]:
        linked = [Path(name) for name in ("/lib", "/lib64", "/bin")]
        return [*self.interpreter.folders(), *(path for path in linked if path.is_dir() and not path.is_symlink())]


def _sweep(user: int) -> None:
    """End everything that runs as this user; it is of this run alone."""
    for _ in range(SWEEPS):
        left = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit() and _owner(entry) == user]
        for pid in left:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        if not left:
            return


def _owner(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_uid
    except FileNotFoundError:
        return -1
