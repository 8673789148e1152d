"""Function code, unpacked once per content in memory and shared by all that run it."""

import asyncio
import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

from fogbank.functions.ports import Code, Package

UNZIPPED_BYTES_MAX = 262_144_000  # 250 MB, AWS's limit
ENTRIES_MAX = 100_000
# The SDK and what comes with it.
SDK_NAMES = (b"boto3", b"botocore")
SDK_PARTS = frozenset(
    {
        "awscrt",
        "boto3",
        "botocore",
        "certifi",
        "dateutil",
        "jmespath",
        "s3transfer",
        "six",
        "urllib3",
    }
)
SCANNED_BYTES_MAX = 4 << 20  # of a package's own modules, to see whether they use the SDK
PREFIX = "fogbank-"
MEMORY_ROOTS = (Path("/dev/shm"), Path("/run/shm"))
_COPY_BYTES = 1 << 20


class BadPackage(Exception):
    """The zip cannot be unpacked; the text says why."""


class Scratch:
    """A directory of this process, in memory where possible; others of dead processes are removed.

    `code` holds the packages. The lock says that the owner lives: whoever can take it may delete
    the directory.
    """

    def __init__(self, parent: Path | None = None) -> None:
        where = parent or _memory_root()
        self.in_memory = where is not None
        base = where or Path(tempfile.gettempdir())
        sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.code = self.path / "code"
        self.code.mkdir(mode=0o755)
        self.code.chmod(0o755)

    def directory(self, name: str) -> Path:
        made = self.path / name
        made.mkdir(mode=0o755, exist_ok=True)
        return made

    def close(self) -> None:
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _memory_root() -> Path | None:
    for root in MEMORY_ROOTS:
        if root.is_dir() and os.access(root, os.W_OK | os.X_OK):
            return root
    return None


def sweep(base: Path) -> None:
    """Directories whose owner is dead are gone."""
    for path in base.glob(PREFIX + "*"):
        try:
            lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # not ours, another user's, or being made just now
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # its owner lives
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


class Packages:
    """Code by content: there while someone holds it, and `kept_max` packages longer."""

    def __init__(self, scratch: Scratch, kept_max: int = 32) -> None:
        self._scratch = scratch
        self._kept_max = kept_max
        self._ready: dict[str, Package] = {}
        self._holders: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def hold(self, code: Code) -> AsyncIterator[Package]:
        package = await self.take(code)
        try:
            yield package
        finally:
            self.release(package)

    async def take(self, code: Code) -> Package:
        """The package, unpacked; it stays until as many `release` calls."""
        name = hashlib.sha256(code.sha256.encode()).hexdigest()
        self._holders[name] = self._holders.get(name, 0) + 1
        try:
            async with self._locks.setdefault(name, asyncio.Lock()):
                if name not in self._ready:
                    data = await code.fetch()
                    target = self._scratch.code / name
                    self._ready[name] = await asyncio.to_thread(_unpacked, data, name, target)
        except BaseException:
            self._drop(name)
            raise
        package = self._ready.pop(name)
        self._ready[name] = package  # the last one is the most recently used
        return package

    def release(self, package: Package) -> None:
        self._drop(package.name)

    def _drop(self, name: str) -> None:
        self._holders[name] -= 1
        unused = [each for each in self._ready if not self._holders.get(each)]
        for each in unused[: max(0, len(self._ready) - self._kept_max)]:
            shutil.rmtree(self._ready.pop(each).path, ignore_errors=True)
            self._locks.pop(each, None)
        if not self._holders[name]:
            del self._holders[name]
            if name not in self._ready:
                self._locks.pop(name, None)


def _unpacked(data: bytes, name: str, target: Path) -> Package:
    unpack(data, target)
    return _described(name, target)


def _described(name: str, path: Path) -> Package:
    bootstrap = path / "bootstrap"
    modules = {_module_of(entry.name) for entry in path.iterdir()}
    uses_sdk, left = False, SCANNED_BYTES_MAX
    for directory, directories, files in os.walk(path):
        modules.update(SDK_PARTS.intersection(map(_module_of, directories + files)))
        for file in files:
            source = Path(directory, file)
            # A link may lead out of the package, where nothing is to be read.
            if uses_sdk or left <= 0 or source.suffix != ".py" or source.is_symlink():
                continue
            text = source.read_bytes()
            left -= len(text)
            uses_sdk = any(each in text for each in SDK_NAMES)
    return Package(
        name=name,
        path=path,
        has_runtime_client=(path / "awslambdaric" / "__main__.py").is_file(),
        has_bootstrap=bootstrap.is_file(),
        uses_sdk=uses_sdk,
        modules=frozenset(modules),
    )


def names_sdk(archive: zipfile.ZipFile) -> bool:
    """Whether the code in a zip uses the SDK, as far as can be seen without unpacking it."""
    left = SCANNED_BYTES_MAX
    try:
        for entry in archive.infolist():
            if entry.filename.endswith(".py") and entry.file_size <= left:
                left -= entry.file_size
                text = archive.read(entry)
                if any(name in text for name in SDK_NAMES):
                    return True
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
        return False  # unpacking it will say what is wrong
    return False


def _module_of(entry: str) -> str:
    """The module that a file or directory of this name would be."""
    return entry.partition(".")[0]


def unpack(data: bytes, target: Path) -> None:
    """The zip's files are below `target`, readable by all and writable by nobody else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > ENTRIES_MAX:
                raise BadPackage(f"The package has more than {ENTRIES_MAX} entries")
            if sum(entry.file_size for entry in entries) > UNZIPPED_BYTES_MAX:
                raise _too_big()
            target.mkdir(mode=0o755)
            left = UNZIPPED_BYTES_MAX
            for entry in entries:
                left -= _unpack_entry(archive, entry, target, left)
    except BadPackage:
        shutil.rmtree(target, ignore_errors=True)
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise BadPackage(f"Could not unzip the package: {error}") from error


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    path = target.joinpath(*_safe_parts(entry.filename))
    mode = entry.external_attr >> 16
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(mode):
        text = archive.read(entry).decode("utf-8", "surrogateescape")
        # Inside the sandbox a link cannot leave; outside it must not be followed by us.
        if path.is_symlink() or path.exists():
            path.unlink()
        _check_link(path, text, target)
        path.symlink_to(text)
        return 0
    if path.is_symlink():
        path.unlink()
    _check_inside(path, target)
    size = 0
    with archive.open(entry) as source, path.open("wb") as file:
        while part := source.read(_COPY_BYTES):
            size += len(part)
            if size > left:  # what the directory of the zip says may be a lie
                raise _too_big()
            file.write(part)
    # AWS needs files to be readable by its user; it does not make them so. We keep the execute
    # bits and add read, because zips made in memory often carry no mode at all.
    path.chmod(0o755 if mode & 0o111 else 0o644)
    return size


def _safe_parts(name: str) -> tuple[str, ...]:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in name:
        raise BadPackage(f"The package has an unsafe path: {name!r}")
    return pure.parts


def _check_link(path: Path, text: str, target: Path) -> None:
    if PurePosixPath(text).is_absolute():
        return  # it is resolved inside the environment only
    landing = os.path.normpath(path.parent / text)
    if not landing.startswith(f"{target}{os.sep}"):
        raise BadPackage(f"The package has a link that leaves it: {path.name!r}")


def _check_inside(path: Path, target: Path) -> None:
    if not path.parent.resolve().is_relative_to(target.resolve()):
        raise BadPackage(f"The package has an unsafe path: {path.name!r}")


def _too_big() -> BadPackage:
    return BadPackage(f"Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes")
