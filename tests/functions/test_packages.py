"""Packages: unpacked once, safely, in memory, and dropped when unused."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from fogbank.functions import packages
from fogbank.functions.packages import BadPackage, Packages, Scratch, unpack
from fogbank.functions.ports import Code
from tests.functions.building import zipped


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../out", "a\\..\\..\\out"])
def test_a_path_that_leaves_the_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadPackage):
        unpack(zipped({name: "x"}), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leaves_the_package_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "../..")
    with pytest.raises(BadPackage):
        unpack(buffer.getvalue(), tmp_path / "code")


def test_a_file_below_a_link_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("etc")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, str(tmp_path))
        archive.writestr("etc/planted", "x")
    with pytest.raises(BadPackage):
        unpack(buffer.getvalue(), tmp_path / "code")
    assert not (tmp_path / "planted").exists()


def test_a_package_above_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "UNZIPPED_BYTES_MAX", 1000)
    with pytest.raises(BadPackage, match="Unzipped size must be smaller than"):
        unpack(zipped({"a": bytes(600), "b": bytes(600)}), tmp_path / "code")


@pytest.mark.parametrize("data", [b"", b"no zip", zipped({"a": "b"})[:-10]])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadPackage):
        unpack(data, tmp_path / "code")


def test_execute_bits_survive_and_all_may_read(tmp_path: Path) -> None:
    unpack(zipped({"run": "x", "lib/data": "y"}, {"run": 0o700, "lib/data": 0o600}), tmp_path / "c")
    assert (tmp_path / "c" / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "c" / "lib" / "data").stat().st_mode & 0o777 == 0o644


async def test_code_is_fetched_once_and_dropped_when_unused(tmp_path: Path) -> None:
    fetched = []

    async def fetch() -> bytes:
        fetched.append(1)
        return zipped({"a": "b"})

    scratch = Scratch(tmp_path)
    store = Packages(scratch, kept_max=0)
    code = Code("sha", fetch)
    first, second = await store.take(code), await store.take(code)
    assert [len(fetched), first] == [1, second]
    store.release(first)
    assert first.name in {path.name for path in scratch.code.iterdir()}
    store.release(second)
    assert list(scratch.code.iterdir()) == []
    scratch.close()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_a_failed_fetch_can_be_tried_again(tmp_path: Path) -> None:
    answers = [b"broken", zipped({"a": "b"})]

    async def fetch() -> bytes:
        return answers.pop(0)

    scratch = Scratch(tmp_path)
    store = Packages(scratch)
    with pytest.raises(BadPackage):
        await store.take(Code("sha", fetch))
    assert (await store.take(Code("sha", fetch))).path.is_dir()
    scratch.close()


def test_directories_of_dead_owners_are_swept_and_those_of_living_kept(tmp_path: Path) -> None:
    dead = tmp_path / "fogbank-dead"
    dead.mkdir()
    (dead / "lock").touch()
    living = Scratch(tmp_path)
    assert not dead.exists()
    another = Scratch(tmp_path)
    assert living.path.exists()
    assert living.path.stat().st_mode & 0o777 == 0o700
    living.close()
    another.close()


@pytest.mark.parametrize(
    ("files", "uses"),
    [
        ({"main.py": "import boto3"}, True),
        ({"app/store.py": "from botocore.config import Config"}, True),
        ({"main.py": "import json", "boto3.txt": "boto3"}, False),
    ],
)
async def test_code_that_names_the_sdk_uses_it(
    tmp_path: Path, files: dict[str, str], uses: bool
) -> None:
    scratch = Scratch(tmp_path)

    async def fetch() -> bytes:
        return zipped(files)

    package = await Packages(scratch).take(Code("digest", fetch))
    assert package.uses_sdk is uses
    scratch.close()
