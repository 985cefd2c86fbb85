"""Runs inside of the sandbox, in a child of the supervisor: the candidate, as a program or as functions that are called."""

from __future__ import annotations

import marshal
import posix as os  # all of `os` that is needed here, without the milliseconds of the rest
import select
import sys
import time

TYPE_CHECKING = False  # the real one costs its module's import
if TYPE_CHECKING:
    from typing import Any


ESCAPES = {at: f"\\u{at:04x}" for at in (*range(32), 127)} | {34: '\\"', 92: "\\\\"}
SHORT = 1000


def quoted(text: str) -> str:
    """A text as JSON in ASCII. The one of `json` comes from a library that takes longer to load than most candidates run."""
    if text.isascii() and len(text) < SHORT:
        return f'"{text.translate(ESCAPES)}"'
    from _json import encode_basestring_ascii

    return encode_basestring_ascii(text)


class Stop(BaseException):
    """Ends a case, from wherever it is: `timeout`, `died`, `flooded`, `unsupported`."""

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how, why)
        self.how, self.why = how, why


def encoded(value: Any, depth: int = 0) -> str:
    """A value as tagged JSON: exact types, nothing but data. What is no data is `["o", type]`."""
    if depth > 200:
        return '["o","too deep"]'
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(str.__str__(value))
    if isinstance(value, int):
        number = int.__index__(value)
        return int.__repr__(number) if -(1 << 63) < number < 1 << 63 else f'["i","{number:x}"]'
    if isinstance(value, float):
        fraction = float.__float__(value)
        return float.__repr__(fraction) if fraction - fraction == 0 else f'["f","{float.__repr__(fraction)}"]'
    return _collection(value, depth + 1)


def _collection(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        return "".join(('["d"', *(f",[{encoded(k, depth)},{encoded(v, depth)}]" for k, v in dict.items(value)), "]"))
    kinds: tuple[tuple[Any, str], ...] = ((list, "l"), (tuple, "t"), (set, "s"), (frozenset, "s"))
    for kind, tag in kinds:
        if isinstance(value, kind):
            return "".join((f'["{tag}"', *("," + encoded(one, depth) for one in kind.__iter__(value)), "]"))
    if isinstance(value, (bytes, bytearray)):
        return f'["b","{bytes(value).hex()}"]'
    if isinstance(value, complex):
        return f'["c",{encoded(value.real)},{encoded(value.imag)}]'
    if hasattr(value, "__next__") or isinstance(value, (range, type({}.keys()), type({}.values()), type({}.items()))):
        return "".join(('["it"', *("," + encoded(one, depth) for one in value), "]"))
    return f'["o",{quoted(type(value).__name__[:80])}]'


def described(error: BaseException) -> str:
    """An exception as a reply."""
    try:
        message = str(error)[:200]
    except BaseException:
        message = "?"
    return f'["raised",{quoted(type(error).__name__[:80])},{quoted(message)}]'


def read_exactly(fd: int, size: int, deadline: float | None = None) -> bytes:
    """Raises Stop where the other side has gone or the time is over."""
    got = bytearray()
    while len(got) < size:
        if deadline is not None and not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise Stop("timeout")
        piece = os.read(fd, min(size - len(got), 1 << 20))
        if not piece:
            raise Stop("died")
        got += piece
    return bytes(got)


def read_frame(fd: int, deadline: float | None = None, most: int = 1 << 30) -> bytes:
    size = int.from_bytes(read_exactly(fd, 4, deadline), "big")
    if size > most:
        raise Stop("flooded")
    return read_exactly(fd, size, deadline)


def write_all(fd: int, body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[os.write(fd, view) :]


def write_frame(fd: int, body: bytes) -> None:
    write_all(fd, len(body).to_bytes(4, "big") + body)


def module(name: str, code: Any) -> Any:
    """The candidate, run as a module of that name. Raises whatever it raises."""
    made = type(sys)(name)
    sys.modules[name] = made
    exec(code, made.__dict__)  # noqa: S102 (this is what a sandbox is for)
    return made


def read_code(code: str) -> Any:
    """The candidate compiled; a text, which is a reply, where it cannot be."""
    try:
        return compile(code, "candidate.py", "exec", dont_inherit=True)
    except BaseException as error:
        return described(error).replace('"raised"', '"compile_error"', 1)


# --- in a child: the candidate as a program that reads stdin


def play_program(code: str, status: int) -> None:
    """Run it as a program, to its end; the reply says how it ended."""
    reply = '["ended",0]'
    compiled = read_code(code)
    if isinstance(compiled, str):
        reply = compiled
    else:
        try:
            module("__main__", compiled)
            if "threading" in sys.modules:
                sys.modules["threading"]._shutdown()
        except SystemExit as end:
            reply = f'["ended",{0 if end.code in (None, 0, False) else 1}]'
        except BaseException as error:
            reply = described(error)
    for name in ("stdout", "__stdout__"):
        try:
            getattr(sys, name).flush()
        except BaseException:
            reply = reply if name == "stdout" else '["raised","OSError","stdout cannot be written"]'
    write_frame(status, reply.encode())


# --- in a child: the candidate as functions that are called


def play_functions(code: str, entry: str, asked: int, said: int) -> None:
    """Load it, then serve calls until nobody asks any more."""
    compiled = read_code(code)
    if isinstance(compiled, str):
        write_frame(said, compiled.encode())
        return
    try:
        loaded = module("candidate", compiled)
        names = [name for name, value in list(loaded.__dict__.items()) if callable(value) and not name.startswith("__")]
        write_frame(said, f'["loaded",{encoded(names)}]'.encode())
    except SystemExit:
        write_frame(said, b'["raised","SystemExit","it ends while it is loaded"]')
        return
    except BaseException as error:
        write_frame(said, described(error).encode())
        return
    while True:
        try:
            ask = marshal.loads(read_frame(asked))  # noqa: S302 (from the supervisor)
        except Stop:
            return
        write_frame(said, answer(loaded, entry, ask).encode())


def answer(loaded: Any, entry: str, ask: dict[str, Any]) -> str:
    try:
        if "eval" in ask:
            return f'["value",{encoded(eval(ask["eval"], loaded.__dict__))}]'  # noqa: S307
        function = find(loaded, ask.get("name") or entry)
        if function is None:
            return f'["missing",{quoted(ask.get("name") or entry)}]'
        arguments, named = ask["args"], ask.get("named") or {}
        value = encoded(function(*arguments, **named))
        after = encoded(list(arguments)) if ask.get("after") else "null"
        return f'["value",{value},{after}]'
    except BaseException as error:
        return described(error)


def find(loaded: Any, name: str) -> Any:
    """A function of that name, or the method of LeetCode's `class Solution`."""
    if name in loaded.__dict__:
        return loaded.__dict__[name]
    solution = loaded.__dict__.get("Solution")
    return getattr(solution(), name, None) if isinstance(solution, type) else None
