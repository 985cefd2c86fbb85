"""`redact`: records a second where there is nothing to replace, and where there is. Its accuracy is that of `privacy`."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate

from ._private_texts import positives
from ._records import worked


def speed() -> Iterator[Line]:
    yield above("records of 400 characters", rate("redact", worked()), 2000)
    held = [
        Record(content=Conversation(messages=(user("Who?"), assistant(one.text))), origin=str(n)) for n, one in enumerate(positives(100))
    ]
    yield plain("records of 60 characters, each with a value to replace", rate("redact", held))
