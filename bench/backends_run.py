"""One run for `backends.py`: `backends_run.py generate|vllm|http|bare MODEL FOLDER SAMPLING`, prompts in FOLDER/prompts.json.

`generate` runs in vLLM's own environment, the others in ours. It writes FOLDER/told.json (vLLM prints as it likes): {"answers", "tokens", "seconds", "cpu_s"}.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

OPTIONS = {"enforce_eager": True, "enable_chunked_prefill": False, "dtype": "bfloat16"}
"""As `use: vllm` has it on a CPU; and not in ember's own float16, which many processors have no instructions for."""

WARM = 8
IN_FLIGHT = 320


def generate(model: str, prompts: list[str], sampling: dict[str, Any]) -> dict[str, float]:
    from vllm import LLM, SamplingParams

    llm = LLM(model=model, disable_log_stats=True, **OPTIONS)
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    llm.chat(turns[:WARM], SamplingParams(**sampling, seed=1), use_tqdm=False)
    began = time.monotonic()
    outputs = llm.chat(turns, [SamplingParams(**sampling, seed=at) for at in range(len(turns))], use_tqdm=False)
    seconds = time.monotonic() - began
    return {"answers": len(outputs), "tokens": sum(len(output.outputs[0].token_ids) for output in outputs), "seconds": seconds}


async def bare(url: str, prompts: list[str], sampling: dict[str, Any]) -> dict[str, float]:
    """The least that a client can do: aiohttp, as many in flight, nothing kept."""
    import aiohttp

    slots, told = asyncio.Semaphore(IN_FLIGHT), {"answers": 0.0, "tokens": 0.0}

    async def ask(session: aiohttp.ClientSession, at: int) -> None:
        body = {"model": "ember", "messages": [{"role": "user", "content": prompts[at]}], "seed": at, **sampling}
        async with slots, session.post(f"{url}/chat/completions", json=body) as answer:
            told["tokens"] += (await answer.json())["usage"]["completion_tokens"]
            told["answers"] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(ask(session, at) for at in range(WARM)))
        told |= {"answers": 0.0, "tokens": 0.0}
        began, cpu_s = time.monotonic(), time.process_time()
        await asyncio.gather(*(ask(session, at) for at in range(len(prompts))))
    return {**told, "seconds": time.monotonic() - began, "cpu_s": time.process_time() - cpu_s}


def engine(client: str, model: str, folder: Path, prompts: list[str], sampling: dict[str, Any]) -> dict[str, float]:
    """The whole engine: recipe, store, ledger, output. A clock is put around what the guard sends."""
    from datalchemy.backends._guard import Guard
    from datalchemy.service.cli import main

    seeds, recipe = folder / "seeds.jsonl", folder / "bench.yaml"
    seeds.write_text("".join(json.dumps({"question": prompt}) + "\n" for prompt in prompts))
    where = (
        {"use": "vllm", "path": model, "dtype": OPTIONS["dtype"], "options": {key: OPTIONS[key] for key in OPTIONS if key != "dtype"}}
        if client == "vllm"
        else {"use": "http", "url": folder.joinpath("url").read_text()}
    )
    teacher = {**where, "max_in_flight": IN_FLIGHT, "sampling": sampling}
    told = {
        "name": "bench",
        "models": {"teacher": teacher},
        "seeds": {"path": str(seeds), "fields": {"prompt": "question"}},
        "generate": [{"use": "answer", "model": "teacher"}],
        "filters": [],
    }
    recipe.write_text(json.dumps(told))
    send, seen = Guard.send, {"answers": 0, "tokens": 0, "first": 0.0, "last": 0.0, "cpu_s": 0.0}
    warming: list[asyncio.Task[None]] = []

    async def warm(guard: Guard, request: Any) -> None:
        """As `generate` is warmed before its clock starts."""
        await asyncio.gather(*(send(guard, request, seed=1) for _ in range(WARM)))
        seen["first"], seen["cpu_s"] = time.monotonic(), time.process_time()

    async def clocked(self: Guard, *args: Any, **kwargs: Any) -> Any:
        if not warming:
            warming.append(asyncio.ensure_future(warm(self, args[0])))
        if not warming[0].done():
            await warming[0]
        replies = await send(self, *args, **kwargs)
        seen["answers"] += len(replies)
        seen["tokens"] += sum(reply.usage.completion_tokens for reply in replies)
        seen["last"] = time.monotonic()
        return replies

    Guard.send = clocked  # type: ignore[method-assign]
    sys.argv = ["datalchemy", "run", str(recipe), "--out", str(folder / "out"), "--json"]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    cpu_s = time.process_time() - seen["cpu_s"]
    return {"answers": seen["answers"], "tokens": seen["tokens"], "seconds": seen["last"] - seen["first"], "cpu_s": cpu_s}


def main() -> None:
    client, model, name, sampling = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
    folder = Path(name)
    prompts = json.loads((folder / "prompts.json").read_text())
    if client == "generate":
        told = generate(model, prompts, sampling)
    elif client == "vllm":
        told = engine(client, model, folder, prompts, sampling)
    else:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))
        from vllm_server import VllmServer, command

        python = Path(os.environ["DATALCHEMY_VLLM_PYTHON"])
        server = VllmServer(python, folder / "vllm.log", lambda python, port: [*command(python, port), "--dtype", "bfloat16"])
        server.start()
        try:
            (folder / "url").write_text(server.url)
            told = (
                asyncio.run(bare(server.url, prompts, sampling)) if client == "bare" else engine(client, model, folder, prompts, sampling)
            )
        finally:
            server.kill()
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
