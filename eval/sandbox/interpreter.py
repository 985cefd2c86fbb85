"""The Python that runs in the sandbox: ours where another user may read it, else the machine's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ...core.frozen import Frozen


class Interpreter(Frozen):
    """An interpreter and the folders that it needs."""

    path: Path
    prefix: Path

    def folders(self) -> list[Path]:
        """What has to be visible: its own libraries and the system's."""
        own = [self.prefix / name for name in ("bin", "lib", "lib64")]
        system = [Path("/usr/bin"), Path("/usr/lib"), Path("/usr/lib64")]
        return list(dict.fromkeys(folder for folder in (*system, *own) if folder.is_dir() and not folder.is_symlink()))

    def environment(self) -> dict[str, str]:
        """All that a program's environment holds: hashes are the same in each run, nothing is written beside sources."""
        fixed = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        return fixed if self.prefix == Path("/usr") else {**fixed, "LD_LIBRARY_PATH": str(self.prefix / "lib")}


def find() -> Interpreter | None:
    """The first that the sandbox's user can reach; None where there is none."""
    ours = Path(getattr(sys, "_base_executable", "") or sys.executable)
    for path in (ours, Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        real = path.resolve()
        if real.is_file() and _open_to_all(real) and not real.is_relative_to("/tmp"):  # noqa: S108 (a sandbox has a /tmp of its own)
            return Interpreter(path=real, prefix=real.parent.parent)
    return None


def _open_to_all(path: Path) -> bool:
    """Whether a user who is nobody can run it. Started by root, the sandbox is such a user; else it is ourselves."""
    if os.geteuid() != 0:
        return os.access(path, os.R_OK | os.X_OK)
    return path.stat().st_mode & 0o005 == 0o005 and all(folder.stat().st_mode & 0o001 for folder in path.parents)
