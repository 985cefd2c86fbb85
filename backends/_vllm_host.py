"""The process that holds one vLLM engine, so that a death there ends it and nothing else. Run as a script, never imported.

Frames of JSON, their length in 4 bytes before them. The first one in: `arguments` (of vLLM's engine), `lora`, `adapter`,
`tool_parser`, `task`. The first one out: what the engine is, or `failed`. Then calls in, each with an `id` (what they hold:
`_vllm_asks.py`), or `cancel` with the id of one; answers out in any order. Logs go to stderr.

It ends, and ends its engine, when stdin does: when the run is over, and also when the run was killed. AsyncLLM in the run's
own process would leave its EngineCore behind then (vLLM 0.32), and would be ended by the Ctrl-C that is meant for the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.util
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_END_S = 12.0
"""How long vLLM may take to end."""


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)  # vLLM and what it loads print as they like
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump could hold prompts
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(answers))
    sys.stderr.flush()
    os._exit(0)


def end_all() -> None:
    """This process and whatever it started: it leads a session of its own."""
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        if os.getpgid(0) == os.getpid():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGKILL)
    os._exit(0)


class Host:
    """Reads calls, answers them side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: Any) -> None:
        self.reader, self.writer = reader, writer
        self.engine: Any = None
        self.asks: Any = None
        self.calls: dict[int, asyncio.Task[None]] = {}

    def write(self, body: dict[str, Any]) -> None:
        data = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
        self.writer.write(len(data).to_bytes(4, "big") + data)

    async def frame(self) -> dict[str, Any]:
        """Raises IncompleteReadError at the end."""
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        parsed: dict[str, Any] = json.loads(await self.reader.readexactly(size))
        return parsed

    async def run(self) -> None:
        while True:
            frame = await self.frame()
            if (cancelled := frame.get("cancel")) is not None:
                if (task := self.calls.get(cancelled)) is not None:
                    task.cancel()
                continue
            self.calls[frame["id"]] = asyncio.create_task(self.answer(frame))

    async def answer(self, frame: dict[str, Any]) -> None:
        number = frame["id"]
        try:
            if frame["kind"] == "look":
                told = {
                    "unfinished": self.engine.get_num_unfinished_requests(),
                    "pids": pids(self.engine),
                    "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
                }
            else:
                told = await self.asks.answer(frame, f"r{number}")
            try:
                self.write({"id": number, **told})
            except ValueError as error:
                self.write({"id": number, "error": "bad_number", "message": str(error)})
        except Exception as error:
            if self.engine.errored:
                print(f"the engine died: {error}", file=sys.stderr)  # noqa: T201
                sys.stderr.flush()
                os._exit(4)
            self.write({"id": number, **self.asks.told(error, frame)})
        finally:
            del self.calls[number]

    async def close(self) -> None:
        for task in list(self.calls.values()):
            task.cancel()
        await asyncio.gather(*self.calls.values(), return_exceptions=True)
        if self.engine is not None:
            if (handler := self.engine.output_handler) is not None:
                handler.cancel()
            await asyncio.to_thread(self.engine.shutdown, _END_S - 2)


async def serve(answers: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", buffering=0))
    writer, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(answers, "wb", buffering=0))
    host = Host(reader, writer)
    with contextlib.suppress(asyncio.IncompleteReadError):
        settings = await host.frame()
        building, running = asyncio.ensure_future(start(host, settings)), asyncio.ensure_future(host.run())
        try:
            done, _ = await asyncio.wait({building, running}, return_when=asyncio.FIRST_COMPLETED)
            if running in done:  # nobody waits for the engine any more
                end_all()
            building.result()
            await running
        finally:
            running.cancel()
    timer = threading.Timer(_END_S, end_all)
    timer.daemon = True
    timer.start()
    await host.close()


async def start(host: Host, settings: dict[str, Any]) -> None:
    try:
        host.engine = await asyncio.to_thread(build, settings["arguments"])
        module = beside("_vllm_asks")
        host.asks = module.Asks(host.engine, settings)
        tasks = [str(task) for task in await host.engine.get_supported_tasks()]
    except BaseException as error:
        kind = (
            "missing" if isinstance(error, ImportError) else "settings" if isinstance(error, TypeError | ValueError | KeyError) else "start"
        )
        host.write({"failed": kind, "message": f"{type(error).__name__}: {str(error)[:2000]}"})
        await asyncio.sleep(0.2)
        end_all()
    host.write({"tasks": tasks, "pids": pids(host.engine), **host.asks.about()})


def build(arguments: dict[str, Any]) -> Any:
    """On a thread, so that the end of stdin is seen meanwhile."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)}
    if unknown := sorted(set(arguments) - known):
        raise ValueError(f"no engine argument of this vLLM is called {', '.join(unknown)}")
    if current_platform.is_cpu():  # a seeded request whose prompt is split over two steps ends vLLM 0.32 on a CPU
        arguments.setdefault("enable_chunked_prefill", False)
    return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))


def pids(engine: Any) -> list[int]:
    """Of its EngineCore processes, where this vLLM tells."""
    try:
        return [process.pid for process in engine.engine_core.resources.engine_manager.processes]
    except AttributeError:
        return []


def beside(name: str) -> Any:
    """A file beside this one. The folder is not on the path: it has a `vllm.py`."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
