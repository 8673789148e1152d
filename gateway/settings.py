"""Every setting: one name, one default, one unit, one environment variable, one flag."""

# ruff: noqa: RUF009  (`_one` makes a dataclass field)

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEFAULT_PORT = 4566


class BadSetting(Exception):
    """A value that a setting does not take; the text names the setting and what it takes."""


def _one(
    default: Any,
    meaning: str,
    *,
    parse: Callable[[str], Any] | None = None,
    unit: str = "",
    choices: Sequence[str] = (),
    also: Sequence[str] = (),
    secret: bool = False,
) -> Any:
    """A row of the table. `also` are other programs' environment variables that mean the same."""
    return field(
        default=default,
        metadata={
            "meaning": meaning,
            "parse": parse or _PARSERS[type(default)],
            "unit": unit,
            "choices": tuple(choices),
            "also": tuple(also),
            "secret": secret,
        },
    )


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False, "": False}
    if text.lower() not in words:
        raise ValueError("true or false")
    return words[text.lower()]


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("a number that is not negative")
    return value


def _port(text: str) -> int:
    """The port, also of `host:port` and of a bare host, as GATEWAY_LISTEN may be."""
    if "." in text and ":" not in text:
        return DEFAULT_PORT
    value = int(text.rpartition(":")[2])
    if not 0 <= value <= 65535:
        raise ValueError("a port from 0 to 65535")
    return value


def _host(text: str) -> str:
    """The host of `host`, or of `host:port` as in GATEWAY_LISTEN."""
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _origins(text: str) -> tuple[str, ...]:
    origins = _list(text)
    for origin in origins:
        if origin != "*" and (not urlsplit(origin).scheme or not urlsplit(origin).netloc):
            raise ValueError("origins such as http://localhost:3000")
    return origins


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("a number of seconds above 0")
    return value


_PARSERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: _count,
    float: _seconds,
    bool: _flag,
    tuple: _list,
}
_HOME = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "fogbank"


@dataclass(frozen=True, slots=True)
class Settings:
    """The table itself. The variable of `data_dir` is FOGBANK_DATA_DIR, its flag --data-dir."""

    host: str = _one("127.0.0.1", "address to listen on", parse=_host, also=["GATEWAY_LISTEN"])
    port: int = _one(
        DEFAULT_PORT,
        "port to listen on; 0 takes a free one",
        parse=_port,
        also=["EDGE_PORT", "GATEWAY_PORT", "GATEWAY_LISTEN"],
    )
    data_dir: Path = _one(_HOME / "data", "where everything is stored, sealed", parse=_path)
    key_file: Path = _one(
        _HOME / "master.key",
        "file of the master key, made at the first start; never inside the data directory",
        parse=_path,
    )
    master_key: str = _one(
        "", "the master key itself, 64 hexadecimal digits, instead of a file", secret=True
    )
    durability: str = _one(
        "full",
        "`full`: an acknowledged write survives a power cut; `relaxed`: a killed process",
        choices=("full", "relaxed"),
    )
    auth: str = _one(
        "open",
        "`open`: any credentials, on loopback; `strict`: signatures are verified",
        choices=("open", "strict"),
    )
    accounts: Path | None = _one(
        None, "TOML file of accounts and access keys that `strict` knows", parse=_path
    )
    allow_remote_open: bool = _one(False, "permit `open` on an address that other machines reach")
    cors_origins: tuple[str, ...] = _one(
        (), "origins whose web pages may call every API; `*` permits all", parse=_origins
    )
    host_names: tuple[str, ...] = _one(
        (), "further names by which clients may call this stack, when it listens on loopback"
    )
    region: str = _one(
        "us-east-1", "region of requests that name none", also=["AWS_DEFAULT_REGION"]
    )
    function_driver: str = _one(
        "auto",
        "what runs functions; `auto` takes the sandbox where the machine permits it",
        choices=("auto", "sandbox", "process"),
    )
    require_isolation: bool = _one(
        False, "refuse to start when functions would run without the sandbox"
    )
    function_concurrency_max: int = _one(
        1000, "function environments that may run at once", unit="environments"
    )
    dynamodb_throttle: bool = _one(
        False, "tables refuse what exceeds their throughput, as AWS's do, so that retries are tried"
    )
    requests_max: int = _one(2000, "requests in progress at once; more get 503", unit="requests")
    trace_spans_max: int = _one(20_000, "newest spans kept for the trace view", unit="spans")
    log_lines_max: int = _one(5_000, "newest log lines kept for `fogbank logs`", unit="lines")
    log_level: str = _one(
        "info",
        "`info`: a line per request; `warning`: only what went wrong",
        choices=("info", "warning"),
    )
    drain_s: float = _one(
        10.0, "how long requests in progress may take after SIGTERM", unit="seconds"
    )

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def table() -> list[dict[str, Any]]:
    """The settings as rows, for the README, the command line's help and the tests."""
    return [
        {
            "name": one.name,
            "default": _shown(one.default),
            "unit": one.metadata["unit"],
            "meaning": one.metadata["meaning"],
            "choices": one.metadata["choices"],
            "variable": variable(one.name),
            "flag": "" if one.metadata["secret"] else flag(one.name),
            "switch": isinstance(one.default, bool),
        }
        for one in fields(Settings)
    ]


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple) or default is None:
        return ""
    return str(default).replace(str(Path.home()), "~")


def variable(name: str) -> str:
    return f"FOGBANK_{name.upper()}"


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def load(arguments: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """Each setting from its flag, else its variable, else another program's, else its default.

    Raises BadSetting.
    """
    unknown = {
        name for name in environment if name.startswith("FOGBANK_") and name not in _variables()
    }
    if unknown:
        raise BadSetting(f"no setting is called {', '.join(sorted(unknown))}")
    chosen = {}
    for one in fields(Settings):
        for source, text in _sources(one, arguments, environment):
            if text is not None:
                chosen[one.name] = _parsed(one, source, text)
                break
    settings = Settings(**chosen)
    _check_together(settings)
    return settings


def _variables() -> set[str]:
    # FOGBANK_ENDPOINT is read by the commands that talk to a running stack.
    return {variable(one.name) for one in fields(Settings)} | {"FOGBANK_ENDPOINT"}


def _sources(
    one: "Field[Any]", arguments: Mapping[str, str | None], environment: Mapping[str, str]
) -> list[tuple[str, str | None]]:
    named = (variable(one.name), *one.metadata["also"])
    return [
        (flag(one.name), arguments.get(one.name)),
        *((name, environment.get(name) or None) for name in named),
    ]


def _parsed(one: "Field[Any]", source: str, text: str) -> Any:
    choices = one.metadata["choices"]
    if choices and text not in choices:
        raise BadSetting(f"{source} takes {' or '.join(choices)}, not {text!r}")
    try:
        return one.metadata["parse"](text)
    except ValueError as error:
        kind = "a number" if isinstance(one.default, int | float) else "another value"
        reason = str(error) if "literal" not in str(error) and "convert" not in str(error) else kind
        raise BadSetting(f"{source} takes {reason}, not {text!r}") from None


def _check_together(settings: Settings) -> None:
    if settings.auth == "open" and not settings.loopback and not settings.allow_remote_open:
        raise BadSetting(
            f"--host {settings.host} lets other machines in and --auth open lets them do anything: "
            "use --auth strict, or say --allow-remote-open"
        )
    if settings.key_file.resolve().is_relative_to(settings.data_dir.resolve()):
        raise BadSetting(
            f"--key-file {settings.key_file} is inside the data directory: "
            "the key must not lie beside what it opens"
        )


@dataclass(frozen=True, slots=True)
class Account:
    """A known caller: one access key of an account."""

    account: str
    display_name: str
    access_key: str
    secret: str


def load_accounts(path: Path) -> list[Account]:
    """The accounts file: `[[account]]` tables of id, display_name, access_key and secret."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadSetting(f"--accounts {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"--accounts {path} is not TOML: {error}") from None
    rows = document.get("account", [])
    if not isinstance(rows, list):
        raise BadSetting(f"--accounts {path}: `account` must be written as [[account]]")
    return [_account(path, number, row) for number, row in enumerate(rows, 1)]


def _account(path: Path, number: int, row: Any) -> Account:
    def text(name: str, default: str | None = None) -> str:
        value = row.get(name, default) if isinstance(row, dict) else None
        if not isinstance(value, str) or not value:
            raise BadSetting(f"--accounts {path}: account {number} has no text called `{name}`")
        return value

    account = text("id")
    if len(account) != 12 or not account.isdecimal():
        raise BadSetting(f"--accounts {path}: account {number}: `id` must be 12 digits")
    return Account(account, text("display_name", account), text("access_key"), text("secret"))


assert all(one.default is not MISSING for one in fields(Settings))
