"""A double of the tools that filters are handed, with real worker processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from asked_models import asked
from datalchemy.backends.scripted import Rule, Scripted
from datalchemy.backends.static import Static
from datalchemy.core.endpoint import Endpoint
from datalchemy.core.part import Filter, Rendered
from datalchemy.core.record import Conversation, Message, Record, Verdict
from datalchemy.core.workers import WorkerPool
from datalchemy.eval.sandbox.local import LocalSandbox, probed
from datalchemy.prompts import Wordings
from judge_double import DoubleModel


@dataclass(frozen=True)
class FilterTools:
    """The part of `core.part.Tools` that filters use."""

    workers: WorkerPool
    sandbox: LocalSandbox = field(default_factory=LocalSandbox)
    language: str = "en"
    models: Mapping[str, Any] = field(default_factory=dict)
    seed: str = "0"
    run: str = ""

    def model(self, name: str) -> Any:
        return self.models[name]

    def rng(self, path: str = "") -> Random:
        return Random(f"{self.seed}:{path}")

    def render(self, prompt: str, **values: Any) -> Rendered:
        return Wordings(self.language).render(prompt, **values)


Judge = Callable[..., Any]

RUNS_CODE = ("unit_tests",)
"""Filters that need a sandbox."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the coroutines of this folder in one loop, so that they share the worker processes (which take a second to start)."""
    for item in items:
        if item.path.parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        settings = getattr(item, "callspec", None)
        if settings is not None and settings.params.get("name") in RUNS_CODE and probed().room is None:
            item.add_marker(pytest.mark.skip(reason=f"no sandbox here: {probed().why}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tools(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FilterTools]:
    endpoints: dict[str, Endpoint] = {name: Scripted() for name in ("reward", "process_reward", "scorer", "tagger")}
    endpoints["encoder"] = Static()
    endpoints["guard"] = Scripted(script=(Rule(match="", reply="safe"),))
    async with WorkerPool(processes=1) as pool, LocalSandbox() as sandbox, asked(tmp_path_factory.mktemp("store"), **endpoints) as models:
        yield FilterTools(workers=pool, sandbox=sandbox, models={"judge": DoubleModel(), **models})


@pytest.fixture
def judge(tools: FilterTools) -> Judge:
    """`await judge(filter, records)`: the verdicts of a freshly opened filter."""

    async def judged(part: Filter, records: Sequence[Record]) -> list[Verdict]:
        async with part.open(tools) as one:  # type: ignore[arg-type]
            return list(await one(records))

    return judged


@pytest.fixture
def reply() -> Callable[..., Record]:
    """`reply(text, reasoning=..., prompt=..., answer=...)`: a record of one question and its answer."""

    def made(text: str, *, reasoning: str | None = None, prompt: str = "How many?", **fields: Any) -> Record:
        turns = (Message(role="user", content=prompt), Message(role="assistant", content=text, reasoning=reasoning))
        return Record(content=Conversation(messages=turns), **fields)

    return made
