"""Forks environments from a warm interpreter: a small program with one thread and no event loop.

The server starts one per Python runtime and talks to it over a socket, one JSON document a line,
descriptors beside it. `{"op": "fork", "fds": n}` with [environment's socket, its runtime client's
socket, log pipe, cgroup files ...] makes a blank environment: a process that waits on its socket
for what it shall run. The program ends when the server does, and takes every environment with it.
"""

from __future__ import annotations

import array
import fcntl
import gc
import json
import os
import random
import resource
import select
import shutil
import signal
import socket
import sys
import time
import types
from typing import TYPE_CHECKING, Any, NoReturn

HERE = os.path.dirname(os.path.abspath(__file__))
if TYPE_CHECKING:
    from fogbank.functions.runtime import bootstrap, confine, sdk, syscalls
else:
    sys.path.insert(0, HERE)
    import bootstrap
    import sdk

    LINUX = sys.platform == "linux"
    if LINUX:
        import confine
        import syscalls
    sys.path.remove(HERE)

# What nearly every handler imports: loaded once here, shared by all environments.
WARM = (
    "base64 collections copy datetime decimal enum functools hashlib http.client importlib io "
    "itertools json logging math os pathlib random re socket string struct tempfile threading "
    "time traceback typing urllib.parse urllib.request uuid zlib"
)

FDS_MAX = 16
TELEMETRY = 3
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Channel:
    """Lines of JSON with descriptors, over a stream socket."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._buffer = b""
        self._descriptors: list[int] = []

    def receive(self) -> list[tuple[dict[str, Any], list[int]]]:
        """The next messages, at least one; EOFError when the other side is gone."""
        while b"\n" not in self._buffer:
            space = socket.CMSG_SPACE(FDS_MAX * array.array("i").itemsize)
            data, ancillary, _, _ = self.socket.recvmsg(65536, space)
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    found = array.array("i")
                    found.frombytes(content[: len(content) - len(content) % found.itemsize])
                    self._descriptors.extend(found)
            if not data:
                raise EOFError
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        messages = []
        for line in lines:
            message = json.loads(line)
            count = message.get("fds", 0)
            messages.append((message, self._descriptors[:count]))
            del self._descriptors[:count]
        return messages

    def send(self, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        data = json.dumps(dict(message, fds=len(descriptors))).encode() + b"\n"
        rights = array.array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
        sent = self.socket.sendmsg([data], ancillary)
        self.socket.sendall(data[sent:])


class Spawner:
    """Answers the server's requests and reaps what it forked."""

    def __init__(self, control: Channel, plan: dict[str, Any]) -> None:
        self._control = control
        self._plan = plan
        self._sandboxed = bool(plan.get("sandbox"))
        self._watched: dict[int, Channel] = {}
        self._own_pid_namespace = -1
        self._modules: list[str] = []

    def warm_sdk(self) -> None:
        """The SDK is imported; done inside the root directory that environments see."""
        self._modules = sdk.warm(self._plan["sdk"])

    def serve(self) -> bool:
        """Return when the server says so (True) or is gone (False)."""
        if self._sandboxed:
            self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        read, write = os.pipe()
        os.set_blocking(write, False)
        os.set_blocking(read, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._control.send({"serving": True, "pid": os.getpid(), "modules": self._modules})
        while True:
            waited: list[Any] = [self._control.socket, read]
            ready, _, _ = select.select(waited, [], [])
            if read in ready:
                os.read(read, 4096)
                self._reap()
            if self._control.socket in ready:
                try:
                    messages = self._control.receive()
                except (EOFError, OSError):
                    self._end_all()
                    return False
                for message, descriptors in messages:
                    if message["op"] == "end":
                        self._end_all()
                        return True
                    self._fork(descriptors)

    def _fork(self, descriptors: list[int]) -> None:
        environment = Channel(socket.socket(fileno=descriptors[0]))
        try:
            pid = self._forked()
        except OSError as error:
            environment.send({"failed": str(error)})
            pid = -1
        if pid == 0:
            _guarded(environment, lambda: self._child(environment, descriptors[1:]))
        if pid > 0 and not self._sandboxed:
            self._watched[pid] = environment
        else:
            environment.socket.close()
        for descriptor in descriptors[1:]:
            os.close(descriptor)

    def _forked(self) -> int:
        """os.fork(), whose child is the first of a new PID namespace in the sandbox."""
        if not self._sandboxed:
            return os.fork()
        pid = -1
        syscalls.unshare(syscalls.CLONE_NEWPID)
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                syscalls.setns(self._own_pid_namespace, syscalls.CLONE_NEWPID)
        return pid

    def _child(self, environment: Channel, descriptors: list[int]) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if syscalls_available():
            syscalls.die_with_parent()
        os.setsid()
        channel, log, *groups = descriptors
        close_all_but([environment.socket.fileno(), *descriptors])
        if self._sandboxed:
            self._start_sandbox(environment)
        for group in groups:
            os.write(group, b"0")
            os.close(group)
        give_way()
        environment.send({"ready": True, "pid": os.getpid()})
        for spec, _ in environment.receive():
            environment.socket.close()
            become(spec, channel, log, self._sandboxed)

    def _start_sandbox(self, environment: Channel) -> None:
        """Returns in the process that runs the function; its parent is init of the namespace."""
        confine.isolate()
        listeners = [confine.listen(port) for port in self._plan["ports"]]
        environment.send({"listening": True}, tuple(one.fileno() for one in listeners))
        for one in listeners:
            one.close()
        child = os.fork()
        if child == 0:
            syscalls.die_with_parent()
            return
        close_all_but([environment.socket.fileno()])
        syscalls.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        while True:
            pid, status, used = os.wait4(-1, 0)
            if pid == child:
                _say_exit(environment, status, used)
                os._exit(0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            environment = self._watched.pop(pid, None)
            if environment is not None:
                _say_exit(environment, status, used)
                environment.socket.close()

    def _end_all(self) -> None:
        for pid in self._watched:
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                pass  # it ended on its own


def _say_exit(environment: Channel, status: int, used: resource.struct_rusage) -> None:
    try:
        environment.send({"exited": status, "peak_bytes": used.ru_maxrss * MAXRSS_UNIT})
    except OSError:
        pass  # the server no longer waits for this one


def syscalls_available() -> bool:
    return sys.platform == "linux"


def give_way() -> None:
    """A function that wakes up does not push aside the server that has woken it: measured with 32
    callers on two cores, that saves a tenth of the server's time and evens out the waiting."""
    if syscalls_available():
        try:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except OSError:
            pass  # not permitted here: it only costs time


def close_all_but(kept: list[int]) -> None:
    """No descriptor of the spawner or of another environment is left open."""
    start = 3
    for descriptor in sorted(kept):
        # An empty range would close everything: its end is given to the kernel as minus one.
        if descriptor > start:
            os.closerange(start, descriptor)
        start = max(start, descriptor + 1)
    os.closerange(start, max(start + 1, 65536))


def _guarded(environment: Channel, work: Any) -> NoReturn:
    """Run `work` and end the process: nothing of a child ever returns into the spawner's loop."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as leaving:
        status = exit_status(leaving)
    except BaseException as error:
        try:
            environment.send({"failed": "%s: %s" % (type(error).__name__, error)})
        except OSError:
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # the streams are gone with their pipe
        os._exit(status)


def exit_status(leaving: SystemExit) -> int:
    """As the interpreter does at its end."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    sys.stderr.write("%s\n" % (leaving.code,))
    return 1


def become(spec: dict[str, Any], channel: int, log: int, sandboxed: bool) -> None:
    """This blank process is the function's environment now; returns only if its program does."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for target in (1, 2):
        os.dup2(log, target)
    arguments = spec["arguments"]
    close_all_but([] if arguments else [channel])
    if sandboxed:
        confine.seal(spec["task"], spec["tmp_bytes"])
    if syscalls_available():
        confine.limit(spec["limits"])
    os.umask(0o022)
    os.environ.clear()
    os.environ.update(spec["environment"])
    os.chdir(spec["directory"])
    if arguments:
        for number in (signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)):
            signal.signal(number, signal.SIG_DFL)
        # AWS's runtime clients write framed log records to a descriptor that this names.
        os.dup2(1, TELEMETRY, inheritable=True)
        os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(TELEMETRY)
        os.execvpe(arguments[0], arguments, dict(os.environ))
    _as_if_new(spec)
    environment = spec["environment"]
    end = socket.socket(fileno=channel)
    end.set_inheritable(False)
    bootstrap.run(environment["AWS_LAMBDA_RUNTIME_API"], environment["_HANDLER"], end)


def _as_if_new(spec: dict[str, Any]) -> None:
    """Nothing of the interpreter's state tells it from one that has just been started."""
    time.tzset()
    random.seed()
    for name in ("spawner", "bootstrap", "confine", "sdk", "syscalls", "seccomp"):
        module = sys.modules.pop(name, None)
        if module is not None:
            _kept.append(module)
    _kept.append(sys.modules["__main__"])
    main = types.ModuleType("__main__")
    main.__dict__["__file__"] = bootstrap.__file__
    sys.modules["__main__"] = main
    sdk.as_if_new(main)
    sys.argv[:] = [bootstrap.__file__, *spec["site"]]
    bootstrap.set_path(spec["directory"], spec["site"])
    sys.path_importer_cache.clear()


_kept: list[types.ModuleType] = []  # taken out of sys.modules, but in use


def start(control: Channel, plan: dict[str, Any]) -> bool:
    """Serve; in the sandbox as init of a PID namespace, so that its end ends all below it."""
    for name in WARM.split() if plan["warm"] else []:
        __import__(name)
    if plan["sandbox"]:
        if os.geteuid() == 0:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            confine.build(plan)
            confine.become_user_namespace(plan["uid"], plan["gid"])
        else:
            confine.become_user_namespace(os.geteuid(), os.getegid())
            confine.build(plan)
        syscalls.unshare(syscalls.CLONE_NEWPID)
        if os.fork() != 0:
            return True
        confine.mount_proc()
    spawner = Spawner(control, plan)
    if plan["sdk"]:
        spawner.warm_sdk()
    gc.collect()
    gc.freeze()
    return spawner.serve()


def tidy_up(plan: dict[str, Any]) -> None:
    """Wait for the end of every process that this one started; then remove what they leave."""
    spawner_pid, gone, orderly = plan["pid"], False, True
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            break
        if plan["sandbox"]:
            orderly = orderly and status == 0
            continue
        if pid == spawner_pid:  # an environment's own status says nothing about the spawner's end
            gone, orderly = True, status == 0
        if gone:
            for orphan in _children():
                os.kill(orphan, signal.SIGKILL)
    if not orderly and _abandoned(plan["scratch"]):
        for group in plan["cgroups"]:
            try:
                names = [entry.name for entry in os.scandir(group) if entry.is_dir()]
            except OSError:
                continue  # removed already
            for name in names:
                _remove_group(os.path.join(group, name))
            _remove_group(group)
        shutil.rmtree(plan["scratch"], ignore_errors=True)


def _abandoned(scratch: str) -> bool:
    """The server is dead: it holds a lock in its directory for as long as it lives."""
    try:
        with open(os.path.join(scratch, "lock")) as lock:
            for _ in range(20):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return True
                except OSError:
                    time.sleep(0.05)  # it may be ending at this moment
    except OSError:
        pass  # it has ended in good order and removed the directory
    return False


def _children() -> list[int]:
    try:
        with open("/proc/self/task/%d/children" % os.getpid()) as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _remove_group(path: str) -> None:
    for _ in range(200):
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)  # the kernel has not let go of the last process yet


def main() -> None:
    end = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(end.fileno(), False)
    plan = json.loads(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if syscalls_available():
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    plan["pid"] = os.fork()
    if plan["pid"] != 0:
        end.close()
        tidy_up(plan)
        return
    control = Channel(end)
    orderly = True
    try:
        orderly = start(control, plan)
    except (OSError, KeyError, ImportError) as error:
        control.send({"failed": str(error)})
    os._exit(0 if orderly else 3)


if __name__ == "__main__":
    main()
