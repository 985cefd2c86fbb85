"""Runs a GGUF in this process through llama.cpp's own server, for measuring and testing."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import xllamacpp


@dataclass(frozen=True)
class Reply:
    """One completion: its text, its length, and whether it was cut by the token limit."""

    text: str
    tokens: int
    cut: bool


@dataclass(frozen=True)
class Client:
    """Asks the server; `slots` requests are in flight at most."""

    address: str
    slots: int

    def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """One request, answered as JSON."""
        with closing(HTTPConnection(self.address, timeout=600)) as connection:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer: dict[str, object] = json.loads(connection.getresponse().read())
        return answer

    def tokenize(self, text: str) -> list[int]:
        """The ids of a text, control tokens included."""
        ids = self.post("/tokenize", {"content": text, "parse_special": True, "add_special": True})["tokens"]
        assert isinstance(ids, list)
        return ids

    def complete(self, prompt: str, seed: int, temperature: float, limit: int, top_p: float = 0.95) -> Reply:
        """Continue a raw prompt."""
        body = {"prompt": prompt, "seed": seed, "temperature": temperature, "top_p": top_p, "n_predict": limit}
        answer = self.post("/completion", body | {"top_k": 0, "min_p": 0.0, "cache_prompt": False})
        return Reply(str(answer["content"]), int(str(answer["tokens_predicted"])), answer["stop_type"] == "limit")

    def complete_all(self, prompts: list[tuple[str, int]], temperature: float, limit: int) -> list[Reply]:
        """Continue many prompts, each with its seed; the replies keep their order."""
        with ThreadPoolExecutor(self.slots) as pool:
            return list(pool.map(lambda one: self.complete(one[0], one[1], temperature, limit), prompts))


@contextmanager
def serve(path: Path, slots: int = 64, threads: int = 2, context: int = 1024) -> Iterator[Client]:
    """Load a model for the time of the context."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_threads_http = slots + 4
    params.cache_ram_mib = 0
    params.fit_params = False
    params.verbosity = -1
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    server = xllamacpp.Server(params)
    yield Client(server.listening_address.removeprefix("http://"), slots)
    del server
