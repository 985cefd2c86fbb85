"""Runs inside of the sandbox, in the supervisor: tests that are code. The candidate is in another process; what tests call
are stand-ins that send the arguments there and get data back, so that nothing the candidate makes can cheat a comparison."""

from __future__ import annotations

import builtins
import time
from _json import make_scanner
from _signal import SIGALRM, setitimer, signal  # type: ignore[import-not-found]

from ._code_candidate import Stop, quoted

TYPE_CHECKING = False  # the real one costs its module's import
if TYPE_CHECKING:
    from typing import Any

REAL_TIME = 0
"""ITIMER_REAL."""


class Plain:
    """JSON as it is, for the scanner beneath `json`, whose own import takes longer than most tests."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = float
    parse_int = int


def loads(body: bytes) -> Any:
    """JSON from a reply. Raises ValueError."""
    text = body.decode("ascii")
    try:
        value, end = make_scanner(Plain)(text, 0)  # type: ignore[arg-type]
    except StopIteration:
        end = -1
    if end != len(text):
        raise ValueError("no JSON")
    return value


class NotData:
    """What the candidate returned where that is no data: equal to nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: str) -> None:
        self.__dict__["kind"] = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} of an object of type {self.kind}, which is no data")

    def __repr__(self) -> str:
        return f"<{self.kind}: no data>"


class Calls:
    """The way to the candidate, with the time limit of the test that is running."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.deadline = 0.0
        self.made = 0

    def function(self, name: str) -> Any:
        """The stand-in for the candidate's function of that name."""

        def stand_in(*args: Any, **named: Any) -> Any:
            self.made += 1
            arguments = list(args)
            if any(isinstance(one, NotData) or hasattr(one, "__next__") for one in arguments):
                raise TypeError(f"{name} is given something that is no data")  # the candidate must not bring about an abstention
            try:
                reply = loads(self.session.call({"name": name, "args": arguments, "named": named, "after": True}, self.deadline))
            except ValueError as error:
                if not self.session.alive:
                    raise Stop("died") from None
                raise Stop("unsupported", f"arguments that are no data: {error}") from None
            if reply[0] != "value":
                raise _error(reply)
            for before, after in zip(args, decoded(reply[2]) or (), strict=False):
                _overwrite(before, after)
            return decoded(reply[1])

        return stand_in


def decoded(tagged: Any) -> Any:
    """Data from tagged JSON. Raises ValueError or TypeError where it is none."""
    if not isinstance(tagged, list):
        return tagged
    tag, *items = tagged
    match tag:
        case "l":
            return [decoded(one) for one in items]
        case "t":
            return tuple(decoded(one) for one in items)
        case "s":
            return {decoded(one) for one in items}
        case "d":
            return {decoded(key): decoded(value) for key, value in items}
        case "it":
            return iter([decoded(one) for one in items])
        case "i":
            return int(items[0], 16)
        case "f":
            return float(items[0])
        case "b":
            return bytes.fromhex(items[0])
        case "c":
            return complex(decoded(items[0]), decoded(items[1]))
        case _:
            return NotData(str(items[0])[:80])


def _overwrite(before: Any, after: Any) -> None:
    """What the candidate did to an argument in place."""
    if type(before) is not type(after):
        return
    if isinstance(before, list):
        before[:] = after
    elif isinstance(before, (dict, set)):
        before.clear()
        before.update(after)


def _error(reply: list[Any]) -> BaseException:
    """The candidate's exception, as one of the built-in ones."""
    if reply[0] == "missing":
        return NameError(f"the code defines no {reply[1]}")
    kind = getattr(builtins, str(reply[1]), None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, UnicodeError):
        kind = RuntimeError
    return kind(str(reply[2]))


def run_checks(task: dict[str, Any], rest: dict[str, Any], tell: Any, session: Any) -> None:
    """Each text of `tests` is a case; the prompt's own helpers come before the candidate's functions of the same name."""
    calls = Calls(session)
    try:
        loaded = session.hear(time.monotonic() + task["timeout"])
    except Stop as stop:
        tell(-1, f'["{stop.how}",{quoted(stop.why)}]')
        return
    if not loaded.startswith(b'["loaded"'):
        tell(-1, loaded.decode("ascii", "replace"))
        return
    names = {name: calls.function(name) for name in decoded(loads(loaded)[1]) if not hasattr(builtins, name)}

    def over(number: int, frame: object) -> None:
        raise Stop("timeout")

    signal(SIGALRM, over)
    for index, text in enumerate(rest["tests"]):
        left = min(task["timeout"], task["end"] - time.monotonic())
        if left <= 0:
            return
        calls.deadline, calls.made = time.monotonic() + left, 0
        setitimer(REAL_TIME, left + 0.05)
        try:
            reply = one_test(text, rest, names, calls)
        except Stop as stop:
            reply = f'["{stop.how}",{quoted(stop.why)}]'
        setitimer(REAL_TIME, 0)
        tell(index, reply)


def one_test(text: str, rest: dict[str, Any], names: dict[str, Any], calls: Calls) -> str:
    try:
        space: dict[str, Any] = {"__name__": "tests", **names}
        try:
            prompt = compile(rest["prompt"], "prompt.py", "exec", dont_inherit=True)
        except SyntaxError:  # it ends with the head of the function
            prompt = compile(rest["prompt"].rstrip() + "\n    pass\n", "prompt.py", "exec", dont_inherit=True)
        exec(prompt, space)  # noqa: S102 (in the sandbox)
        if rest["entry"]:
            space[rest["entry"]] = space["candidate"] = calls.function(rest["entry"])
        test = compile(rest["setup"] + "\n" + text, "tests.py", "exec", dont_inherit=True)
    except Exception as error:
        return f'["unsupported",{quoted(f"the tests cannot be read: {type(error).__name__}: {error}"[:200])}]'
    try:
        exec(test, space)  # noqa: S102
    except AssertionError as error:
        return f'["failed",{quoted(str(error)[:200])}]'
    except BaseException as error:
        if isinstance(error, Stop):
            raise
        return f'["raised",{quoted(type(error).__name__)},{quoted(str(error)[:200])}]'
    return f'["passed",{calls.made}]'
