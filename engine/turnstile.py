"""Where records stand in line: filters whose verdict depends on the records before it see them in seed order."""

from __future__ import annotations

import asyncio


class Turnstile:
    """Root seeds pass one by one, in the order of their ordinals; every seed passes once, also with nothing in hand."""

    def __init__(self) -> None:
        self.next = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def turn(self, root: int) -> None:
        """Returns when all seeds before `root` have passed."""
        if root != self.next:
            waiter = self._waiting[root] = asyncio.get_running_loop().create_future()
            await waiter

    def passed(self, root: int) -> None:
        """Let the next seed through."""
        self.next = root + 1
        waiter = self._waiting.pop(self.next, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    @property
    def line(self) -> int:
        return len(self._waiting)
