"""A vLLM server with ember's weights, on the CPU.

`python vllm_server.py PYTHON PORT` serves until it is ended; `python vllm_server.py --wait PORT PID` waits until that server answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

MODEL = Path(__file__).resolve().parents[2] / "ember" / "weights" / "hf"
START_S = 300
"""Half a minute on an idle machine with two cores."""


def command(python: Path, port: int) -> list[str]:
    """As in docs/vllm.md. (Without chunked prefill, because a seeded request whose prompt is split ends vLLM 0.32 on a CPU. The module rather than `vllm serve`: that command of the CPU wheel does not find its own metadata.)"""
    served = ["--model", str(MODEL), "--served-model-name", "ember", "--enforce-eager", "--host", "127.0.0.1", "--port", str(port)]
    told = [
        "--no-enable-chunked-prefill",
        "--enable-prompt-tokens-details",
        "--structured-outputs-config",
        '{"backend": "xgrammar", "disable_any_whitespace": true}',
    ]
    return [str(python), "-m", "vllm.entrypoints.openai.api_server", *served, *told]


def environment() -> dict[str, str]:
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    return {**{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}, **quiet}


def pooling_command(python: Path, port: int, model: Path, *more: str) -> list[str]:
    """A reward model, served as `rm`; in float32, so that its scores can be compared."""
    served = ["--model", str(model), "--served-model-name", "rm", "--enforce-eager", "--host", "127.0.0.1", "--port", str(port)]
    return [str(python), "-m", "vllm.entrypoints.openai.api_server", *served, "--runner", "pooling", "--dtype", "float32", *more]


class VllmServer:
    """Started, killed and started again on one port: ember, or what `build` gives the command of."""

    def __init__(self, python: Path, log: Path, build: Callable[[Path, int], list[str]] = command) -> None:
        self._python, self._log, self._build = python, log, build
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            self.port: int = place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._build(self._python, self.port), env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        if not wait(self.port, lambda: self._process.poll() is None):
            raise AssertionError(f"vLLM is not up ({self._process.poll()}):\n{self._log.read_text(errors='replace')[-5000:]}")

    def kill(self) -> None:
        """SIGKILL to the server and its engine."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def running(pid: int) -> bool:
    """Whether a process runs, of which another is the parent (one that has ended and that nobody waited for is a zombie)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait(port: int, alive: Callable[[], bool]) -> bool:
    """Whether it answers, within START_S and while it is alive."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_S
    while alive() and time.monotonic() < deadline:
        try:
            with opener.open(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.5)
    return False


if __name__ == "__main__":
    if sys.argv[1] == "--wait":
        port, pid = map(int, sys.argv[2:])
        sys.exit(not wait(port, lambda: running(pid)))
    os.execve(sys.argv[1], command(Path(sys.argv[1]), int(sys.argv[2])), environment())
