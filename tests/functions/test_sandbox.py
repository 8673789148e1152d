"""What a function in the sandbox tries and does not get."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fogbank.functions.ports import IsolationUnavailable
from fogbank.functions.service import FunctionPool, FunctionsConfig, Limits
from fogbank.storage.clock import SystemClock
from tests.functions.building import failure, run, until, value, version

STACK_PORT = 45_661


class Greeting(asyncio.Protocol):
    """Stands for the stack: says hello to whoever connects."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello from the stack")
        transport.close()


class Served:
    def __init__(self, listener: socket.socket) -> None:
        self._task = asyncio.ensure_future(
            asyncio.get_running_loop().create_server(Greeting, sock=listener)
        )

    def close(self) -> None:
        if self._task.done():
            self._task.result().close()


@pytest.fixture
async def functions() -> AsyncIterator[FunctionPool]:
    config = FunctionsConfig(
        driver="sandbox",
        blanks=1,
        stack_port=STACK_PORT,
        serve_stack=Served,
        endpoint=f"http://127.0.0.1:{STACK_PORT}",
        limits=Limits(pause_after_s=60),
    )
    pool = FunctionPool(config, SystemClock())
    try:
        await pool.start()
    except IsolationUnavailable as error:
        pytest.skip(str(error))
    yield pool
    await pool.close()


def handler(body: str, imports: str = "os") -> str:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"import {imports}\ndef handler(event, context):\n{lines}"


async def test_a_file_of_the_host_is_not_there(functions: FunctionPool, tmp_path: Path) -> None:
    secret = tmp_path / "master.key"
    secret.write_text("secret")
    body = """
try:
    return open(event).read()
except OSError as error:
    return error.strerror
"""
    assert (
        await value(functions, version(handler(body)), str(secret)) == "No such file or directory"
    )


async def test_only_the_minimal_root_is_there(functions: FunctionPool) -> None:
    body = "return [sorted(os.listdir('/')), os.listdir('/tmp'), os.path.exists('/etc/shadow')]"
    top, tmp, shadow = await value(functions, version(handler(body)))
    interpreter = Path(sys.base_prefix).parts[1]
    usual = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "sbin", "tmp"}
    assert set(top) <= {*usual, "usr", "var", interpreter}
    assert [tmp, shadow] == [[], False]


async def test_a_link_to_the_old_root_leads_nowhere(functions: FunctionPool) -> None:
    body = "return [os.path.exists('/proc/' + pid + '/root' + '/sys') for pid in ('1', 'self')]"
    assert await value(functions, version(handler(body))) == [False, False]


async def test_other_processes_are_invisible(functions: FunctionPool) -> None:
    body = "return [[int(n) for n in os.listdir('/proc') if n.isdigit()], os.getuid(), os.getgid()]"
    pids, uid, gid = await value(functions, version(handler(body)))
    assert pids == [1, 2]
    assert [uid, gid] == [993, 990]


async def test_nothing_can_connect_to_a_function(functions: FunctionPool) -> None:
    body = """
server = socket.create_server(("0.0.0.0", 45662))
server.settimeout(1.0)
try:
    server.accept()
except OSError as error:
    return type(error).__name__
"""
    pending = asyncio.ensure_future(value(functions, version(handler(body, "socket"))))
    refused = 0
    while not pending.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", 45662)
            writer.close()
        except ConnectionRefusedError:
            refused += 1
        await asyncio.sleep(0.05)
    assert await pending == "TimeoutError"
    assert refused > 3


async def test_the_stack_is_reached_at_its_usual_address(functions: FunctionPool) -> None:
    body = f"""
with socket.create_connection(("127.0.0.1", {STACK_PORT}), 5) as stack:
    return [stack.recv(100).decode(), os.environ["AWS_ENDPOINT_URL"]]
"""
    said = await value(functions, version(handler(body, "os, socket")))
    assert said == ["hello from the stack", f"http://127.0.0.1:{STACK_PORT}"]


async def test_no_other_address_is_reached(functions: FunctionPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as host:
        body = """
outcomes = []
for address in (("127.0.0.1", event), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, 2).close()
        outcomes.append("connected")
    except OSError as error:
        outcomes.append(error.strerror)
return outcomes
"""
        built = version(handler(body, "socket"))
        said = await value(functions, built, host.getsockname()[1])
    assert said == ["Connection refused", "Network is unreachable"]


@pytest.mark.parametrize(
    "call",
    [
        "libc.ptrace(16, 1, 0, 0)",
        "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/tmp', 2)",
        "libc.unshare(0x10000000)",
        "libc.setns(0, 0)",
        "libc.chroot(b'/tmp')",
        "libc.syscall(56, 0x10000011, 0, 0, 0, 0)",
        "libc.syscall(310, 1, 0, 0, 0, 0, 0)",
        "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(298, 0, 0, 0, 0, 0)",
        "libc.syscall(250, 0, 0, 0)",
        "libc.syscall(425, 8, 0)",
        "libc.syscall(246, 0, 0, 0, 0)",
        "libc.socket(40, 1, 0)",
    ],
)
async def test_a_call_that_reaches_out_is_refused(functions: FunctionPool, call: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of the calls are those of x86_64")
    body = f"libc = ctypes.CDLL(None, use_errno=True)\nreturn [{call}, ctypes.get_errno()]"
    assert await value(functions, version(handler(body, "ctypes"))) == [-1, 1]


async def test_no_capability_is_left(functions: FunctionPool) -> None:
    body = "return open('/proc/self/status').read()"
    status = await value(functions, version(handler(body)))
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0" * 16
    }
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"


async def test_init_of_the_sandbox_is_out_of_reach(functions: FunctionPool) -> None:
    body = """
found = []
for name in ("mem", "environ"):
    try:
        open(f"/proc/1/{name}", "rb").read(1)
        found.append("read")
    except OSError as error:
        found.append(error.strerror)
os.kill(1, 9)
return found
"""
    denied = "Permission denied"
    assert await value(functions, version(handler(body))) == [denied, denied]


async def test_the_code_and_the_system_cannot_be_written(functions: FunctionPool) -> None:
    body = """
errors = []
for path in "/var/task/new /var/task/main.py /usr/new /etc/new /new /var/runtime/x".split():
    try:
        open(path, "w").close()
        errors.append("written " + path)
    except OSError as error:
        errors.append(error.errno)
return errors
"""
    assert await value(functions, version(handler(body))) == [30] * 6


async def test_tmp_is_limited(functions: FunctionPool) -> None:
    body = """
try:
    with open("/tmp/big", "wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
except OSError as error:
    return error.strerror
"""
    built = version(handler(body), tmp_mb=16)
    assert await value(functions, built) == "No space left on device"


async def test_tmp_is_not_shared(functions: FunctionPool) -> None:
    body = "open('/tmp/mine', 'w').close()\nreturn os.listdir('/tmp')"
    assert await value(functions, version(handler(body))) == ["mine"]
    assert await value(functions, version(handler(body + "\n"))) == ["mine"]


async def test_no_descriptor_of_the_server_is_open(functions: FunctionPool) -> None:
    body = """
found = {}
for name in os.listdir("/proc/self/fd"):
    try:
        found[name] = os.readlink("/proc/self/fd/" + name).split(":")[0]
    except OSError:
        pass
return found
"""
    found = await value(functions, version(handler(body)))
    assert sorted(found.values()) == ["/dev/null", "pipe", "pipe", "socket"]


async def test_a_daemon_does_not_outlive_the_deadline(functions: FunctionPool) -> None:
    mark = f"fogbank-daemon-{os.getpid()}"
    body = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (1, 2, 15):
            signal.signal(number, signal.SIG_IGN)
        os.execv("/bin/sh", ["{mark}", "-c", "sleep 100; true"])
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(100)
"""

    def running() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark.encode() in path.read_bytes():
                    return True
            except OSError:
                continue
        return False

    built = version(handler(body, "os, signal, time"), timeout_s=1)
    pending = asyncio.ensure_future(failure(functions, built))
    await until(running)
    assert (await pending)["errorType"] == "Sandbox.Timedout"
    await until(lambda: not running(), 3)


def processes() -> int:
    return len(list(Path("/proc").glob("[0-9]*")))


async def test_a_fork_bomb_is_contained(functions: FunctionPool) -> None:
    body = """
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.05)
"""
    built = version(handler(body, "os, time"), timeout_s=1, memory_mb=256)
    before = processes()
    started = time.monotonic()
    error = await failure(functions, built)
    assert error["errorType"] in ("Sandbox.Timedout", "Runtime.OutOfMemory", "Runtime.ExitError")
    assert time.monotonic() - started < 5
    await until(lambda: processes() < before + 60)
    assert json.loads((await run(functions, version(handler("return 1")))).payload) == 1


async def test_the_share_of_the_processor_is_enforced(functions: FunctionPool) -> None:
    if "cgroups" not in " ".join(functions.isolation()["enforces"]):
        pytest.skip("cgroups are not available here")
    body = """
wall, cpu = time.monotonic(), time.process_time()
while time.monotonic() - wall < 1.0:
    pass
return time.process_time() - cpu
"""
    used_s = await value(functions, version(handler(body, "time"), memory_mb=256))
    assert used_s < 0.25  # 256/1769 is 0.145
