"""Keeps one server: a small process between us and it, so that nothing of it is left however we end. Run as a script.

One JSON line on stdin: `argv`, `env`, `cwd`, `log` (a file to append to), `parent` (its process id), `grace_s`. One JSON line
on stdout when the server was started: `pid`, which is its process group too; one when it has ended: `status`. It ends the whole
group when stdin does, on SIGTERM, and when its parent is gone; and what is left of the group when the server ends by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_until_stdin_ends, args=(stop,), daemon=True).start()
    me = os.getpid()
    with Path(told["log"]).open("ab", buffering=0) as log:
        try:
            server = subprocess.Popen(
                told["argv"], env=told["env"], cwd=told["cwd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=lambda: _die_with(me),
            )  # fmt: skip
        except OSError as error:
            log.write(f"{told['argv'][0]}: {error}\n".encode())
            _say({"status": 127})
            return 0
    _say({"pid": server.pid})
    while server.poll() is None and not stop.wait(0.1) and os.getppid() == told["parent"]:
        pass
    if server.poll() is None:
        _signal(server.pid, signal.SIGTERM)
        deadline = time.monotonic() + told["grace_s"]
        while server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
    _signal(server.pid, signal.SIGKILL)
    _say({"status": server.wait()})
    return 0


def _until_stdin_ends(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _die_with(parent: int) -> None:
    """In the server before it begins: it dies with the keeper (PR_SET_PDEATHSIG); no core dump, which could hold prompts."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _say(what: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
