"""The server's side of the spawners: one process per interpreter, and the blanks it keeps ready."""

import array
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fogbank.functions.cgroups import Cgroups, Group
from fogbank.functions.interpreters import Interpreter
from fogbank.functions.ports import EnvironmentFailed
from fogbank.functions.proctree import Process

RUNTIME_DIRECTORY = Path(__file__).resolve().parent / "runtime"
START_TIMEOUT_S = 20.0
FORK_TIMEOUT_S = 20.0
_ANCILLARY_BYTES = 1024
_PASS_CREDENTIALS = getattr(socket, "SO_PASSCRED", None)


class Blank:
    """A forked process that waits to be told what to run, with its sockets, pipe and limits."""

    def __init__(
        self, end: socket.socket, channel: socket.socket, log_pipe: int, group: Group | None
    ) -> None:
        self.group = group
        self.log_pipe = log_pipe
        self.channel = channel  # to the runtime client that the zygote becomes
        self.listeners: list[socket.socket] = []
        self.processes: list[Process] = []  # those that said something, the oldest first
        self.ended = False
        self.wait_status: int | None = None
        self.peak_bytes = 0
        self._end = end
        self._buffer = b""
        self._descriptors: list[int] = []
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self._on_exit: list[Callable[[int | None], None]] = []
        loop.add_reader(end.fileno(), self._receive)

    def tell(self, spec: dict[str, Any]) -> None:
        """The process becomes what `spec` describes."""
        data = json.dumps(spec).encode() + b"\n"
        self._end.setblocking(True)
        try:
            self._end.sendall(data)
        except OSError as error:
            raise EnvironmentFailed(f"the environment ended too early: {error}") from error
        finally:
            self._end.setblocking(False)

    def on_exit(self, callback: Callable[[int | None], None]) -> None:
        if self.ended:
            asyncio.get_running_loop().call_soon(callback, self.wait_status)
        else:
            self._on_exit.append(callback)

    def _receive(self) -> None:
        try:
            data, ancillary, _, _ = self._end.recvmsg(65536, _ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        sender = -1
        for level, kind, content in ancillary:
            if level != socket.SOL_SOCKET:
                continue
            numbers = array.array("i")
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
            if kind == socket.SCM_RIGHTS:
                self._descriptors.extend(numbers)
            elif kind == getattr(socket, "SCM_CREDENTIALS", -1):
                sender = numbers[0]  # the process id, as this process sees it
        if not data:
            self._finish()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line), sender)

    def _take(self, message: dict[str, Any], sender: int) -> None:
        count = message.get("fds", 0)
        descriptors, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        if "listening" in message:
            self.listeners = [socket.socket(fileno=each) for each in descriptors]
            self.processes.append(Process(sender))
        elif "ready" in message:
            self.processes.append(Process(sender if sender > 0 else message["pid"]))
            if not self.ready.done():
                self.ready.set_result(None)
        elif "exited" in message:
            self.wait_status = message["exited"]
            self.peak_bytes = message["peak_bytes"]
        elif "failed" in message:
            self._fail(message["failed"])

    def _fail(self, why: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(EnvironmentFailed(why))

    def _finish(self) -> None:
        """The last process that could speak for the environment has ended."""
        if self.ended:
            return
        self.ended = True
        asyncio.get_running_loop().remove_reader(self._end.fileno())
        self._end.close()
        self._fail("the process ended before it was ready")
        callbacks, self._on_exit = self._on_exit, []
        for callback in callbacks:
            callback(self.wait_status)

    async def destroy(self) -> None:
        """Its processes, descriptors and group are gone."""
        await asyncio.gather(*(process.kill() for process in self.processes))
        self._finish()
        if self.ready.done() and not self.ready.cancelled():
            self.ready.exception()
        self.channel.close()
        for listener in self.listeners:
            listener.close()
        self.listeners = []
        if self.log_pipe >= 0:
            os.close(self.log_pipe)
            self.log_pipe = -1
        for process in self.processes:
            process.close()
        if self.group is not None:
            for delay_s in (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
                await asyncio.sleep(delay_s)
                if self.group.remove():
                    break


class Spawner:
    """One warm interpreter that forks; started at the first need, restarted when it has died."""

    def __init__(
        self,
        interpreter: Interpreter,
        plan: dict[str, Any],
        cgroups: Cgroups,
        *,
        warm: bool = True,
        sdk: tuple[str, ...] = (),
    ) -> None:
        """`sdk` is where the SDK is, as environments see it, when it is to be imported."""
        self.interpreter = interpreter
        self.modules: frozenset[str] = frozenset()  # those of the SDK, once it serves
        self._plan = {**plan, "warm": warm, "sdk": sdk}
        self._cgroups = cgroups
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._serving = False
        self._blanks: deque[Blank] = deque()
        self.blanks_wanted = 0

    @property
    def is_running(self) -> bool:
        return self._serving and self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """It answers; raises EnvironmentFailed when it cannot be started."""
        async with self._starting:
            if self._process is not None and self._process.poll() is None:
                return
            await self._end()
            ours, theirs = socket.socketpair()
            with theirs:
                # Not asyncio's: its end is awaited by nobody, and it must outlive no loop.
                self._process = subprocess.Popen(  # noqa: ASYNC220 - a few milliseconds
                    [
                        *(self.interpreter.path, "-s", "-S", "-E"),
                        *(str(RUNTIME_DIRECTORY / "spawner.py"), str(theirs.fileno())),
                        json.dumps(self._plan),
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else None,
                    env={"LANG": "en_US.UTF-8", "PATH": os.environ.get("PATH", os.defpath)},
                    cwd="/",
                    start_new_session=True,
                )
            ours.setblocking(False)
            self._control = ours
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    answer = json.loads(await loop.sock_recv(ours, 65536) or b"{}")
            except (TimeoutError, ValueError, OSError) as error:
                await self._end()
                raise EnvironmentFailed(f"{self.interpreter.path} did not start") from error
            if "serving" not in answer:
                await self._end()
                raise EnvironmentFailed(answer.get("failed", "the spawner ended at its start"))
            self.modules = frozenset(answer["modules"])
            self._serving = True

    async def blank(self) -> Blank:
        """A blank environment: one that is ready if there is one, else a new one."""
        while self._blanks:
            blank = self._blanks.popleft()
            if not blank.ended:
                return blank
            await blank.destroy()
        return await self._fork()

    async def refill(self) -> None:
        """As many blanks as wanted are ready for the next misses."""
        while len(self._blanks) < self.blanks_wanted:
            self._blanks.append(await self._fork())

    async def _fork(self) -> Blank:
        await self.start()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        channel, its_channel = socket.socketpair()
        channel.setblocking(False)
        if _PASS_CREDENTIALS is not None:
            ours.setsockopt(socket.SOL_SOCKET, _PASS_CREDENTIALS, 1)
        read, write = os.pipe()
        os.set_blocking(read, False)
        group = self._cgroups.create()
        joining = group.open_for_joining() if group is not None else []
        blank = Blank(ours, channel, read, group)
        descriptors = [theirs.fileno(), its_channel.fileno(), write, *joining]
        message = json.dumps({"op": "fork", "fds": len(descriptors)}).encode() + b"\n"
        rights = array.array("i", descriptors)
        try:
            self._control.setblocking(True)
            self._control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            await blank.destroy()
            raise EnvironmentFailed("the spawner has ended") from error
        finally:
            self._control.setblocking(False)
            theirs.close()
            its_channel.close()
            for descriptor in descriptors[2:]:
                os.close(descriptor)
        try:
            async with asyncio.timeout(FORK_TIMEOUT_S):
                await asyncio.shield(blank.ready)
        except BaseException as error:
            await blank.destroy()
            if isinstance(error, TimeoutError):
                raise EnvironmentFailed("the spawner does not answer") from error
            raise
        return blank

    async def _end(self) -> None:
        self._serving = False
        while self._blanks:
            await self._blanks.popleft().destroy()
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(b'{"op": "end"}\n')
            self._control.close()
            self._control = None
        if self._process is not None:
            process, self._process = self._process, None
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)

    async def close(self) -> None:
        self.blanks_wanted = 0
        async with self._starting:
            await self._end()


def _has_descriptor(stream: Any) -> bool:
    try:
        return isinstance(stream.fileno(), int)
    except (AttributeError, OSError, ValueError):
        return False
