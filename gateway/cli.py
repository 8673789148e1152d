"""The `fogbank` command."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

from fogbank import __version__
from fogbank.gateway.settings import BadSetting, Settings, load, table


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fogbank", description="A small cloud for one machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the stack")
    _add_settings(up)
    up.set_defaults(run=_up)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    for row in table():
        if not row["flag"]:
            continue
        text = row["meaning"].replace("`", "'")
        help_text = f"{text} [{row['default']}] ({row['variable']})".replace("%", "%%")
        options: dict[str, Any] = {"help": help_text, "dest": row["name"], "default": None}
        if row["switch"]:
            options |= {"nargs": "?", "const": "true", "metavar": "true|false"}
        elif row["choices"]:
            options["metavar"] = "|".join(row["choices"])
        else:
            options["metavar"] = "VALUE"
        parser.add_argument(row["flag"], **options)


def _settings(arguments: argparse.Namespace) -> Settings:
    return load({row["name"]: getattr(arguments, row["name"], None) for row in table()}, os.environ)


def _up(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    from fogbank.gateway import wiring
    from fogbank.gateway.server import bind

    try:
        sock = bind(settings.host, settings.port)
    except OSError as error:
        raise Failure(f"{settings.host}:{settings.port}: {error.strerror}") from None

    def announce(stack: Any) -> None:
        isolation = stack.functions.isolation()
        lines = [
            f"Fogbank {__version__} at {stack.endpoint}",
            f"export AWS_ENDPOINT_URL={stack.endpoint}",
            "export AWS_ACCESS_KEY_ID=test",
            "export AWS_SECRET_ACCESS_KEY=test",
            f"export AWS_DEFAULT_REGION={settings.region}",
            f"isolation: {isolation.get('level')}",
            f"durability: {settings.durability}  auth: {settings.auth}",
            "Ready.",
        ]
        print("\n".join(lines), flush=True)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(wiring.run(settings, sock, announce))
        except wiring.START_FAILURES as error:
            raise Failure(str(error)) from None
    return 0


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
