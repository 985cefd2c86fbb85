"""Runs inside of the sandbox: the supervisor of one candidate. Only the standard library, and little of it: it starts for each.

It reads two frames from stdin: first what the candidate is, then (with the nonce) the cases, or the tests where those have to
run here too. The candidate runs in children that cannot reach the supervisor: no descriptor, no ptrace, no /proc; where tests
run here, its one child was forked before they were read. A case's result is a frame on stdout that starts with the nonce.
The right answers of other forms never come here.
"""

from __future__ import annotations

import gc
import marshal
import posix as os  # all of `os` that is needed here, without the milliseconds of the rest
import select
import sys
import time

from ._code_candidate import Stop, play_functions, play_program, quoted, read_exactly, read_frame, write_all

TYPE_CHECKING = False  # the real one costs its module's import
if TYPE_CHECKING:
    from typing import Any

PIPE = 32 << 10
"""Bytes that a pipe takes without anybody reading."""


def child(play: Any, keep: dict[int, int]) -> int:
    """Fork; the child has the descriptors `keep` (number there: number here), 0 to 2 else go nowhere, and no others."""
    gc.freeze()  # what is there is not walked through, and so not copied, in the child
    pid = os.fork()
    if pid:
        return pid
    gc.enable()
    try:
        nowhere = os.open("/dev/null", os.O_RDWR)
        moved = {target: os.dup(source) for target, source in keep.items()}
        for target in (0, 1, 2, *moved):
            os.dup2(moved.get(target, nowhere), target)
        os.closerange(5, 128)
        for fd in {3, 4} - set(moved):
            try:
                os.close(fd)
            except OSError:
                continue
        play()
    except BaseException:
        os._exit(1)
    os._exit(0)


class Session:
    """A child with the candidate loaded, to be called."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.most = task["reply_bytes"]
        asked, self.ask = os.pipe()
        self.said, said = os.pipe()
        self.pid = child(lambda: play_functions(task["code"], task["entry"], 3, 4), {3: asked, 4: said})
        os.close(asked)
        os.close(said)
        self.alive = True

    def hear(self, deadline: float) -> bytes:
        """The next reply. Raises Stop, and is then over."""
        try:
            return read_frame(self.said, deadline, self.most)
        except Stop as stop:
            if stop.how == "died":
                status = self.end(kill=False)
                stop.why = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"
            else:
                self.end()
            raise

    def send(self, body: bytes) -> None:
        """A child that is gone is noticed when it is heard: what it said before it went counts."""
        try:
            write_all(self.ask, body)
        except OSError:
            return

    def call(self, ask: dict[str, Any], deadline: float) -> bytes:
        frame = marshal.dumps(ask)
        self.send(len(frame).to_bytes(4, "big") + frame)
        return self.hear(deadline)

    def end(self, kill: bool = True) -> int:
        if not self.alive:
            return 0
        self.alive = False
        limit = time.monotonic() + (0 if kill else 0.2)
        status = 0
        while time.monotonic() < limit:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.002)
        else:
            os.kill(self.pid, 9)
            _, status = os.waitpid(self.pid, 0)
        os.close(self.ask)
        os.close(self.said)
        return status


def run_programs(task: dict[str, Any], cases: list[Any], tell: Any) -> None:
    """Each case is a program of its own: a fresh child, its stdin, its stdout."""
    for index, case in enumerate(cases):
        if time.monotonic() > task["end"]:
            return
        tell(index, one_program(task, case.encode("utf-8", "surrogatepass")))


def one_program(task: dict[str, Any], given: bytes) -> str:
    reader, feed = os.pipe()
    out, writer = os.pipe()
    said, status = os.pipe()
    pid = child(lambda: play_program(task["code"], 3), {0: reader, 1: writer, 3: status})
    for fd in (reader, writer, status):
        os.close(fd)
    os.set_blocking(feed, False)
    got, how, view, gone = bytearray(), "", memoryview(given), False
    deadline = min(time.monotonic() + task["timeout"], task["end"])
    try:
        while not how:
            writing = [feed] if feed >= 0 else []
            left = deadline - time.monotonic()
            readable, writable, _ = select.select([out], writing, [], 0 if gone else max(0.0, min(left, 0.05)))
            if writable:
                try:
                    view = view[os.write(feed, view[:65536]) :] if view else view
                except OSError:
                    view = view[:0]
                if not view:
                    os.close(feed)
                    feed = -1
            if readable:
                piece = os.read(out, 65536)
                got += piece
                how = "" if piece else "closed"
            elif gone:
                how = "closed"  # something it started holds on to its stdout, but all that it wrote itself is read
            elif left > 0:
                gone = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            if len(got) > task["reply_bytes"]:
                how = "flooded"
            if not how and left <= 0:
                how = "timeout"
        return ended(pid, how, said, deadline, got)
    finally:
        for fd in (feed, out, said):
            if fd >= 0:
                os.close(fd)


def ended(pid: int, how: str, said: int, deadline: float, got: bytearray) -> str:
    """How a program ended, and what it wrote, as a reply."""
    nap = 0.0001
    while how == "closed":
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            how = "timeout"
        time.sleep(nap)
        nap = min(nap * 2, 0.01)
    else:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        return f'["{how}"]'
    if os.WIFSIGNALED(status) or os.WEXITSTATUS(status):
        why = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"
        return f'["died",{quoted(why)}]'
    try:
        os.set_blocking(said, False)
        reply = read_exactly(said, int.from_bytes(read_exactly(said, 4)[-3:], "big")).decode("ascii", "replace")
    except (Stop, OSError):
        reply = '["ended",0]'  # it left by os._exit(0); what it wrote counts
    return f'["output",{reply},{quoted(got.decode("utf-8", "replace"))}]'


def run_calls(task: dict[str, Any], cases: list[Any], tell: Any, session: Session) -> None:
    """All cases in one child; after one that hangs or kills it, the next case gets a new child."""
    index, fresh = 0, True
    while index < len(cases) and time.monotonic() < task["end"]:
        if not session.alive:
            session, fresh = Session(task), True
        count, body = batch(cases, index)
        try:
            if len(body) <= PIPE:
                session.send(body)
            if fresh:
                loaded = session.hear(min(time.monotonic() + task["timeout"], task["end"]))
                if not loaded.startswith(b'["loaded"'):
                    tell(-1, loaded.decode("ascii", "replace"))
                    return
                fresh = False
            if len(body) > PIPE:
                session.send(body)
            for _ in range(count):
                reply = session.hear(min(time.monotonic() + task["timeout"], task["end"]))
                tell(index, reply.decode("ascii", "replace"))
                index += 1
        except Stop as stop:
            tell(index, f'["{stop.how}",{quoted(stop.why)}]')
            index += 1


def batch(cases: list[Any], first: int) -> tuple[int, bytes]:
    """As many calls as fit into a pipe, so that they need no waiting for each other; at least one."""
    body, count = b"", 0
    for case in cases[first:]:
        frame = marshal.dumps(case)
        if count and len(body) + len(frame) + 4 > PIPE:
            break
        body += len(frame).to_bytes(4, "big") + frame
        count += 1
    return count, body


def main() -> None:
    sys.path[:] = [path for path in sys.path if path]
    write_all(1, b"ready\n")
    task = marshal.loads(read_frame(0))  # noqa: S302 (from the process that started us)
    task["end"] = time.monotonic() + task["total"]
    session = Session(task) if task["mode"] != "program" else None
    rest = marshal.loads(read_frame(0))  # noqa: S302
    nonce = rest["nonce"]

    said = bytearray()

    def tell(index: int, reply: str) -> None:
        body = reply.encode("ascii", "replace")
        said.extend(f"{nonce} {index} {len(body)}\n".encode() + body + b"\n")
        if len(said) > PIPE:
            write_all(1, bytes(said))
            said.clear()

    if task["mode"] == "program":
        run_programs(task, rest["cases"], tell)
    elif task["mode"] == "call" and session is not None:
        run_calls(task, rest["cases"], tell, session)
    elif session is not None:
        from ._code_checks import run_checks

        run_checks(task, rest, tell, session)
    write_all(1, bytes(said) + f"{nonce} end 0\n\n".encode())
    os._exit(0)
