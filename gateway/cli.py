"""The `fogbank` command."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fogbank import __version__
from fogbank.gateway.settings import BadSetting, Settings, load, table

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
ANSWER_S = 10.0
LINES_DEFAULT = 200


class Failure(Exception):
    """Ends the command with one clear line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0 when it did what was asked."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (Failure, BadSetting) as error:
        print(f"fogbank: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away; a second complaint at exit would be noise.
        sys.stdout = None
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fogbank", description="A small cloud for one machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(run=run)
        return one

    _add_settings(command("up", _up, "start the stack"))
    _add_endpoint(command("status", _status, "show what a running stack is and enforces"))
    _add_endpoint(command("env", _env, "print the export lines for a shell"))
    logs = command("logs", _logs, "print the newest log lines of a running stack")
    _add_endpoint(logs)
    logs.add_argument("--limit", type=int, default=LINES_DEFAULT, help="lines at most")
    reset = command("reset", _reset, "delete everything in a stopped stack's data directory")
    _add_settings(reset, {"data_dir", "key_file", "master_key"})
    reset.add_argument("--yes", action="store_true", help="do not ask")
    check = command("check", _check, "verify a stopped stack's data directory")
    _add_settings(check, {"data_dir", "key_file", "master_key"})
    check.add_argument("--deep", action="store_true", help="read every byte of every object")
    demo = command("demo", _demo, "run the photo album from a checkout")
    demo.add_argument("rest", nargs=argparse.REMAINDER, help="arguments of the demo")
    command("version", _version, "print the version")
    return parser


def _add_settings(parser: argparse.ArgumentParser, only: set[str] | None = None) -> None:
    for row in table():
        if not row["flag"] or (only is not None and row["name"] not in only):
            continue
        text = f"{row['meaning']} [{row['default']}] ({row['variable']})".replace("%", "%%")
        options: dict[str, Any] = {"help": text, "dest": row["name"], "default": None}
        if row["switch"]:
            options |= {"nargs": "?", "const": "true", "metavar": "true|false"}
        else:
            options["metavar"] = "|".join(row["choices"]) or "VALUE"
        parser.add_argument(row["flag"], **options)


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--endpoint",
        help=f"the running stack (FOGBANK_ENDPOINT, AWS_ENDPOINT_URL) [{DEFAULT_ENDPOINT}]",
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    return load({row["name"]: getattr(arguments, row["name"], None) for row in table()}, os.environ)


def _up(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    # Imported here: no other command needs the server.
    from fogbank.gateway import wiring
    from fogbank.gateway.server import bind

    try:
        sock = bind(settings.host, settings.port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure(f"cannot listen on {settings.host}:{settings.port}: {reason}") from None
    with sock, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(wiring.run(settings, sock, lambda stack: _announce(settings, stack)))
        except wiring.START_FAILURES as error:
            raise Failure(str(error)) from None
    return 0


def _announce(settings: Settings, stack: Any) -> None:
    from fogbank.gateway.admin import isolation_of

    isolation = isolation_of(stack)
    lines = [
        f"Fogbank {__version__} at {stack.endpoint}",
        *_exports(stack.endpoint, settings.region),
        f"functions: {isolation['level']}; {isolation['summary']}",
        f"durability: {settings.durability}",
        f"auth: {settings.auth}",
        f"data: {settings.data_dir}, sealed",
        "Ready.",
    ]
    print("\n".join(lines), flush=True)


def _exports(endpoint: str, region: str) -> list[str]:
    return [
        f"export AWS_ENDPOINT_URL={endpoint}",
        "export AWS_ACCESS_KEY_ID=test",
        "export AWS_SECRET_ACCESS_KEY=test",
        f"export AWS_DEFAULT_REGION={region}",
    ]


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _endpoint(arguments: argparse.Namespace) -> str:
    named = os.environ.get("FOGBANK_ENDPOINT") or os.environ.get("AWS_ENDPOINT_URL")
    return str(arguments.endpoint or named or DEFAULT_ENDPOINT).rstrip("/")


def _ask(endpoint: str, page: str) -> Any:
    """A page of a running stack, as JSON."""
    import httpx

    try:
        answer = httpx.get(f"{endpoint}/_fogbank/{page}", timeout=ANSWER_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failure(f"no stack answers at {endpoint}: {error}") from None
    try:
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPStatusError, ValueError):
        raise Failure(f"what answers at {endpoint} is no Fogbank: {answer.status_code}") from None


def _status(arguments: argparse.Namespace) -> int:
    print(json.dumps(_ask(_endpoint(arguments), "status"), indent=2))
    return 0


def _env(arguments: argparse.Namespace) -> int:
    endpoint = _endpoint(arguments)
    status = _ask(endpoint, "status")
    print("\n".join(_exports(endpoint, status["region"])))
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    answer = _ask(_endpoint(arguments), f"logs?limit={max(arguments.limit, 0)}")
    for line in answer["lines"]:
        print(line)
    return 0


def _reset(arguments: argparse.Namespace) -> int:
    import shutil

    from fogbank.storage.keyring import KEYRING_FILE

    settings = _settings(arguments)
    path = settings.data_dir
    if not path.exists():
        print(f"{path} is not there: nothing to delete")
        return 0
    # Only what a stack made: never a folder that somebody named by mistake.
    if not (path / KEYRING_FILE).exists():
        raise Failure(f"{path} is not a data directory of Fogbank")
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise Failure(f"say --yes to delete everything in {path}")
        if input(f"Delete everything in {path}? [y/N] ").strip().lower() != "y":
            return 1
    _refuse_in_use(path)
    shutil.rmtree(path)
    print(f"deleted {path}; the master key {settings.key_file} stays")
    return 0


def _refuse_in_use(path: Path) -> None:
    import fcntl

    from fogbank.storage.datadir import LOCK_FILE

    try:
        with (path / LOCK_FILE).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure(f"a stack is running on {path}: stop it first") from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def _check(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    if not settings.data_dir.is_dir():
        raise Failure(f"{settings.data_dir} is not there")
    from fogbank.gateway import checking

    return checking.run(settings, deep=arguments.deep)


def _demo(arguments: argparse.Namespace) -> int:
    script = Path(__file__).resolve().parents[1] / "examples" / "photo_album" / "demo.py"
    if not script.is_file():
        raise Failure("the demo is part of a checkout: git clone, then make demo")
    import runpy

    sys.argv = [str(script), *arguments.rest]
    runpy.run_path(str(script), run_name="__main__")
    return 0


def _version(arguments: argparse.Namespace) -> int:
    print(__version__)
    return 0
