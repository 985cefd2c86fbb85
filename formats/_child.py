"""The parent's side of the reading child (`_rows`): starts it, reads its lines, and outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import orjson

from ..core.errors import RecipeError
from ._rows import Job

QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "USE_TORCH": "0", "USE_TF": "0", "USE_JAX": "0"}
MODULE = f"{__package__}._rows"


def job(
    kind: str,
    *,
    paths: list[str] | None = None,
    name: str = "",
    config: str | None = None,
    revision: str | None = None,
    split: str = "train",
) -> Job:
    return Job(kind=kind, paths=paths or [], name=name, config=config, revision=revision, split=split)


def read(job: Job, what: str) -> Iterator[tuple[Any, str]]:
    """(value, "") for each row, (None, reason) for one that is no row. Raises RecipeError where the reading fails or dies."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE, orjson.dumps(job).decode()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **QUIET},
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                match line[:1]:
                    case b"r":
                        yield orjson.loads(line[1:]), ""
                    case b"b":
                        yield None, orjson.loads(line[1:])
                    case b"e":
                        raise RecipeError(f"{what} cannot be read: {orjson.loads(line[1:])}", "seeds.path")
                    case _:
                        return
            errors.seek(0)
            last = errors.read()[-2000:].decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RecipeError(
                f"{what} cannot be read: its reader died ({_cause(child.wait())}); {last or 'the file is damaged or hostile'}", "seeds.path"
            )
        finally:
            child.kill()
            child.stdout.close()
            child.wait()


def revision(job: Job) -> list[str | None]:
    """Name, config and commit of a hub data set. Raises RecipeError where the hub cannot be asked."""
    commit = job["revision"]
    if commit is None or len(commit) != 40:
        commit = next(value["revision"] for value, _ in read(Job(**{**job, "kind": "revision"}), f"the data set {job['name']}"))
    return [job["name"], job["config"], commit]


def _cause(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
