"""System calls that no program in the sandbox gets, as a BPF program for the kernel.

Written here in full rather than through libseccomp, which is not on every machine. A list of what is denied: bubblewrap and
Landlock decide about files, this decides about what they do not see (sockets, keys, io_uring, other processes' memory).
"""

from __future__ import annotations

import errno
import platform
import struct

DENIED = {
    # name: (x86_64, aarch64)
    "socket": (41, 198), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "syslog": (103, 116), "lookup_dcookie": (212, 18), "personality": (135, 92), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E, 56, 16), "aarch64": (1, 0xC00000B7, 220, 29)}
"""By machine: the column above, the kernel's word for it, its clone and its ioctl."""
CLONE3 = 435
NEWER = 450
"""From here on calls are younger than this list: programs are told that the kernel is older."""
NAMESPACES = 0x7E020000
TERMINAL = (0x5412, 0x541C)
"""ioctl: TIOCSTI, TIOCLINUX (typing into the terminal that started us)."""

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCH, FIRST, SECOND = 0, 4, 16, 24


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return platform.machine() in MACHINES


def program() -> bytes:
    """The filter, as `struct sock_filter[]`. Raises KeyError on a machine that is not `supported`."""
    column, arch, clone, ioctl = MACHINES[platform.machine()]
    refuse, unknown = FAIL | errno.EPERM, FAIL | errno.ENOSYS
    words = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, arch), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    words += [(AT_LEAST, 0, 1, NEWER), (RETURN, 0, 0, unknown), (EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, unknown)]
    for numbers in DENIED.values():
        words += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, refuse)]
    words += [(EQUAL, 0, 4, clone), (LOAD, 0, 0, FIRST), (ANY_BIT, 0, 1, NAMESPACES), (RETURN, 0, 0, refuse), (RETURN, 0, 0, ALLOW)]
    words += [(EQUAL, 0, 5, ioctl), (LOAD, 0, 0, SECOND), (EQUAL, 1, 0, TERMINAL[0]), (EQUAL, 0, 1, TERMINAL[1])]
    words += [(RETURN, 0, 0, refuse), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *word) for word in words)
