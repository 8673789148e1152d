"""Limits that the kernel enforces on a group of processes: cgroup v1 and v2 behind one shape."""

import contextlib
import itertools
import os
import signal
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PREFIX = "fogbank-"
PIDS_MAX = 1024  # AWS's limit of processes and threads
MEGABYTES_PER_CPU = 1769  # AWS: at this size a function has one whole vCPU
PERIOD_US = 20_000  # short, so that a throttled function waits briefly
QUOTA_US_MIN = 1_000  # the kernel's
CONTROLLERS = ("memory", "cpu", "pids")
ENABLE = " ".join(f"+{kind}" for kind in CONTROLLERS)
_serial = itertools.count(1)


@dataclass(slots=True)
class Group:
    """One environment's group: a directory per hierarchy (v1) or one (v2)."""

    paths: dict[str, Path]
    version: int

    def open_for_joining(self) -> list[int]:
        """Descriptors; a process that writes 0 into each is a member."""
        return [
            os.open(path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
            for path in dict.fromkeys(self.paths.values())
        ]

    def limit_memory(self, memory_bytes: int) -> None:
        path = self.paths["memory"]
        if self.version == 2:
            _write(path / "memory.swap.max", "0", may_fail=True)
            _write(path / "memory.max", str(memory_bytes))
            return
        _write(path / "memory.limit_in_bytes", str(memory_bytes))
        _write(path / "memory.memsw.limit_in_bytes", str(memory_bytes), may_fail=True)

    def limit_cpu(self, memory_mb: int) -> None:
        quota_us = max(QUOTA_US_MIN, PERIOD_US * memory_mb // MEGABYTES_PER_CPU)
        path = self.paths["cpu"]
        if self.version == 2:
            _write(path / "cpu.max", f"{quota_us} {PERIOD_US}")
            return
        _write(path / "cpu.cfs_period_us", str(PERIOD_US))
        _write(path / "cpu.cfs_quota_us", str(quota_us))

    def memory_peak_bytes(self) -> int:
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        try:
            return int((self.paths["memory"] / name).read_bytes())
        except (OSError, ValueError):
            return 0

    def out_of_memory(self) -> bool:
        """The kernel has killed a process of this group for its memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        try:
            text = (self.paths["memory"] / name).read_text()
        except OSError:
            return False
        facts = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        return int(facts.get("oom_kill", "0")) > 0

    def freeze(self, frozen: bool) -> None:
        """Its processes stand still, or go on.

        Version 1's freezer is not used: what it has frozen cannot be killed, so it would outlive
        a server that was itself killed. Stopped processes can, and so can those of version 2.
        """
        if self.version == 2:
            _write(self.paths["memory"] / "cgroup.freeze", "1" if frozen else "0", may_fail=True)
            return
        try:
            members = (self.paths["memory"] / "cgroup.procs").read_bytes().split()
        except OSError:
            return  # it has been removed
        for member in members:
            with contextlib.suppress(OSError):
                os.kill(int(member), signal.SIGSTOP if frozen else signal.SIGCONT)

    def remove(self) -> bool:
        """False while the kernel still has a process in it."""
        gone = True
        for path in dict.fromkeys(self.paths.values()):
            try:
                path.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone


class Cgroups:
    """The groups of one server: made below directories named after its process id."""

    def __init__(self, root: Path = ROOT) -> None:
        self.reason = ""
        self.version = 0
        self._parents: dict[str, Path] = {}
        self._count = 0
        try:
            self._set_up(root)
        except OSError as error:
            self.version = 0
            self.reason = f"cgroups are not writable ({error.strerror}: {error.filename})"

    def _set_up(self, root: Path) -> None:
        name = f"{PREFIX}{os.getpid()}-{next(_serial)}"
        if all((root / controller / "cgroup.procs").exists() for controller in CONTROLLERS):
            self.version = 1
            tops = {kind: root / kind for kind in CONTROLLERS}
        elif (root / "cgroup.controllers").exists():
            missing = set(CONTROLLERS) - set((root / "cgroup.controllers").read_text().split())
            if missing:
                self.reason = f"cgroup controllers missing: {', '.join(sorted(missing))}"
                return
            self.version = 2
            _write(root / "cgroup.subtree_control", ENABLE)
            tops = dict.fromkeys(CONTROLLERS, root)
        else:
            self.reason = "no cgroup file system is mounted"
            return
        sweep(set(tops.values()))
        for kind, top in tops.items():
            path = top / name
            path.mkdir(exist_ok=True)
            self._parents[kind] = path
        if self.version == 2:
            _write(root / name / "cgroup.subtree_control", ENABLE)

    @classmethod
    def none(cls) -> "Cgroups":
        """No groups: for a driver that does without."""
        return cls(Path("/nonexistent"))

    def directories(self) -> list[str]:
        return [str(path) for path in dict.fromkeys(self._parents.values())]

    def create(self) -> Group | None:
        """A new group without limits but for its number of processes; None without cgroups."""
        if not self.version:
            return None
        self._count += 1
        name = f"e{self._count}"
        paths = {kind: parent / name for kind, parent in self._parents.items()}
        for path in dict.fromkeys(paths.values()):
            path.mkdir()
        _write(paths["pids"] / "pids.max", str(PIDS_MAX))
        return Group(paths, self.version)

    def close(self) -> None:
        for path in dict.fromkeys(self._parents.values()):
            with contextlib.suppress(OSError):
                path.rmdir()


def sweep(tops: set[Path]) -> None:
    """Groups of servers that are dead are gone."""
    for top in tops:
        for path in top.glob(PREFIX + "*"):
            owner = path.name.removeprefix(PREFIX).partition("-")[0]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                for child in [*path.glob("*/"), path]:
                    with contextlib.suppress(OSError):
                        child.rmdir()


def _write(path: Path, text: str, *, may_fail: bool = False) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError:
        if not may_fail:
            raise
