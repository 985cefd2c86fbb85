"""Many small questions to a worker function in one call; where that call fails, each by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..core.errors import WorkerFault
from ..core.part import Workers


async def answers(workers: Workers, function: str, questions: Sequence[Any], timeout_s: float) -> list[Any]:
    """What `function` (a list in, as many answers out) says of each question; the WorkerFault where it could not say.

    A question that hangs or kills the worker takes only its own answer with it.
    """
    if not questions:
        return []
    try:
        said = await workers.call(function, list(questions), timeout_s=timeout_s)
    except WorkerFault as fault:
        if len(questions) == 1:
            return [fault]
    except TypeError as error:
        if len(questions) == 1:
            return [WorkerFault("raised", f"it holds something that is not JSON: {error}")]
    else:
        return list(said)
    alone = await asyncio.gather(*(answers(workers, function, [one], timeout_s) for one in questions))
    return [answer for (answer,) in alone]


def textual(text: str) -> str:
    """The text without lone surrogates, which no worker can be sent."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
