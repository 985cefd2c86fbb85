"""Real parts that a machine need not have: what each test needs is named by a variable, without which it is deselected.

DATALCHEMY_REAL_VLLM         address of a vLLM server that serves ember's weights as `ember` (`http://127.0.0.1:8000/v1`)
DATALCHEMY_REAL_VLLM_PYTHON  interpreter that has vLLM, for tests with a server of their own (one is killed, two serve reward models)
DATALCHEMY_REAL_LITELLM      the interpreter that runs these tests, where it has LiteLLM
DATALCHEMY_REAL_DEMO         OUT of a finished `make demo`, for the pages that are opened in Chromium

`.ci/run` sets all three and takes a test that did not run for a failure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "backends"))

NEEDS = {
    "url": "DATALCHEMY_REAL_VLLM",
    "own_server": "DATALCHEMY_REAL_VLLM_PYTHON",
    "vllm_python": "DATALCHEMY_REAL_VLLM_PYTHON",
    "litellm_python": "DATALCHEMY_REAL_LITELLM",
    "demo": "DATALCHEMY_REAL_DEMO",
}
"""Variable of each fixture."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {fixture for fixture, variable in NEEDS.items() if not os.environ.get(variable)}
    left_out = [item for item in items if item.get_closest_marker("real") and missing & set(getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def url() -> str:
    return os.environ[NEEDS["url"]].rstrip("/")


@pytest.fixture(scope="session")
def demo() -> Path:
    return Path(os.environ[NEEDS["demo"]]).resolve()


@pytest.fixture
async def backend(url: str) -> AsyncIterator:
    from datalchemy.backends.http import Http

    async with Http(url=url, name="ember").open() as opened:
        yield opened


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """The installed `datalchemy`, in a folder and with a response store of its own."""
    from runs import Command

    monkeypatch.chdir(tmp_path)
    return Command(tmp_path)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator:
    """A vLLM server to kill; not started yet."""
    from vllm_server import VllmServer

    server = VllmServer(Path(os.environ[NEEDS["own_server"]]), tmp_path / "vllm.log")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def litellm_python() -> Path:
    return Path(os.environ[NEEDS["litellm_python"]])


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    return Path(os.environ[NEEDS["vllm_python"]])


@pytest.fixture
async def browser(demo: Path, tmp_path: Path) -> AsyncIterator:
    from chromium import Chromium

    async with Chromium(tmp_path / "profile") as opened:
        yield opened
