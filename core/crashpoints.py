"""Named places where a crash would hurt, so that tests can crash exactly there.

With DATALCHEMY_CRASH_AT=n in the environment the process kills itself (SIGKILL: no clean-up, no flush) at the n-th crash
point that it passes. Without it a crash point is an empty function call.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable


def _bomb(at: int) -> Callable[[str], None]:
    passed = itertools.count(1)

    def crashpoint(name: str) -> None:
        if next(passed) == at:
            os.write(2, f"crash point {at}: {name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return crashpoint


def _nothing(name: str) -> None:
    """No crash is wanted."""


crashpoint: Callable[[str], None] = _bomb(int(os.environ["DATALCHEMY_CRASH_AT"])) if "DATALCHEMY_CRASH_AT" in os.environ else _nothing
