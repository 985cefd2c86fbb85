"""One candidate, its cases run in one fresh sandbox, and what came of each."""

from __future__ import annotations

import asyncio
import json
import marshal
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.sandbox import PYTHON, Limits, Program, Ran, Sandbox
from ._code_tests import BadTests, Suite

PIECES = {"call": ("_code_candidate", "_code_runner"), "check": ("_code_candidate", "_code_checks", "_code_runner")}
"""By mode the modules that run in the sandbox, in the order in which they are loaded."""
BOOT = """\
import gc, marshal, posix, sys
gc.disable()
def read(size):
    got = b""
    while len(got) < size:
        piece = posix.read(0, size - len(got))
        if not piece: posix._exit(1)
        got += piece
    return got
sys.modules["verify"] = package = type(sys)("verify"); package.__path__ = []
for name, code in marshal.loads(read(int.from_bytes(read(4), "big"))):
    module = sys.modules["verify." + name] = type(sys)("verify." + name)
    module.__package__ = "verify"
    exec(code, module.__dict__)
module.main()
"""
COMPILE = """\
import __future__, marshal, sys
flag, line = __future__.annotations.compiler_flag, "from __future__ import annotations\\n"
def made(name):
    with open(name) as file:
        return name, compile(file.read().replace(line, "", 1), name + ".py", "exec", flag, dont_inherit=True, optimize=2)
pieces = [[made(name) for name in names.split(",")] for names in sys.argv[1:]]
sys.stdout.buffer.write(marshal.dumps([marshal.dumps(piece) for piece in pieces], 2))
"""
LARGE = 1 << 16
"""Bytes and characters from which on reading and comparing leave the event loop."""
START_S = 4.0
"""For the start of the sandbox, beside the candidate's own time."""
FORMAT = 2
"""Of marshal: data that every Python reads."""


@dataclass(frozen=True)
class Outcome:
    """What the sandbox said of all cases."""

    replies: dict[int, list[Any]]
    """By number of the case; under -1 what kept the candidate from being loaded."""
    ended: bool
    timed_out: bool = False
    flooded: bool = False
    infrastructure: str = ""
    size: int = 0
    """Bytes that it said."""


async def compiled(sandbox: Sandbox) -> dict[str, bytes]:
    """The modules above by mode, compiled by the sandbox's own Python, which may be another than ours; once for a filter."""
    sources = {name: Path(__file__).with_name(f"{name}.py").read_bytes() for names in PIECES.values() for name in names}
    program = Program(argv=(PYTHON, "-s", "-S", "-c", COMPILE, *map(",".join, PIECES.values())), files=sources)
    ran = await sandbox.run(program)
    if ran.infrastructure or ran.status != 0 or not ran.stdout:
        raise RuntimeError(f"the sandbox did not start: {ran.infrastructure or ran.stderr.decode('utf-8', 'replace')}")
    return dict(zip(PIECES, marshal.loads(ran.stdout), strict=True))  # noqa: S302 (of our own modules, nothing else ran there)


async def outcome(
    sandbox: Sandbox, runner: dict[str, bytes], suite: Suite, code: str, *, timeout_s: float, total_s: float, limits: Limits
) -> Outcome:
    """Run all cases of one candidate; a sandbox that does not start is tried once more."""
    nonce = secrets.token_hex(16)
    total = min(total_s, timeout_s * (len(suite.cases) + 1))
    task = {
        "mode": suite.mode, "code": code, "entry": suite.entry, "timeout": timeout_s, "total": total,
        "reply_bytes": limits.stdout_kb << 10,
    }  # fmt: skip
    asks = [case.ask for case in suite.cases]
    rest: dict[str, Any] = {"nonce": nonce, "cases": asks}
    if suite.mode == "check":
        rest = {"nonce": nonce, "tests": asks, "prompt": suite.prompt, "setup": suite.setup, "entry": suite.entry}
    try:
        frames = (runner.get(suite.mode, runner["call"]), marshal.dumps(task, FORMAT), marshal.dumps(rest, FORMAT))
    except ValueError as error:
        raise BadTests(f"bad_tests: they hold what is no data: {error}") from error
    stdin = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    room = limits.model_copy(update={"wall_s": total + START_S, "stdout_kb": min(len(asks) + 1, 16) * (limits.stdout_kb * 2 + 64)})
    program = Program(argv=(PYTHON, "-s", "-S", "-c", BOOT), stdin=stdin, limits=room)
    for _ in range(2):
        ran = await sandbox.run(program)
        if ran.stdout.startswith(b"ready\n"):
            return await asyncio.to_thread(_told, ran, nonce) if len(ran.stdout) > LARGE else _told(ran, nonce)
    why = ran.infrastructure or f"its supervisor did not start: {ran.stderr.decode('utf-8', 'replace')[-200:]}"
    return Outcome({}, ended=False, infrastructure=why)


def _told(ran: Ran, nonce: str) -> Outcome:
    """The frames that carry the nonce; what is none of them ends the reading."""
    replies: dict[int, list[Any]] = {}
    body, ended = ran.stdout[len(b"ready\n") :], False
    while body and not ended:
        line, newline, rest = body.partition(b"\n")
        words = line.split(b" ")
        if not newline or len(words) != 3 or words[0] != nonce.encode() or not words[2].isdigit():
            break
        size = int(words[2])
        ended = words[1] == b"end"
        if not ended and len(rest) > size:
            replies.setdefault(int(words[1]), _reply(rest[:size]))
        body = rest[size + 1 :]
    return Outcome(replies, ended, timed_out=ran.timed_out, flooded=ran.flooded, size=len(ran.stdout))


def _reply(body: bytes) -> list[Any]:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return ["unreadable"]
    return reply if isinstance(reply, list) and reply and isinstance(reply[0], str) else ["unreadable"]
