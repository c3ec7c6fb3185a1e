"""``python -m reverse_etl.sandbox``: the server without the rest of the command line, one option per setting."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import typing
from pathlib import Path
from typing import Any

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.server import serve
from reverse_etl.sandbox.settings import SandboxSettings


def main(arguments: list[str] | None = None) -> int:
    """Serves until ended; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reverse_etl.sandbox", description=__doc__)
    parser.add_argument("--announce", action="store_true", help='print {"url": ...} on stdout once listening')
    kinds = typing.get_type_hints(SandboxSettings)
    for setting in dataclasses.fields(SandboxSettings):
        _add_option(parser, setting.name, kinds[setting.name], setting.default)
    chosen = vars(parser.parse_args(arguments))
    announced = chosen.pop("announce")
    try:
        serve(SandboxSettings(**chosen), announce=_announce if announced else None)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _add_option(parser: argparse.ArgumentParser, name: str, kind: Any, default: Any) -> None:
    option = "--" + name.replace("_", "-")
    if kind is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
    elif typing.get_origin(kind) is typing.Literal:
        parser.add_argument(option, choices=typing.get_args(kind), default=default)
    else:
        single = next((part for part in typing.get_args(kind) if part is not type(None)), kind)
        parser.add_argument(option, type=Path if single is Path else single, default=default)


def _announce(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
