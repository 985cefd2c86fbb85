"""A thread as another user: what it starts is that user, it is itself again afterwards, and other threads never notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from datalchemy.eval.sandbox.credentials import other_user

SOMEBODY = 1_000_000_007
pytestmark = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root")


def who(status: str = "/proc/thread-self/status") -> dict[str, str]:
    lines = (line.split(":", 1) for line in Path(status).read_text().splitlines())
    return {key: " ".join(value.split()) for key, value in lines if key in ("Uid", "Gid", "Groups", "CapPrm", "CapEff")}


def started() -> dict[str, str]:
    text = subprocess.run(["/bin/cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    lines = (line.split(":", 1) for line in text.splitlines())
    return {key: " ".join(value.split()) for key, value in lines if key in ("Uid", "Gid", "Groups", "CapPrm", "CapEff")}


def test_what_is_started_is_that_user_for_good_and_without_capabilities() -> None:
    before = who()
    with other_user(SOMEBODY):
        child = started()
    assert child == {
        "Uid": " ".join([str(SOMEBODY)] * 4), "Gid": " ".join([str(SOMEBODY)] * 4), "Groups": "", "CapPrm": "0" * 16, "CapEff": "0" * 16,
    }  # fmt: skip
    assert who() == before
    assert started()["Uid"] == "0 0 0 0"  # the control: without it a child is what we are


def test_other_threads_stay_who_they_are() -> None:
    inside, looked = Event(), Event()

    def other() -> dict[str, str]:
        with other_user(SOMEBODY):
            inside.set()
            looked.wait(10)
            return who()

    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(other)
        assert inside.wait(10)
        mine = who()
        looked.set()
        assert future.result(10)["Uid"] == f"{SOMEBODY} {SOMEBODY} 0 {SOMEBODY}"
        assert threads.submit(who).result(10)["Uid"] == "0 0 0 0"
    assert mine["Uid"] == "0 0 0 0"


def test_an_error_in_between_leaves_nobody_behind() -> None:
    with pytest.raises(OSError, match="nothing_there"), other_user(SOMEBODY):
        subprocess.run(["/nothing_there"], check=False)
    assert who()["Uid"] == "0 0 0 0"


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv gives the ambient capabilities")
def test_ambient_capabilities_do_not_reach_what_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """They outlive an exec by a user who is not root. The control: without giving them up, they are there."""
    code = """
import subprocess, sys
from datalchemy.eval.sandbox import credentials
if sys.argv[1] == "kept":
    credentials.AMBIENT = 9999
with credentials.other_user(1_000_000_007):
    print(subprocess.run(["/bin/grep", "CapPrm", "/proc/self/status"], capture_output=True, text=True).stdout.split()[1])
"""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    given = ["setpriv", "--inh-caps=+net_raw", "--ambient-caps=+net_raw", "--", sys.executable, "-c", code]
    found = [subprocess.run([*given, how], capture_output=True, text=True, check=True).stdout.strip() for how in ("given up", "kept")]
    assert found == ["0" * 16, f"{1 << 13:016x}"]


def test_nobody_else_is_no_change() -> None:
    before = who()
    with other_user(None):
        assert who() == before
