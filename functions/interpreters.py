"""Which interpreter on this machine stands for which of AWS's runtimes."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

_PYTHON = re.compile(r"python3\.(\d+)")
OLDEST_MINOR, NEWEST_MINOR = 8, 20


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that functions can run in; `roots` are the directories that it needs to read."""

    path: str
    minor: int
    roots: tuple[str, ...]
    site: tuple[str, ...]  # where the SDK of the stack's own environment is, when it fits

    @property
    def version(self) -> str:
        return f"3.{self.minor}"


def own() -> Interpreter:
    """The interpreter that runs the stack: the base one, not the virtual environment's link."""
    base = getattr(sys, "_base_executable", "") or sys.executable
    return Interpreter(
        path=os.path.realpath(base),
        minor=sys.version_info.minor,
        roots=_roots(sys.base_prefix, sys.base_exec_prefix),
        site=_own_site(),
    )


def _own_site() -> tuple[str, ...]:
    places = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return tuple(dict.fromkeys(place for place in places if place and Path(place).is_dir()))


def _roots(*prefixes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(prefix) for prefix in prefixes))


def installed() -> dict[int, str]:
    """Path by minor version: what PATH and pyenv have."""
    found: dict[int, str] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for path in sorted(pyenv.glob("3.*/bin/python3.*")):
        match = _PYTHON.fullmatch(path.name)
        if match:
            found[int(match[1])] = str(path)
    search = os.pathsep.join(
        part for part in os.environ.get("PATH", "").split(os.pathsep) if "shims" not in part
    )
    for minor in range(OLDEST_MINOR, NEWEST_MINOR):
        path_found = shutil.which(f"python3.{minor}", path=search)
        if path_found:
            found.setdefault(minor, path_found)
    return {minor: path for minor, path in found.items() if minor >= OLDEST_MINOR}


def choose(runtime: str) -> tuple[Interpreter, str | None]:
    """The nearest interpreter to `runtime`, and a line for the log where it is not the same.

    Other runtimes than Python's get the stack's own: it only starts their program.
    """
    mine = own()
    match = _PYTHON.fullmatch(runtime)
    wanted = int(match[1]) if match else mine.minor
    if wanted == mine.minor:
        return mine, None
    # A newer interpreter runs older code more often than the other way round.
    for minor, path in sorted(
        installed().items(), key=lambda item: (abs(item[0] - wanted), -item[0])
    ):
        if abs(minor - wanted) >= abs(mine.minor - wanted):
            break
        described = _describe(path, minor)
        if described is not None:
            return described, _difference(runtime, described)
    return mine, _difference(runtime, mine)


def _difference(runtime: str, chosen: Interpreter) -> str | None:
    if runtime == f"python{chosen.version}":
        return None
    return f"fogbank: {runtime} is not installed here; this function runs on {chosen.version}"


def _describe(path: str, minor: int) -> Interpreter | None:
    """None when the program does not run or lacks what the runtime client needs."""
    code = (
        "import ctypes, json, sys;"
        "print(json.dumps([sys.version_info[1], sys.executable, sys.base_prefix,"
        " sys.base_exec_prefix]))"
    )
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", code], capture_output=True, timeout=20, check=True
        )
        found_minor, executable, prefix, exec_prefix = eval_json(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if found_minor != minor:
        return None
    # The SDK is pure Python: it fits any interpreter that its own metadata allows.
    site = _own_site() if minor >= 10 else ()
    return Interpreter(os.path.realpath(executable), minor, _roots(prefix, exec_prefix), site)


def eval_json(data: bytes) -> tuple[int, str, str, str]:
    import json

    minor, executable, prefix, exec_prefix = json.loads(data)
    return minor, executable, prefix, exec_prefix
