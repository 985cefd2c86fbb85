"""Where code runs that nobody trusts: one program, once, in a room of its own, and what came of it.

The shape only; `eval/sandbox/` holds the room. Filters run answers in it, and so can a tool that an agent calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from .frozen import Frozen

PYTHON = "python"
"""As the first word of `argv`: the interpreter of the sandbox, whatever its path. It has the standard library and nothing else."""


class Limits(Frozen):
    """What a program may use. Whatever it does, it is gone when `wall_s` is over."""

    wall_s: float = Field(default=10, gt=0)
    """Seconds of time; then everything it started is killed."""
    cpu_s: int = Field(default=10, ge=1)
    """Seconds of processor time of each of its processes."""
    memory_mb: int = Field(default=512, ge=64)
    """Address space of each of its processes."""
    processes: int = Field(default=16, ge=1)
    """Processes and threads at the same time."""
    file_mb: int = Field(default=16, ge=0)
    """The largest file it may write; all of its files together take 48 MB at most."""
    stdout_kb: int = Field(default=1024, ge=1)
    """What is read of its output; one that writes more is killed."""
    stderr_kb: int = Field(default=16, ge=1)
    """What is kept of its complaints; the rest is read and dropped."""


class Program(Frozen):
    """One program: files given as data, the words of its command line, what it reads."""

    argv: tuple[str, ...]
    """Relative names are those of `files`, which lie in the working folder."""
    files: Mapping[str, bytes] = {}
    """By name (no folders)."""
    stdin: bytes = b""
    limits: Limits = Limits()


class Ran(Frozen):
    """What came of it."""

    stdout: bytes = b""
    stderr: bytes = b""
    status: int | None = None
    """Its exit status; `128 + n` where signal n ended it; None where we killed it or it never ran."""
    timed_out: bool = False
    """Killed because its time was over."""
    flooded: bool = False
    """Killed because it wrote more than `stdout_kb`."""
    seconds: float = 0.0
    infrastructure: str = ""
    """Why the sandbox itself failed; whatever else is said here then says nothing about the program."""


class Sandbox(Protocol):
    """Runs programs, each in a fresh sandbox; as many at a time as there are cores."""

    @property
    def used(self) -> str:
        """The tier, once somebody has asked for it: for the manifest. Empty before."""
        ...

    async def tier(self) -> str:
        """What kind of sandbox this machine gives, in words; probed once.

        Raises RecipeError(`no_sandbox: ...`) where it gives none: there is no other way to run a program.
        """
        ...

    async def run(self, program: Program) -> Ran:
        """Run one program. Raises RecipeError where there is no sandbox; all else is in the result."""
        ...
