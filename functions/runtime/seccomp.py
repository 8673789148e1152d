"""The system calls that a function may not make, as a BPF program.

A list of what is refused, not of what is allowed: functions run any language's runtime. Refused is
what reaches other processes, the kernel or namespaces; the answer is EPERM, so that a program sees
an ordinary failure. The filter is the second wall: capabilities are gone before it is installed.
"""

from __future__ import annotations

import struct

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
EPERM = 1
ENOSYS = 38
RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000
RET_KILL_PROCESS = 0x80000000

# name: (x86_64, aarch64); -1 where the machine has no such call.
REFUSED: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "unshare": (272, 97),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "modify_ldt": (154, -1),
    "move_pages": (279, 239),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "set_mempolicy": (238, 237),
    "fanotify_init": (300, 262),
    "nfsservctl": (180, 42),
}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
SOCKET = {"x86_64": 41, "aarch64": 198}
# Namespace flags of clone(2): mnt, cgroup, uts, ipc, user, pid, net.
CLONE_NAMESPACES = 0x7E020000
SOCKET_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink

_LOAD = 0x20  # ld [absolute]
_JUMP_EQUAL = 0x15
_JUMP_NOT_BELOW = 0x35
_JUMP_ANY_BIT = 0x45
_RETURN = 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(machine: str) -> bytes:
    """The filter for `machine`; a call in the ways of another architecture ends the process."""
    column = 0 if machine == "x86_64" else 1
    refuse = _step(_RETURN, RET_ERRNO | EPERM)
    allow = _step(_RETURN, RET_ALLOW)
    steps: list[bytes] = [
        _step(_LOAD, _ARCH),
        _step(_JUMP_EQUAL, AUDIT_ARCH[machine], 1, 0),
        _step(_RETURN, RET_KILL_PROCESS),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(_JUMP_NOT_BELOW, X32_BIT, 0, 1), _step(_RETURN, RET_ERRNO | ENOSYS)]
    # clone3 hides its flags behind a pointer: C libraries fall back to clone when it is absent.
    steps += [_step(_JUMP_EQUAL, CLONE3, 0, 1), _step(_RETURN, RET_ERRNO | ENOSYS)]
    steps += [
        _step(_JUMP_EQUAL, CLONE[machine], 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_ANY_BIT, CLONE_NAMESPACES, 0, 1),
        refuse,
        allow,
    ]
    families = len(SOCKET_FAMILIES)
    steps += [_step(_JUMP_EQUAL, SOCKET[machine], 0, families + 3), _step(_LOAD, _FIRST_ARGUMENT)]
    for index, family in enumerate(SOCKET_FAMILIES):
        steps.append(_step(_JUMP_EQUAL, family, families - index, 0))
    steps += [refuse, allow]
    for numbers in REFUSED.values():
        if numbers[column] >= 0:
            steps += [_step(_JUMP_EQUAL, numbers[column], 0, 1), refuse]
    steps.append(allow)
    return b"".join(steps)
