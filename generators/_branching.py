"""Dividing a task: a model is asked for parts until they hold what was promised (Branch-Solve-Merge, arXiv 2310.15123)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..core.backend import Reply, Sampling
from ..core.errors import Refused
from ..core.part import Tools
from ._forms import Filled, Form, filled

T = TypeVar("T")

AGAIN = 0.7
"""Temperature of a further try, where the first one's is 0 or not known to the strategy."""


@dataclass(frozen=True, slots=True)
class Divided(Generic[T]):
    """A division that holds."""

    parts: T
    got: Filled
    replies: tuple[Reply, ...]
    """All that was paid for and could be read, this one last."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asked, and how."""

    model: str
    sampling: Sampling | None
    tries: int

    async def ask(self, tools: Tools, form: Form, wording: str, path: str, **values: Any) -> Filled:
        return await filled(tools, self.model, form, wording, path=path, sampling=self.sampling, **values)

    async def divided(self, tools: Tools, form: Form, wording: str, read: Callable[[Mapping[str, Any]], T], **values: Any) -> Divided[T]:
        """The first division that `read` takes. Raises Refused with what is wrong with the last one."""
        wrong, replies = Refused("unreadable"), list[Reply]()
        for sample in range(self.tries):
            sampling = again(self.sampling) if sample else self.sampling
            try:
                got = await filled(tools, self.model, form, wording, path="branch", sample=sample, sampling=sampling, **values)
                replies.append(got.reply)
                return Divided(read(got.values), got, tuple(replies))
            except Refused as refused:
                wrong = refused
        raise Refused(wrong.reason, f"{self.tries} divisions were asked for; the last: {wrong.detail}")


def again(sampling: Sampling | None) -> Sampling:
    """Of a further try: not greedy, for greedy decoding would repeat the first one."""
    base = sampling or Sampling()
    return base if base.temperature else base.model_copy(update={"temperature": AGAIN})
