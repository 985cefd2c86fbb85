"""The sandbox of a run, there when a part first asks for it: its import takes time that most runs need not spend."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..core.sandbox import Program, Ran

if TYPE_CHECKING:
    from ..eval.sandbox.local import LocalSandbox


class OnDemand:
    """Implements `core.sandbox.Sandbox` by the one of this machine."""

    def __init__(self) -> None:
        self._local: LocalSandbox | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    @property
    def used(self) -> str:
        """See `core.sandbox.Sandbox`."""
        return self._local.used if self._local is not None else ""

    async def tier(self) -> str:
        """See `core.sandbox.Sandbox`."""
        return await (await self._opened()).tier()

    async def run(self, program: Program) -> Ran:
        """See `core.sandbox.Sandbox`."""
        return await (await self._opened()).run(program)

    async def _opened(self) -> LocalSandbox:
        if self._local is None:
            from ..eval.sandbox.local import LocalSandbox

            self._local = LocalSandbox()
            await self._stack.enter_async_context(self._local)
        return self._local
