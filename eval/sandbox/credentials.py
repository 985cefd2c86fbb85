"""One thread as another user, for as long as it takes to start a process.

In the kernel, users and groups are a thread's own (libc, which changes them for all threads, is passed by here). What a thread starts
meanwhile is that user for good: on exec the saved user becomes the effective one, and the capabilities are gone (ambient ones, which
would stay, are given up before, by this thread for good). This spares each run the start of a `setpriv`, a seventh of what an empty
program in the sandbox costs.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

CALLS = {"x86_64": (117, 119, 116), "aarch64": (147, 149, 159)}
"""By machine the numbers of setresuid, setresgid and setgroups."""
AMBIENT, CLEAR_ALL = 47, 4
"""Of prctl. Kernels before 4.3 have no ambient capabilities, and refuse."""


@contextmanager
def other_user(user: int | None) -> Iterator[None]:
    """This thread as that user and group, and in no other group; None changes nothing. Needs root; raises OSError where it may not."""
    if user is None:
        yield
        return
    (real, _, saved), groups, group = os.getresuid(), os.getgroups(), os.getresgid()
    set_user, set_group, set_groups = CALLS[platform.machine()]
    try:
        _libc().prctl(AMBIENT, CLEAR_ALL, 0, 0, 0)
        _called(set_groups, *_list([]))
        _called(set_group, user, user, group[1])
        _called(set_user, user, user, 0)
        yield
    finally:
        _called(set_user, real, 0, saved)
        _called(set_group, *group)
        _called(set_groups, *_list(groups))


def _list(groups: Sequence[int]) -> tuple[int, ctypes.Array[ctypes.c_uint]]:
    return len(groups), (ctypes.c_uint * len(groups))(*groups)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _called(number: int, *arguments: object) -> None:
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    if _libc().syscall(ctypes.c_long(number), *words) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"another user: {os.strerror(code)}")
