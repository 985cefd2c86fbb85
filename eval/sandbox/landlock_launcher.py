"""Runs on the way into a tier B sandbox, as the sandbox's own user: shuts the doors behind itself and becomes the program.

`python -I -S landlock_launcher.py READABLE:READABLE... FILTER_IN_HEX -- ARGV...`; it knows nothing of the package.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

CREATE, ADD, RESTRICT = 444, 445, 446
"""Landlock's system calls, the same numbers on all machines."""
READ = 0b1101
"""EXECUTE, READ_FILE, READ_DIR."""
READ_ONE, WRITE_ONE = 0b100, 0b10
BENEATH = 1
NO_NEW_PRIVS, SET_SECCOMP, SECCOMP_FILTER = 38, 22, 2


def main(readable: str, filters: str, argv: list[str]) -> None:
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        sys.exit("landlock: this kernel has none")
    checked(kernel.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    ruleset = checked(create(kernel, version), "ruleset")
    for path in readable.split(":"):
        allow(kernel, ruleset, path, READ)
    allow(kernel, ruleset, "/dev/null", READ_ONE | WRITE_ONE)
    allow(kernel, ruleset, "/dev/urandom", READ_ONE)
    checked(kernel.syscall(RESTRICT, ruleset, ctypes.c_uint32(0)), "restrict")
    os.close(ruleset)
    code = bytes.fromhex(filters)
    body = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(body))
    checked(kernel.prctl(SET_SECCOMP, SECCOMP_FILTER, ctypes.create_string_buffer(program, len(program)), 0, 0), "seccomp")
    os.execv(argv[0], argv)  # noqa: S606


def create(kernel: ctypes.CDLL, version: int) -> int:
    """A ruleset over everything that this version of Landlock knows: files, TCP (4), signals and abstract sockets (6)."""
    files = (1 << (12 + min(version, 3) + (version >= 5))) - 1
    attributes = struct.pack("QQQ", files, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    return int(kernel.syscall(CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)))


def allow(kernel: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    checked(kernel.syscall(ADD, ruleset, BENEATH, ctypes.c_char_p(struct.pack("=Qi", access, place)), ctypes.c_uint32(0)), path)
    os.close(place)


def checked(result: int, what: str) -> int:
    if result < 0:
        sys.exit(f"landlock: {what}: {os.strerror(ctypes.get_errno())}")
    return result


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[4:])
