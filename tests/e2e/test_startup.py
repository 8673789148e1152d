"""How the program starts, what it says, and how it fails to start."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.stack import RunningStack


def fogbank(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A `fogbank` command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "fogbank", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **(env or {})},
    )


def up(root: Path, *args: str, env: dict[str, str] | None = None) -> str:
    """The one line that a start which must fail leaves on stderr."""
    places = ("--data-dir", str(root / "data"), "--key-file", str(root / "master.key"))
    ended = fogbank("up", "--port", "0", *places, *args, env=env)
    assert ended.returncode == 1
    assert "Ready." not in ended.stdout
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("fogbank: ")
    return lines[0]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path).start()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack for the tests that leave it as it is."""
    stack = RunningStack(tmp_path_factory.mktemp("shared")).start()
    yield stack
    stack.stop()


def test_it_says_what_a_shell_needs_and_ready_last(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fogbank", "up", "--port", "0"]
    command += ["--data-dir", str(tmp_path / "data"), "--key-file", str(tmp_path / "key")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line == "Ready.\n":
                break
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""
    assert process.returncode == 0
    text = "\n".join(lines)
    found = re.search(r"http://127\.0\.0\.1:\d+", lines[0])
    assert found is not None
    exports = [
        f"export AWS_ENDPOINT_URL={found[0]}",
        "export AWS_ACCESS_KEY_ID=test",
        "export AWS_SECRET_ACCESS_KEY=test",
        "export AWS_DEFAULT_REGION=us-east-1",
    ]
    assert [line for line in lines if line.startswith("export ")] == exports
    assert "functions: " in text
    assert "durability: full" in text
    assert "auth: open" in text


def test_the_key_file_is_its_owners_alone(shared: RunningStack) -> None:
    assert shared.key_file.stat().st_mode & 0o777 == 0o600
    assert shared.data_dir.stat().st_mode & 0o077 == 0


def test_an_interrupted_stack_ends_with_0(running: RunningStack) -> None:
    os.kill(running.pid, signal.SIGINT)
    assert running.stop() == 0


def test_a_request_in_progress_is_answered_before_the_end(running: RunningStack) -> None:
    running.client("s3").create_bucket(Bucket="drain")
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(
            b"PUT /drain/key HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 6\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        os.kill(running.pid, signal.SIGTERM)
        _until_refused(running.port)
        client.sendall(b"abcdef")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


def _until_refused(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
    raise AssertionError("the stack still accepts connections")


def test_a_taken_port_is_said_to_be_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = up(tmp_path, "--port", str(port))
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line


def test_a_data_directory_in_use_is_said_to_be_so(shared: RunningStack) -> None:
    assert "in use by another stack" in up(shared.root)


def test_a_data_directory_that_cannot_be_made_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert "not writable" in up(tmp_path)


def test_a_wrong_master_key_is_said_to_be_wrong(running: RunningStack) -> None:
    running.stop()
    running.key_file.write_text("ab" * 32)
    assert "key" in up(running.root)


def test_a_missing_master_key_is_said_to_be_missing(running: RunningStack) -> None:
    running.stop()
    running.key_file.unlink()
    line = up(running.root)
    assert "key" in line
    assert not running.key_file.exists()


def test_a_master_key_that_is_none_is_said_to_be_so(tmp_path: Path) -> None:
    assert "key" in up(tmp_path, env={"FOGBANK_MASTER_KEY": "short"})


def test_a_damaged_database_is_said_to_be_damaged(running: RunningStack) -> None:
    running.stop()
    (database,) = running.data_dir.glob("*.db")
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.write(os.urandom(size))
    assert "damaged" in up(running.root)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--port", "many"), "--port takes a number"),
        (("--auth", "maybe"), "--auth takes open or strict"),
        (("--host", "0.0.0.0"), "--allow-remote-open"),
        (("--host", "192.0.2.1", "--auth", "strict"), "cannot listen on 192.0.2.1"),
        (("--accounts", "/nowhere.toml"), "No such file"),
    ],
)
def test_a_setting_that_cannot_be_is_said_to_be_so(
    tmp_path: Path, args: tuple[str, ...], text: str
) -> None:
    assert text in up(tmp_path, *args)


def test_isolation_that_is_required_and_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    line = up(tmp_path, "--require-isolation", "--function-driver", "process")
    assert "functions cannot be isolated here" in line


def test_state_survives_a_restart(running: RunningStack) -> None:
    running.client("s3").create_bucket(Bucket="kept")
    running.stop()
    running.start()
    names = [one["Name"] for one in running.client("s3").list_buckets()["Buckets"]]
    assert names == ["kept"]


def test_status_shows_what_is_in_force(shared: RunningStack) -> None:
    ended = fogbank("status", "--endpoint", shared.endpoint)
    assert ended.returncode == 0
    for text in ('"isolation"', '"durability": "full"', '"auth": "open"', str(shared.data_dir)):
        assert text in ended.stdout


def test_env_prints_the_export_lines(shared: RunningStack) -> None:
    ended = fogbank("env", env={"AWS_ENDPOINT_URL": shared.endpoint})
    assert ended.stdout.splitlines()[0] == f"export AWS_ENDPOINT_URL={shared.endpoint}"


def test_logs_prints_a_line_for_each_request(shared: RunningStack) -> None:
    httpx.get(f"{shared.endpoint}/nothing-here")
    ended = fogbank("logs", "--endpoint", shared.endpoint)
    assert "404 s3.ListObjects NoSuchBucket" in ended.stdout


def test_a_command_without_a_stack_says_so() -> None:
    ended = fogbank("status", "--endpoint", "http://127.0.0.1:1")
    assert ended.returncode == 1
    assert "no stack answers at http://127.0.0.1:1" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_check_tells_a_sound_directory_from_a_damaged_one(running: RunningStack) -> None:
    running.client("s3").create_bucket(Bucket="torn")
    running.client("s3").put_object(Bucket="torn", Key="large", Body=bytes(300_000))
    running.stop()
    places = ("--data-dir", str(running.data_dir), "--key-file", str(running.key_file))
    sound = fogbank("check", "--deep", *places)
    assert (sound.returncode, sound.stderr) == (0, "")
    blobs = [path for path in (running.data_dir / "blobs").rglob("*") if path.is_file()]
    assert blobs
    for path in blobs:
        path.unlink()
    damaged = fogbank("check", *places)
    assert damaged.returncode == 1
    assert "missing" in damaged.stderr


def test_reset_deletes_what_a_stopped_stack_kept(running: RunningStack) -> None:
    places = ("--data-dir", str(running.data_dir), "--key-file", str(running.key_file))
    assert "stop it first" in fogbank("reset", "--yes", *places).stderr
    running.stop()
    assert "say --yes" in fogbank("reset", *places).stderr
    assert fogbank("reset", "--yes", *places).returncode == 0
    assert not running.data_dir.exists()
    assert running.key_file.exists()


def test_reset_deletes_no_folder_of_others(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"precious")
    key = tmp_path.with_name("unused.key")
    ended = fogbank("reset", "--yes", "--data-dir", str(tmp_path), "--key-file", str(key))
    assert ended.returncode == 1
    assert (tmp_path / "photo.jpg").exists()


def test_version_is_printed() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", fogbank("version").stdout)
