"""Stands for `python -m vllm.entrypoints.openai.api_server`: run as an interpreter, it reads vLLM's words and serves like it.

STAND_IN holds what it is to do: `start_s=1` (before it listens), `fail=1` (ends before it listens), `die_after=20` (ends itself
after so many answers, the first life only where `lives` names a file that does not exist yet), `deaf=1` (ignores SIGTERM).
It starts a child, as vLLM does, and writes what it was called with to the file that `told` names.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PLAN = dict(pair.split("=", 1) for pair in os.environ.get("STAND_IN", "").split(";") if pair)
WORDS = sys.argv[1:]
KEY = os.environ["VLLM_API_KEY"]
ANSWERED = []


def word(flag: str) -> str:
    return WORDS[WORDS.index(flag) + 1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def say(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.say(200, {})
        elif self.path == "/v1/models":
            self.say(200, {"data": [{"id": word("--served-model-name"), "owned_by": "vllm", "max_model_len": 2048}]})
        else:
            self.say(200, {"version": "0.0"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            self.say(401, {"error": {"message": "Unauthorized"}})
            return
        time.sleep(0.02)
        ANSWERED.append(1)
        if "die_after" in PLAN and len(ANSWERED) >= int(PLAN["die_after"]):
            sys.stderr.write("RuntimeError: the engine core is dead\nthen some more\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        message = {"role": "assistant", "content": f"{asked['messages'][-1]['content']} {asked['seed']}"}
        usage = {"prompt_tokens": 3, "completion_tokens": 5}
        self.say(200, {"model": asked["model"], "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    if "deaf" in PLAN:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"])
    if "told" in PLAN:
        shown = {
            name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES", "VLLM_API_KEY", "VLLM_CPU_OMP_THREADS_BIND") if name in os.environ
        }
        with Path(PLAN["told"]).open("a") as file:
            file.write(json.dumps({"words": WORDS, "env": shown, "pid": os.getpid(), "child": child.pid, "cwd": os.getcwd()}) + "\n")
    if "lives" in PLAN:
        try:
            Path(PLAN["lives"]).open("x").close()
        except FileExistsError:
            PLAN.pop("die_after", None)
    if "fail" in PLAN:
        sys.stderr.write(f"ValueError: no kernel for this GPU ({KEY})\n" + "Traceback noise\n" * 20)
        sys.exit(1)
    time.sleep(float(PLAN.get("start_s", 0)))
    server = Server(("127.0.0.1", int(word("--port"))), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


main()
