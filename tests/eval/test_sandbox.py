"""The sandbox, by running what it must stop; each pitfall found by running it has a test, in both tiers where both have it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from datalchemy.core.errors import RecipeError
from datalchemy.core.sandbox import Limits, Program, Ran
from datalchemy.eval.sandbox import bubblewrap, local, seccomp
from datalchemy.eval.sandbox.local import LocalSandbox, probed

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox needs Linux")
only_a = pytest.mark.parametrize("kind", ["A"])


@pytest.fixture(params=["A", "B"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def room(kind: str) -> AsyncIterator[LocalSandbox]:
    if probed(kind).room is None:
        pytest.skip(f"no sandbox of tier {kind} here: {probed(kind).why}")
    async with LocalSandbox(kind, at_once=4) as sandbox:
        yield sandbox


async def python(room: LocalSandbox, code: str, stdin: bytes = b"", files: dict[str, bytes] | None = None, **limits: float) -> Ran:
    """Run a text as Python."""
    body = textwrap.dedent(code).encode()
    program = Program(argv=("python", "-s", "-S", "it.py"), files={"it.py": body, **(files or {})}, stdin=stdin, limits=Limits(**limits))
    return await room.run(program)


FORBIDDEN = """
import asyncio, ctypes, os, struct
from datalchemy import judge
from datalchemy.eval.sandbox import local, seccomp

_, arch, clone, _ = seccomp.MACHINES[os.uname().machine]
unshare, pidfd_open = seccomp.DENIED["unshare"][seccomp.MACHINES[os.uname().machine][0]], 434
words = [(0x20, 0, 0, 0), (0x15, 0, 1, 435), (6, 0, 0, 0x50000 | 38), (0x15, 0, 1, unshare), (6, 0, 0, 0x50001), (0x15, 0, 1, pidfd_open)]
words += [(6, 0, 0, 0x50001), (0x15, 0, 3, clone), (0x20, 0, 0, 16), (0x45, 0, 1, 0x7E020000), (6, 0, 0, 0x50001), (6, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("HBBI", *word) for word in words)
body = ctypes.create_string_buffer(code, len(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("HxxxxxxP", len(words), ctypes.addressof(body)), 0, 0) == 0, ctypes.get_errno()
print(local.probed().tier.split(",")[0])
answer = {"prompt": "?", "response": "def f(x): return x", "tests": '["assert f(1) == 1", "assert set([f(2)]) == set([2])"]'}
print(judge([answer], ["unit_tests"])[0].score)
"""
"""A process in which namespaces cannot be made, as under Docker's default profile."""


def strangers() -> set[int]:
    """Processes of the sandboxes' users, who exist for nothing else."""
    return {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if owner(pid) >= local.FIRST_USER}


def owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


class TestAProgram:
    async def test_reads_stdin_and_files_and_is_heard(self, room: LocalSandbox) -> None:
        code = "import sys\nprint(open('data').read() + input())\nprint('oh', file=sys.stderr)\nsys.exit(3)"
        ran = await python(room, code, b"there\n", {"data": b"hello "})
        assert (ran.stdout, ran.stderr, ran.status) == (b"hello there\n", b"oh\n", 3)
        assert not (ran.timed_out or ran.flooded or ran.infrastructure)

    async def test_may_be_another_than_python(self, room: LocalSandbox) -> None:
        ran = await room.run(Program(argv=("/usr/bin/tr", "a-z", "A-Z"), stdin=b"loud"))
        assert ran.stdout == b"LOUD"

    async def test_that_is_killed_by_a_signal_says_so(self, room: LocalSandbox) -> None:
        assert (await python(room, "import os\nos.abort()")).status == 134

    async def test_takes_much_input_that_it_never_reads(self, room: LocalSandbox) -> None:
        assert (await python(room, "print(1)", b"x" * (4 << 20))).stdout == b"1\n"

    async def test_a_name_of_a_file_names_no_folder(self, room: LocalSandbox) -> None:
        for name in ("../it", "a/b", "", "..", "a\0b"):
            with pytest.raises(ValueError, match="not a name"):
                await room.run(Program(argv=("python",), files={name: b""}))

    async def test_hashes_are_the_same_each_time(self, room: LocalSandbox) -> None:
        one, other = [await python(room, "print(hash('a'), list(set('abcdef')))") for _ in range(2)]
        assert one.stdout == other.stdout != b""


class TestWhatItSees:
    async def test_pitfall_1_no_environment_of_ours_not_even_that_of_pid_1(
        self, room: LocalSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CANARY_KEY", "sk-CANARY")
        code = """
            import os
            print(dict(os.environ))
            for pid in [1, 2, 3, os.getpid(), os.getppid()]:
                for name in ("environ", "cmdline", "mem", "maps"):
                    try: print(open(f"/proc/{pid}/{name}", "rb").read())
                    except OSError: pass
        """
        ran = await python(room, code)
        assert ran.stdout and b"CANARY" not in ran.stdout
        assert ran.stdout.count(b"\n") == 1

    async def test_pitfall_9_there_is_no_proc(self, room: LocalSandbox) -> None:
        ran = await python(room, "import os\ntry: print(os.listdir('/proc'))\nexcept OSError: print([])")
        assert ran.stdout == b"[]\n"

    async def test_files_of_the_machine_cannot_be_read(self, room: LocalSandbox, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("CANARY")
        (tmp_path / "secret").chmod(0o644)
        places = ["/etc/passwd", "/etc/shadow", str(tmp_path / "secret"), str(Path(__file__).resolve()), "/proc/self/environ", "/dev/kmsg"]
        code = f"for place in {places!r}:\n    try: print(open(place).read())\n    except OSError: print('no')"
        assert (await python(room, code)).stdout == b"no\n" * len(places)

    async def test_pitfall_6_no_descriptor_is_inherited(self, room: LocalSandbox, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("CANARY")
        leaked = os.open(tmp_path / "secret", os.O_RDONLY)
        os.set_inheritable(leaked, True)
        try:
            ran = await python(
                room, "import os\nfor fd in range(3, 128):\n    try: print(fd, os.fstat(fd))\n    except OSError: pass\nprint('end')"
            )
        finally:
            os.close(leaked)
        assert ran.stdout == b"end\n"

    async def test_pitfall_7_no_sockets_no_keys_no_io_uring(self, room: LocalSandbox) -> None:
        code = """
            import ctypes, os, socket
            for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 17, 38, 40):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                    try: socket.socket(family, kind); print("socket", family, kind)
                    except OSError as error: assert error.errno == 1, error
            libc = ctypes.CDLL(None, use_errno=True)
            for number in %r:
                ctypes.set_errno(0)
                if libc.syscall(number, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1: print("call", number, ctypes.get_errno())
            ctypes.set_errno(0)
            assert libc.syscall(435, 0, 0) == -1 and ctypes.get_errno() == 38, "clone3"
            print("end")
        """
        column = seccomp.MACHINES[os.uname().machine][0]
        numbers = [numbers[column] for name, numbers in seccomp.DENIED.items()]
        ran = await python(room, code % numbers)
        assert (ran.stdout, ran.stderr) == (b"end\n", b"")

    async def test_a_pair_of_sockets_of_its_own_is_allowed_for_asyncio_needs_one(self, room: LocalSandbox) -> None:
        ran = await python(room, "import asyncio\nasync def f(): print('ran')\nasyncio.run(f())")
        assert ran.stdout == b"ran\n"

    async def test_new_namespaces_and_users_cannot_be_made(self, room: LocalSandbox) -> None:
        code = """
            import ctypes, os
            libc = ctypes.CDLL(None, use_errno=True)
            for flags in (0x10000000, 0x00020000, 0x40000000):
                print(libc.unshare(flags))
            for uid in (0, 1000):
                try: os.setuid(uid); print("became", uid)
                except OSError: print("no")
            print(os.getuid() != 0)
        """
        assert (await python(room, code)).stdout == b"-1\n-1\n-1\nno\nno\nTrue\n"

    async def test_other_processes_cannot_be_signalled(self, room: LocalSandbox) -> None:
        us = os.getpid()
        code = f"import os\nfor pid in (1, {us}, {os.getppid()}):\n    try: os.kill(pid, 0); print('seen', pid)\n    except OSError: pass\nprint('end')"
        ran = await python(room, code)
        assert ran.stdout.replace(b"seen 1\n", b"") == b"end\n"


class TestWhatItMayWrite:
    @only_a
    async def test_pitfall_5_every_writable_place_has_a_size_of_its_own(self, room: LocalSandbox, kind: str) -> None:
        code = """
            import os
            for folder in ("/tmp", "/box"):
                written = 0
                try:
                    for n in range(100):
                        with open(f"{folder}/{n}", "wb") as file: written += file.write(bytes(1 << 20))
                except OSError as error: print(folder, written >> 20, error.errno)
        """
        ran = await python(room, code)
        assert [line.split()[0::2] for line in ran.stdout.decode().splitlines()] == [["/tmp", "28"], ["/box", "28"]]
        assert [int(line.split()[1]) <= 33 for line in ran.stdout.decode().splitlines()] == [True, True]

    async def test_nothing_else_can_be_written_not_even_the_memory_behind_dev(self, room: LocalSandbox) -> None:
        code = """
            import os
            for folder in ("/", "/dev", "/dev/shm", "/proc", "/usr", "/usr/lib", "/etc", "/var", "/var/tmp", "/home", "/root", "/run"):
                try: open(f"{folder}/probe-of-a-test", "w"); print("wrote", folder)
                except OSError: pass
            print("end")
        """
        assert (await python(room, code)).stdout == b"end\n"

    @only_a
    async def test_pitfall_8_what_one_run_wrote_no_other_sees_and_nothing_of_ours_is_writable(self, room: LocalSandbox, kind: str) -> None:
        await python(room, "import os\nopen('/tmp/left', 'w').write('x')\nos.symlink('/etc', '/box/link')")
        ran = await python(room, "import os\nprint(os.listdir('/tmp'), os.listdir('/box'))")
        assert ran.stdout == b"[] ['it.py']\n"
        words = list(bubblewrap._mounts(probed("A").room.interpreter))  # type: ignore[attr-defined]
        assert "--bind" not in words
        assert "--new-session" in words

    async def test_a_file_has_a_largest_size(self, room: LocalSandbox) -> None:
        code = "import resource, signal\nprint(resource.getrlimit(resource.RLIMIT_FSIZE)[1], resource.getrlimit(resource.RLIMIT_CORE))"
        assert (await python(room, code, file_mb=1)).stdout == b"1048576 (0, 0)\n"


class TestBombs:
    async def test_pitfall_2_and_3_each_of_three_fork_bombs_stops_at_its_own_limit(self, room: LocalSandbox) -> None:
        code = """
            import os, time
            made = 0
            try:
                while made < 200:
                    if os.fork() == 0: time.sleep(30); os._exit(0)
                    made += 1
            except OSError: pass
            print(made)
            time.sleep(0.5)
        """
        runs = await asyncio.gather(*(python(room, code, processes=12) for _ in range(3)))
        assert all(8 <= int(ran.stdout) <= 12 for ran in runs), runs

    async def test_a_fork_bomb_leaves_room_for_the_next_run(self, room: LocalSandbox) -> None:
        bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        for _ in range(4):
            runs = await asyncio.gather(*(python(room, bomb, processes=8, wall_s=0.4) for _ in range(4)))
            assert all(ran.timed_out for ran in runs)
            (ran,) = await asyncio.gather(python(room, "import os\nif os.fork() == 0: os._exit(0)\nprint(os.wait()[1])", processes=8))
            assert ran.stdout == b"0\n", ran

    async def test_pitfall_4_memory_is_bounded_by_processes_times_their_limit(self, room: LocalSandbox) -> None:
        code = """
            import os, time
            kept = []
            for _ in range(20):
                try:
                    if os.fork() == 0: break
                except OSError: pass
            try:
                while True: kept.append(bytearray(4 << 20))
            except MemoryError: print(len(kept) * 4, flush=True)
            time.sleep(1)
        """
        ran = await python(room, code, processes=4, memory_mb=96, wall_s=5)
        each = [int(line) for line in ran.stdout.split()]
        assert 1 <= len(each) <= 4
        assert max(each) <= 96

    async def test_output_without_end_is_cut_and_killed(self, room: LocalSandbox) -> None:
        began = time.monotonic()
        ran = await python(room, "while True: print('x' * 1000)", stdout_kb=100, wall_s=20)
        assert (ran.flooded, ran.timed_out, ran.status, len(ran.stdout)) == (True, False, None, 100 << 10)
        assert time.monotonic() - began < 10

    async def test_complaints_without_end_are_dropped(self, room: LocalSandbox) -> None:
        ran = await python(room, "import sys\nfor _ in range(2000): sys.stderr.write('x' * 1000)\nprint('end')", stderr_kb=4)
        assert (ran.stdout, len(ran.stderr), ran.flooded) == (b"end\n", 4 << 10, False)

    async def test_sleep_and_ignored_signals_end_with_the_time(self, room: LocalSandbox) -> None:
        code = (
            "import signal, time\nfor s in (1, 2, 3, 15, 20): signal.signal(s, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(100)"
        )
        ran = await python(room, code, wall_s=1)
        assert (ran.stdout, ran.timed_out, ran.status) == (b"here\n", True, None)
        assert 1 <= ran.seconds < 5

    async def test_processor_time_is_limited_too(self, room: LocalSandbox) -> None:
        ran = await python(room, "while True: pass", cpu_s=1, wall_s=30)
        assert (ran.status, ran.timed_out) == (137, False)

    async def test_daemons_do_not_outlive_their_run(self, room: LocalSandbox) -> None:
        code = """
            import os, sys, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.closerange(0, 3)
                    time.sleep(60)
                os._exit(0)
            print("left")
        """
        ran = await python(room, code, wall_s=20)
        assert (ran.stdout, ran.status) == (b"left\n", 0)
        assert ran.seconds < 10
        for _ in range(50):
            if not strangers():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(strangers())

    async def test_a_run_that_nobody_waits_for_is_killed(self, room: LocalSandbox) -> None:
        task = asyncio.ensure_future(python(room, "import time\ntime.sleep(60)", wall_s=60))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(50):
            if not strangers():
                break
            await asyncio.sleep(0.1)
        assert not strangers() or os.geteuid() != 0
        assert (await python(room, "print(1)")).stdout == b"1\n"


class TestTheTier:
    async def test_it_is_said_in_words(self, room: LocalSandbox, kind: str) -> None:
        assert (await room.tier()).startswith(f"{kind}: ")

    @only_a
    async def test_a_control_without_seccomp_is_found_out_by_the_probe(self, room: LocalSandbox, kind: str) -> None:
        everything = b"".join(__import__("struct").pack("HBBI", 0x06, 0, 0, 0x7FFF0000) for _ in range(1))
        weak = bubblewrap.Bubblewrap(probed("A").room.interpreter, everything)  # type: ignore[attr-defined]
        assert "open: sockets of family 1" in local._doors(weak)
        assert "open: keyctl" in local._doors(weak)

    @only_a
    async def test_a_control_that_shows_a_file_is_found_out_by_the_probe(self, room: LocalSandbox, kind: str) -> None:
        found = probed("A").room
        weak = bubblewrap.Bubblewrap(found.interpreter, seccomp.program())  # type: ignore[attr-defined]
        weak._mounts = [*weak._mounts, "--ro-bind", "/etc/passwd", "/etc/passwd"]
        assert "open: reading /etc/passwd" in local._doors(weak)

    async def test_without_bubblewrap_and_landlock_nothing_runs_and_the_message_says_what_to_install(self) -> None:
        async with LocalSandbox("") as none:
            with pytest.raises(RecipeError, match=r"no_sandbox: .*apt-get install bubblewrap"):
                await none.run(Program(argv=("python", "-c", "print(1)")))

    def test_a_missing_command_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "bwrap" in probed.__wrapped__("A").why

    @only_a
    async def test_masked_proc_of_a_container_changes_nothing(self, room: LocalSandbox, kind: str) -> None:
        words = list(bubblewrap._mounts(probed("A").room.interpreter))  # type: ignore[attr-defined]
        assert "--proc" not in words
        assert words[words.index("/proc") - 1] == "--dir"

    async def test_a_broken_sandbox_is_infrastructure_not_the_programs_fault(self) -> None:
        if probed("A").room is None:
            pytest.skip(f"no bubblewrap here: {probed('A').why}")
        broken = bubblewrap.Bubblewrap(probed("A").room.interpreter, seccomp.program())  # type: ignore[attr-defined]
        broken._mounts = ["--ro-bind", "/nowhere", "/nowhere"]
        ran = broken.run(Program(argv=("python", "-c", "print(1)")), local._next_user(), __import__("threading").Event())
        assert ran.infrastructure.startswith("bwrap: ")
        assert ran.status is None

    def test_nothing_is_probed_or_started_before_it_is_asked(self) -> None:
        code = "import asyncio, json\nfrom datalchemy.eval.sandbox import local\n"
        code += "async def f():\n    async with local.LocalSandbox(): pass\nasyncio.run(f())\nprint(local.probed.cache_info().misses)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="tier B needs root")
    def test_where_a_container_forbids_namespaces_tier_b_is_taken(self) -> None:
        if probed("A").room is None:
            pytest.skip(f"no bubblewrap here: {probed('A').why}")
        done = subprocess.run([sys.executable, "-c", FORBIDDEN], capture_output=True, text=True, check=False)
        assert done.stdout.splitlines() == ["B: Landlock", "1.0"], done.stderr

    def test_users_are_such_as_a_container_knows(self, tmp_path: Path) -> None:
        for text, first in (
            ("0 0 4294967295\n", local.FIRST_USER + 7 * 128),
            ("0 100000 65536\n", 40_000 + 7 * 128),
            ("?", 40_000 + 7 * 128),
        ):
            (tmp_path / "uid_map").write_text(text)
            assert local._first_user(7, tmp_path / "uid_map") == first

    def test_the_filter_is_whole_on_each_machine_that_is_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for machine in seccomp.MACHINES:
            monkeypatch.setattr(seccomp.platform, "machine", lambda machine=machine: machine)
            assert len(seccomp.program()) % 8 == 0
            assert len(seccomp.program()) // 8 < 4096
        monkeypatch.setattr(seccomp.platform, "machine", lambda: "sparc")
        assert not seccomp.supported()
        assert "machine" in probed.__wrapped__("AB").why
