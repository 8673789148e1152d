"""The walls of the sandbox: a root directory of its own, namespaces, limits.

`build` makes, once for a spawner, a root that holds the operating system's programs read-only and
nothing else of the host. `seal` makes, for each environment, a copy of the mount namespace with its
own /tmp, /proc and the function's code.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fogbank.functions.runtime import seccomp, syscalls
else:
    import seccomp
    import syscalls

USER_ID = 993  # as on AWS
GROUP_ID = 990
PACKAGES = "/tmp/.packages"  # each environment mounts its own /tmp over it
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/alternatives",
    "/etc/mime.types",
    "/etc/services",
    "/etc/protocols",
)
DEVICES = ("null", "zero", "full", "random", "urandom")
FILES = {
    "/etc/passwd": "root:x:0:0:root:/:/sbin/nologin\n"
    "sbx_user1051:x:%d:%d::/tmp:/sbin/nologin\n" % (USER_ID, GROUP_ID),
    "/etc/group": "root:x:0:\nsbx_group:x:%d:\n" % GROUP_ID,
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/resolv.conf": "",
}
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def become_user_namespace(outside_uid: int, outside_gid: int) -> None:
    """This process is user 993 with all capabilities, over its own namespaces only."""
    uid_map = "%d %d 1\n" % (USER_ID, outside_uid)
    gid_map = "%d %d 1\n" % (GROUP_ID, outside_gid)
    flags = syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS
    if os.geteuid() != 0:
        syscalls.unshare(flags)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", uid_map)
        _write("/proc/self/gid_map", gid_map)
    else:
        # Only a process outside may map another user than its own: a child that stays behind.
        os.setgroups([])
        read, write = os.pipe()
        me = os.getpid()
        mapper = os.fork()
        if mapper == 0:
            status = 1
            try:
                os.close(write)
                os.read(read, 1)
                _write("/proc/%d/uid_map" % me, uid_map)
                _write("/proc/%d/gid_map" % me, gid_map)
                status = 0
            finally:
                os._exit(status)
        os.close(read)
        try:
            syscalls.unshare(flags)
        finally:
            os.close(write)
            _, status = os.waitpid(mapper, 0)
        if status != 0:
            raise OSError("the user namespace could not be mapped")
    os.setresgid(GROUP_ID, GROUP_ID, GROUP_ID)
    os.setresuid(USER_ID, USER_ID, USER_ID)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)


def build(plan: dict[str, Any]) -> None:
    """The root directory is the minimal one; runs in a mount namespace of its own.

    `plan`: root (an empty directory), packages (host directory), runtime (the directory of this
    file), binds (directories to have at their own path), elsewhere (path inside: directory).
    """
    root: str = plan["root"]
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    options = "size=4m,mode=755"
    syscalls.mount("tmpfs", root, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
    for path in SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            _bind(path, root + path)
    for path in SYSTEM_FILES:
        if os.path.exists(path):
            _bind(os.path.realpath(path), root + path)
    for path in _outermost(plan["binds"]):
        _bind(path, root + path)
    for inside, path in plan["elsewhere"].items():
        _bind(path, root + inside)
    for name, text in FILES.items():
        os.makedirs(os.path.dirname(root + name), exist_ok=True)
        _write(root + name, text)
    _make_devices(root)
    for path in ("/var/task", "/opt", "/proc", "/tmp", PACKAGES):
        os.makedirs(root + path, exist_ok=True)
    os.symlink("/tmp", root + "/var/tmp")
    _bind(plan["runtime"], root + "/var/runtime")
    _bind(plan["packages"], root + PACKAGES)
    syscalls.mount("/proc", root + "/proc", "", syscalls.MS_BIND | syscalls.MS_REC)
    flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | syscalls.MS_NOSUID
    syscalls.mount("", root, "", flags | syscalls.MS_NODEV)
    syscalls.enter_root(root)


def _outermost(paths: list[str]) -> list[str]:
    """Each path once, without those inside another or inside the system's directories."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        inside = any(path == top or path.startswith(top + "/") for top in (*SYSTEM, *kept))
        if not inside and os.path.isdir(path):
            kept.append(path)
    return kept


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "a"):
            pass
    syscalls.mount(source, target, "", syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.make_read_only(target)


def _make_devices(root: str) -> None:
    os.makedirs(root + "/dev", exist_ok=True)
    for name in DEVICES:
        with open("%s/dev/%s" % (root, name), "a"):
            pass
        syscalls.mount("/dev/" + name, "%s/dev/%s" % (root, name), "", syscalls.MS_BIND)
    links = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}
    for name, rest in links.items():
        os.symlink("/proc/self/fd" + rest, "%s/dev/%s" % (root, name))


def mount_proc() -> None:
    """/proc shows the processes of this process's own PID namespace."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", "/proc", "proc", flags)


def isolate() -> None:
    """Mounts, IPC, host name and network are this process's own; loopback is up."""
    flags = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
    syscalls.unshare(flags | syscalls.CLONE_NEWNET)
    mount_proc()
    socket.sethostname("localhost")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def seal(task: str, tmp_bytes: int) -> None:
    """The code is at /var/task, /tmp is new and limited, and nothing gives more rights again."""
    syscalls.mount("%s/%s" % (PACKAGES, task), "/var/task", "", syscalls.MS_BIND)
    syscalls.make_read_only("/var/task")
    options = "size=%d,mode=1777,uid=%d,gid=%d" % (tmp_bytes, USER_ID, GROUP_ID)
    syscalls.mount("tmpfs", "/tmp", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
    syscalls.drop_capabilities()
    syscalls.install_filter(seccomp.program(syscalls.MACHINE))


def limit(limits: dict[str, int]) -> None:
    """Resource limits by name (nofile, nproc, core, as): lowered, never above what is allowed."""
    for name, value in limits.items():
        kind = getattr(resource, "RLIMIT_" + name.upper(), None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
