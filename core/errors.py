"""Everything that can go wrong, by who has to act on it.

    DatalchemyError
    ├── RecipeError            the recipe or the command is wrong; nothing was spent           exit 2
    │   └── ResumeError        OUT holds another run than the recipe describes                 exit 2
    ├── RunStopped             the run ended early on purpose; what it has is usable
    │   ├── BudgetExhausted    no room left in the budget for the next call                    exit 3
    │   ├── RunPaused          early answers show that a setting is off                        exit 2
    │   └── BackendFatal       no call can succeed: key, model name, quota, server down        exit 5
    ├── CallError              one call failed for good: its record is `failed`, the run goes on
    │   ├── Rejected           the server refused this request (400, 413, 422)
    │   ├── BadResponse        an answer that cannot be read; the raw bytes are kept
    │   ├── RateLimited        429 until patience ran out
    │   ├── ServerFault        5xx until patience ran out
    │   ├── Disconnected       the connection failed or broke
    │   └── DeadlineExceeded   connect, first byte, idle or total deadline
    ├── Refused                a strategy refuses its own candidate, with a reason (a sample, not an error)
    ├── WorkerFault            a worker process died or ran out of time on one item
    ├── PartError              a strategy or filter raised: which one, on what
    └── StorageError           the ledger, the store or the output cannot be written or read   exit 1

A bad recipe is an exception before a token is spent; a bad sample is data.
"""

from __future__ import annotations

from collections.abc import Iterable


class DatalchemyError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class RecipeError(DatalchemyError):
    """The recipe is wrong.

    `where` is a place a person can go to (`recipe.yaml:12 filters[0].use`); the message says what was expected.
    """

    exit_code = 2

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class ResumeError(RecipeError):
    """OUT holds a run with another fingerprint; the message lists the fields that differ."""


class RunStopped(DatalchemyError):
    """The run ends here; nothing that was accepted is lost and nothing is marked failed for it."""

    exit_code = 3


class BudgetExhausted(RunStopped):
    """The next call does not fit into what is left of the budget."""


class RunPaused(RunStopped):
    """Early answers show that a setting is off; the message names it."""

    exit_code = 2


class BackendFatal(RunStopped):
    """No call to this model can succeed until somebody acts."""

    exit_code = 5


class CallError(DatalchemyError):
    """One call failed. `reason` is a stable short code; `retryable` says whether asking again can help."""

    reason = "call_failed"
    retryable = False

    def __init__(
        self, message: str, *, retry_after: float | None = None, raw: bytes = b"", reason: str = "", retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.raw = raw
        if reason:
            self.reason = reason
        if retryable is not None:
            self.retryable = retryable


class Rejected(CallError):
    """The server will not answer this request as it stands (400, 413, 422)."""

    reason = "rejected"


class BadResponse(CallError):
    """A 2xx answer that cannot be read: cut JSON, HTML, no choices, wrong n, null content, NaN."""

    reason = "bad_response"
    retryable = True


class RateLimited(CallError):
    """429."""

    reason = "rate_limited"
    retryable = True


class ServerFault(CallError):
    """5xx."""

    reason = "server_fault"
    retryable = True


class Disconnected(CallError):
    """The connection could not be made, or broke."""

    reason = "disconnected"
    retryable = True


class DeadlineExceeded(CallError):
    """A connect, first-byte, idle or total deadline passed."""

    reason = "deadline"
    retryable = True


class Refused(DatalchemyError):
    """Raised by a strategy that refuses what it made: the candidate is refused with this reason, not failed."""

    def __init__(self, reason: str, detail: str = "", score: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.score = score


class WorkerFault(DatalchemyError):
    """A worker process died, ran out of memory or of time on one item."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PartError(DatalchemyError):
    """A strategy or a filter raised something unexpected."""


class StorageError(DatalchemyError):
    """The ledger, the store or the output cannot be written or read (full disk, corruption, permissions)."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A tail for an error message: the closest valid name, then all of them."""
    import difflib  # an error may cost what a run must not

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}{'There' if hint else 'there'} are: {', '.join(names) or 'none'}"
